"""The one seam to the disk: append, sync, replace, lock, read. It decides nothing; what the disk does wrong is a DiskError.

Every file is 0600. `replace` goes by write, fsync, rename and fsync of the folder, so that a power cut leaves the old
file or the new one. A simulation hands in another object with these methods.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from filelock import FileLock, Timeout

from ..core.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .interface import AppendOnlyFile

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
_NAME_NOT_GIVEN = {errno.EEXIST, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
"""What `link` answers where the name is taken, or where there are no hard links."""
# Python opens what no child inherits (PEP 446), so O_CLOEXEC is not needed. Windows alone has O_BINARY, and translates line ends without it.
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def disk_error(path: Path, error: OSError, doing: str) -> DiskError:
    """The failure in a person's words, with what to do about it."""
    return DiskError(
        f"{path}: {doing} failed: {error.strerror or error}. Mend that (room, permissions, the folder), "
        "then give the same command again."
    )


class _File:
    """An append-only file of the real disk."""

    def __init__(self, path: Path, flags: int, *, private: bool = False) -> None:
        self._path = path
        self._named = path.exists()
        try:
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise disk_error(path, error, "opening") from None
        if private and self._named:
            with contextlib.suppress(OSError, AttributeError):  # another user's file; a system without modes
                os.fchmod(self._fd, 0o600)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise disk_error(self._path, error, "writing") from None

    async def sync(self) -> None:
        try:
            await anyio.to_thread.run_sync(_sync_data, self._fd)
            if not self._named:
                # A new file's name is in its folder, which POSIX syncs by itself only when asked to.
                await anyio.to_thread.run_sync(_sync_folder, self._path.parent)
                self._named = True
        except OSError as error:
            raise disk_error(self._path, error, "syncing") from None

    def close(self) -> None:
        os.close(self._fd)


class LocalDisk:
    """The file system."""

    def append(self, path: Path) -> AppendOnlyFile:
        """A file to go on with, made where there is none."""
        return _File(path, _FLAGS)

    def create(self, path: Path) -> AppendOnlyFile:
        """A new file in place of whatever is there; what was open to others is its owner's alone from then on."""
        return _File(path, _FLAGS | os.O_TRUNC, private=True)

    async def replace(self, made: Path, path: Path) -> None:
        """Give a file that is written and synced its final name, in one step that a power cut can't split."""
        try:
            os.replace(made, path)  # noqa: PTH105  # the call that POSIX promises to be atomic
            await anyio.to_thread.run_sync(_sync_folder, path.parent)
        except OSError as error:
            raise disk_error(path, error, "renaming") from None

    async def publish_new(self, made: Path, path: Path) -> bool:
        """Give a file that is written and synced its final name; False where that is taken, and the file keeps its own.

        False as well on a file system without hard links, for a rename would take the place of what is there.
        """
        try:
            os.link(made, path, follow_symlinks=os.link not in os.supports_follow_symlinks)
        except OSError as error:
            if error.errno in _NAME_NOT_GIVEN:
                return False
            raise disk_error(path, error, "linking") from None
        try:
            made.unlink(missing_ok=True)
            await anyio.to_thread.run_sync(_sync_folder, path.parent)
        except OSError as error:
            raise disk_error(path, error, "linking") from None
        return True

    def is_link(self, path: Path) -> bool:
        """Whether a path is a symbolic link, wherever it leads."""
        try:
            return stat.S_ISLNK(path.lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise disk_error(path, error, "looking") from None

    def find_link(self, folder: Path, *, deep: bool) -> Path | None:
        """A symbolic link directly in a folder, or with `deep` anywhere below it; the folder itself may be one."""
        waiting = [folder]
        while waiting:
            at = waiting.pop()
            try:
                with os.scandir(at) as entries:
                    for entry in entries:
                        if entry.is_symlink():
                            return at / entry.name
                        if deep and entry.is_dir(follow_symlinks=False):
                            waiting.append(at / entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise disk_error(at, error, "looking") from None
        return None

    def lines(self, path: Path, offset: int = 0) -> Iterator[bytes]:
        """The lines of a file with their ends, from a byte on."""
        try:
            with path.open("rb", buffering=1 << 18) as file:
                file.seek(offset)
                yield from file
        except OSError as error:
            raise disk_error(path, error, "reading") from None

    def chunks(self, path: Path) -> Iterator[bytes]:
        """The file in pieces of 256 KiB, for who looks at bytes alone."""
        try:
            with path.open("rb", buffering=0) as file:
                while block := file.read(1 << 18):
                    yield block
        except OSError as error:
            raise disk_error(path, error, "reading") from None

    def size(self, path: Path) -> int | None:
        """Bytes, or None where there is no such file.

        Raises DiskError for what is no regular file: a device or a pipe has no size, and may be read without end.
        """
        try:
            about = path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_error(path, error, "looking") from None
        if not stat.S_ISREG(about.st_mode):
            raise DiskError(f"{path}: this is no regular file ({_kind(about.st_mode)}); give the name of one")
        return about.st_size

    def age(self, path: Path, now: float) -> float:
        """Seconds since the file was last written."""
        try:
            return now - path.stat().st_mtime
        except OSError as error:
            raise disk_error(path, error, "looking") from None

    def truncate(self, path: Path, size: int) -> None:
        """Take off a torn end."""
        try:
            os.truncate(path, size)
        except OSError as error:
            raise disk_error(path, error, "truncating") from None

    def rename(self, path: Path, to: Path) -> None:
        """Set a file aside under another name."""
        try:
            path.rename(to)
        except OSError as error:
            raise disk_error(path, error, "renaming") from None

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(path, error, "removing") from None

    def make_folder(self, path: Path) -> None:
        """Make a folder if it is not there; its parent must be."""
        try:
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise disk_error(path, error, "making the folder") from None

    @contextlib.contextmanager
    def lock(self, path: Path) -> Iterator[bool]:
        """Hold an exclusive lock that goes with the process; yields False at once where another process has it.

        Raises DiskError where no lock can be made: no file can lie there, or the file system has no locks. A marker file
        in the lock's place (filelock's soft lock) is not taken: it does not end with its process.
        """
        lock = FileLock(path, mode=0o600, fallback_to_soft=False)
        try:
            # filelock says "held" as well where the file can't be made, so that is tried first.
            os.close(os.open(path, _LOCK_FLAGS, 0o600))
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise disk_error(path, error, "locking") from None
        try:
            yield True
        finally:
            lock.release()


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _sync_data(fd: int) -> None:
    """Wait until a file's bytes and size survive a power cut, by the call that does so on this system."""
    if _FULL_SYNC is not None and fcntl is not None:
        # macOS: fsync leaves the bytes in the drive's cache (fsync(2) there). Some file systems know no F_FULLFSYNC.
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, _FULL_SYNC)
            return
    getattr(os, "fdatasync", os.fsync)(fd)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder survive a power cut. Windows opens no folders, and journals its names by itself."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
