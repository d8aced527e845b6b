"""What reaches the two streams: data on standard output, all else on standard error. Nothing raw from outside passes.

A reader that goes away, a closed stream, or an encoding that lacks a character never ends a run.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO, TextIO

_FULL = 6


def plain(text: object) -> str:
    r"""One line that shows nothing but itself: control, format and separator characters are shown as `\x1b` and the like.

    A user and a password in an address are masked.
    """
    shown = str(text)
    if "@" in shown:
        from imageferry.core.masking import masked  # noqa: PLC0415  # `--version` does without

        shown = masked(shown)
    return shown if shown.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in shown)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def _write_whole(stream: TextIO, text: str) -> None:
    buffer = getattr(stream, "buffer", None)
    if buffer is None:  # a stream of text alone, as embedders give
        stream.write(text)
    else:
        stream.flush()
        _give_whole(buffer, text.encode(stream.encoding or "utf-8", "backslashreplace"))
    stream.flush()


def _give_whole(buffer: BinaryIO, data: bytes) -> None:
    """Write all of it: under PYTHONUNBUFFERED a signal makes the system take a part of it only, which nobody else would notice."""
    rest = memoryview(data)
    while rest:
        taken = buffer.write(rest)
        if taken is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        rest = rest[taken:]


class Console:
    """The two streams of one process; either may be closed."""

    def __init__(self, out: TextIO | None, err: TextIO | None) -> None:
        self._out = out
        self._err = err
        self.fault: OSError | None = None
        for stream in (out, err):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="backslashreplace")

    @classmethod
    def standard(cls) -> Console:
        """The process's own streams."""
        return cls(sys.stdout, sys.stderr)

    @property
    def is_live(self) -> bool:
        """Whether standard error is a terminal, where progress can be shown in place."""
        try:
            return self._err is not None and self._err.isatty()
        except ValueError:
            return False

    @property
    def shows_output(self) -> bool:
        """Whether standard output is a terminal, where nothing else should be drawn between its lines."""
        try:
            return self._out is not None and self._out.isatty()
        except ValueError:
            return False

    def out(self, lines: Iterable[str]) -> None:
        """Write lines to standard output; each is made plain."""
        self._out = self._write(self._out, lines)

    def err(self, lines: Iterable[str]) -> None:
        """Write lines to standard error; each is made plain."""
        self._err = self._write(self._err, lines)

    @property
    def can_ask(self) -> bool:
        """Whether somebody sits there: a question is seen on standard error, and standard input is typed."""
        try:
            return self.is_live and sys.stdin is not None and sys.stdin.isatty()
        except ValueError:
            return False

    async def ask(self, question: str) -> bool:
        """Put a question to the terminal; only `y` or `yes` is yes. May be cancelled while it waits."""
        import anyio  # noqa: PLC0415  # only an undo asks, and help must not pay for it

        if self._err is None:
            return False
        self._err.write(plain(question))
        self._err.flush()
        await anyio.wait_readable(sys.stdin)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def bytes_out(self, data: bytes) -> None:
        """Write bytes to standard output as they are: an exported manifest.

        Raises OSError, since what was exported must not be lost without a word.
        """
        if self._out is None:
            raise OSError(errno.EBADF, "standard output is closed")
        self._out.flush()
        _give_whole(self._out.buffer, data)
        if self.shows_output:
            # A sentence on standard error must not land within a line.
            self._out.flush()

    def flush_bytes(self) -> None:
        """Have all of `bytes_out` written.

        Raises OSError.
        """
        if self._out is not None:
            self._out.flush()

    def _write(self, stream: TextIO | None, lines: Iterable[str]) -> TextIO | None:
        if stream is None:
            return None
        try:
            _write_whole(stream, "".join(f"{plain(line)}\n" for line in lines))
        except (OSError, ValueError) as error:
            self._abandon(stream, error)
            return None
        return stream

    def _abandon(self, stream: TextIO, error: OSError | ValueError) -> None:
        """Nobody reads any more, or the disk is full: what is still buffered goes nowhere, so that the exit stays quiet."""
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError) and stream is self._out:
            self.fault = error
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()
        except (OSError, ValueError):
            pass

    def abandon_output(self) -> None:
        """Give standard output up after `bytes_out` failed."""
        if self._out is not None:
            self._abandon(self._out, BrokenPipeError())
            self._out = None

    def exit_code(self, code: int) -> int:
        """The exit code, after what standard output could not take: a lost answer must not look like a good one."""
        if self.fault is None:
            return code
        self.err([f"imageferry: standard output could not be written: {self.fault.strerror or self.fault}"])
        return code or _FULL
