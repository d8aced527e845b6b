"""A journal read back into a ledger, quickly: what belongs to a finished product is not parsed, its last line sums it up.

Every line's CRC is checked. What is not whole at the end of a journal is a torn write, anywhere else it is damage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from .core.errors import CheckpointError
from .core.record import is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .core.ledger import Ledger

    Damaged = Callable[[int, str], CheckpointError]

_EVENT = b'{"event":"'
_PRODUCT = b',"product_id":'
_TROUBLE = frozenset({b"lost", b"absent", b"found", b"settled"})


def replay(lines: Iterable[bytes], ledger: Ledger, damaged: Damaged, *, whole: bool = False) -> int:
    """Fold the events of a journal's lines (its header taken off) into the ledger; returns the bytes of the whole ones.

    With `whole` every event is folded, as undo needs it; else a product that finished well is taken at its sum.

    Raises what `damaged` makes of a line's number and what is wrong with it.
    """
    waiting: dict[int, list[tuple[int, bytes]]] = {}
    long_way: set[int] = set()
    size = bad = 0
    for number, line in enumerate(lines, 2):
        if not is_whole(line):
            bad = bad or number
            continue
        if bad:
            raise damaged(bad, "the line is not as it was written")
        size += len(line)
        kind, product_id = _head(line)
        if whole or product_id is None or product_id in long_way:
            _fold(ledger, number, line, damaged)
        elif kind in _TROUBLE:
            long_way.add(product_id)
            _fold_all(ledger, [*waiting.pop(product_id, ()), (number, line)], damaged)
        elif kind != b"finished":
            waiting.setdefault(product_id, []).append((number, line))
        elif not _sum_up(ledger, line):
            long_way.add(product_id)
            _fold_all(ledger, [*waiting.pop(product_id, ()), (number, line)], damaged)
        else:
            waiting.pop(product_id, None)
    for left in waiting.values():
        _fold_all(ledger, left, damaged)
    return size


def _head(line: bytes) -> tuple[bytes, int | None]:
    """The kind of an event and its product, read off the bytes; (b"", None) where only JSON can tell."""
    end = line.find(b'"', 10)
    if not line.startswith(_EVENT) or line[end + 1 : end + 15] != _PRODUCT:
        return b"", None
    begin = end + 15
    stop = line.find(b",", begin)
    digits = line[begin:stop]
    return (line[10:end], int(digits)) if digits.isdigit() else (b"", None)


def _sum_up(ledger: Ledger, line: bytes) -> bool:
    """Take a product that finished well at the counts of its last line; False where the long way must be gone."""
    event = orjson.loads(line)
    counts = event.get("counts")
    if "failures" in event or not _are_counts(counts) or event["product_id"] in ledger.courses:
        return False
    ledger.take_finished(event["product_id"], counts)
    return True


def _are_counts(counts: object) -> bool:
    return isinstance(counts, list) and len(counts) == 4 and all(type(count) is int for count in counts)


def _fold_all(ledger: Ledger, lines: list[tuple[int, bytes]], damaged: Damaged) -> None:
    for number, line in lines:
        _fold(ledger, number, line, damaged)


def _fold(ledger: Ledger, number: int, line: bytes, damaged: Damaged) -> None:
    try:
        ledger.apply(orjson.loads(line))
    except CheckpointError as error:
        raise damaged(number, str(error)) from None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        # Sealed, and still not an event: a hand wrote it.
        raise damaged(number, f"not an event ({type(error).__name__}: {error})") from None
