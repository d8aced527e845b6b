"""A journal read back into a ledger, quickly: what belongs to a finished product is not parsed, its last line sums it up.

Every line's CRC is checked. What is not whole at the end of a journal is a torn write, anywhere else it is damage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson

from ..errors import CheckpointError
from .records import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .ledger import Ledger

    Damaged = Callable[[int, str], CheckpointError]

_PRODUCT = b'"product_id":'
_STEPS = frozenset(b'{"event":"%b"' % kind for kind in (b"sent", b"confirmed", b"refused", b"deferred"))
"""How the events begin that `finished` makes superfluous; at any other its product is folded so far, and then to its end."""
_FINISHED = b'{"event":"finished"'


def replay(lines: Iterable[bytes], ledger: Ledger, damaged: Damaged, *, whole: bool = False) -> int:
    """Fold the events of a journal's lines (its header taken off) into the ledger; returns the bytes of the whole ones.

    With `whole` every event is folded, as undo needs it; else a product that finished well is taken at its sum.

    Raises what `damaged` makes of a line's number and what is wrong with it.
    """
    # Nothing is called or built here that a line could do without: there may be millions. Products are told by
    # their bytes, and numbers and lines wait side by side, since a pair each would keep the garbage collector busy.
    waiting: dict[bytes, list[Any]] = {}
    steps = frozenset[bytes]() if whole else _STEPS
    size = bad = 0
    for number, line in enumerate(lines, 2):
        body, _, tail = line.rpartition(MARK)  # record.is_whole, without the call
        if tail != b"%d}\n" % crc32(body) or not body:
            bad = bad or number
            continue
        if bad:
            raise damaged(bad, "the line is not as it was written")
        size += len(line)
        parts = line.split(b",", 2)
        kind, product = parts[0], parts[1]
        if kind in steps and (held := waiting.get(product)) is not None:
            held += number, line
        elif kind in steps and product.startswith(_PRODUCT):
            waiting[product] = [number, line]
        elif kind == _FINISHED and not whole and _sum_up(ledger, product, body):
            waiting.pop(product, None)
        else:
            _fold(ledger, [*waiting.pop(product, ()), number, line], damaged)
    for left in waiting.values():
        _fold(ledger, left, damaged)
    return size


def _sum_up(ledger: Ledger, product: bytes, body: bytes) -> bool:
    """Take a product that finished well at the counts that end its last line; False where its events must be folded."""
    try:
        product_id, counts = int(product[len(_PRODUCT) :]), orjson.loads(body.rpartition(b',"counts":')[2])
    except ValueError:
        return False  # something follows them (failures), or there are none
    known = product_id in ledger.courses or product_id in ledger.finished
    if known or product_id < 1 or not _are_counts(counts):
        return False
    ledger.take_finished(product_id, counts)
    return True


def _are_counts(counts: object) -> bool:
    return isinstance(counts, list) and len(counts) == 4 and set(map(type, counts)) == {int}


def _fold(ledger: Ledger, numbered: list[Any], damaged: Damaged) -> None:
    for number, line in zip(numbered[::2], numbered[1::2], strict=True):
        try:
            ledger.apply(orjson.loads(line))
        except CheckpointError as error:
            raise damaged(number, str(error)) from None
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            # Sealed, and still not an event: a hand wrote it.
            raise damaged(number, f"not an event ({type(error).__name__}: {error})") from None
