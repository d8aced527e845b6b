"""Which call goes wrong, and how: pure and seeded, so that the same seed and the same calls give the same faults."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KINDS: dict[str, str] = {
    "throttled": "429 with the quota's headers (or `status`), nothing done",
    "bare_429": "429 without any rate header, nothing done",
    "failed_before": "`status` (503), nothing done",
    "failed_after": "`status` (500) although the call was carried out",
    "dropped_before": "connection closed without an answer, nothing done",
    "dropped_after": "connection closed without an answer although the call was carried out",
    "late_commit": "`status` (504) at once; the call is carried out `delay` (5) seconds later",
    "slow": "carried out, answered `delay` (2) seconds late",
    "hang": "nothing done and nothing answered; the connection is closed after `delay` (3600) seconds",
    "cut_body": "carried out; the answer ends in the middle",
    "garbled": "carried out; an HTML page with the right status instead of the answer",
    "locked": "423, nothing done",
    "conflict": "409, nothing done",
}
_STATUS = {"throttled": 429, "failed_before": 503, "failed_after": 500, "late_commit": 504}
_DELAY = {"late_commit": 5.0, "slow": 2.0, "hang": 3600.0}


@dataclass(slots=True, frozen=True)
class Fault:
    """One thing that goes wrong.

    It strikes a `share` of the calls that match (`methods`, none for any; `path` a part of theirs), after the first `after` of
    them, `count` times at most. `status` and `delay` (seconds) have defaults by kind. With `wait` an answer that is not a
    success names so many seconds in Retry-After.
    """

    kind: str
    share: float = 1.0
    methods: tuple[str, ...] = ()
    path: str = ""
    after: int = 0
    count: int | None = None
    status: int = 0
    delay: float = -1.0
    wait: float = -1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is not one of {', '.join(KINDS)}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share: {self.share} is not between 0 and 1")
        if self.status and not 200 <= self.status <= 599:
            raise ValueError(f"status: {self.status} is no HTTP status")

    @property
    def answer(self) -> int:
        """The status to answer with."""
        return self.status or _STATUS.get(self.kind, 500)

    @property
    def seconds(self) -> float:
        """How long the fault takes."""
        return self.delay if self.delay >= 0 else _DELAY.get(self.kind, 0.0)


class Script:
    """Draws at most one fault a call: the first in order that strikes."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.faults = tuple(faults)
        self._seen = [0] * len(self.faults)
        self._struck = [0] * len(self.faults)
        self._chances = [Random(f"{seed}/{n}") for n in range(len(self.faults))]  # noqa: S311 - to be repeatable, not secret

    def pick(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with the next call, if anything."""
        for n, fault in enumerate(self.faults):
            if self._strikes(n, fault, method, path):
                self._struck[n] += 1
                return fault
        return None

    def _strikes(self, n: int, fault: Fault, method: str, path: str) -> bool:
        if (fault.methods and method not in fault.methods) or fault.path not in path:
            return False
        self._seen[n] += 1
        chance = self._chances[n].random()
        if self._seen[n] <= fault.after or (fault.count is not None and self._struck[n] >= fault.count):
            return False
        return chance < fault.share

    def statistics(self) -> list[dict[str, Any]]:
        """Return each fault with how many calls matched it and how many it struck."""
        rows = zip(self.faults, self._seen, self._struck, strict=True)
        return [{**asdict(fault), "seen": seen, "struck": struck} for fault, seen, struck in rows]


def from_values(values: object) -> Fault:
    """Make a fault of parsed JSON or of a command line's words.

    Raises ValueError or TypeError, naming the field, where it is none.
    """
    if not isinstance(values, dict):
        raise TypeError(f"a fault is a JSON object with a kind, not {str(values)[:40]!r}")
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name not in _READERS:
            raise ValueError(f"{str(name)[:40]}: no such field of a fault")
        made[name] = _READERS[name](name, value)
    if "kind" not in made:
        raise ValueError("kind: which kind of fault is missing")
    return Fault(**made)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: must be a text")
    return value


def _number(name: str, value: object) -> float:
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{name}: must be a number of 0 or more, not {str(value)[:40]!r}")
    return number


def _whole(name: str, value: object) -> int:
    number = _number(name, value)
    if number != int(number):
        raise ValueError(f"{name}: must be a whole number, not {str(value)[:40]!r}")
    return int(number)


def _count(name: str, value: object) -> int | None:
    return None if value is None else _whole(name, value)


def _methods(name: str, value: object) -> tuple[str, ...]:
    words = value.split("+") if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        raise TypeError(f"{name}: must be a text such as POST+PUT, or a list of them")
    return tuple(_text(name, word) for word in words)


_READERS: dict[str, Callable[[str, object], Any]] = {
    "kind": _text,
    "share": _number,
    "methods": _methods,
    "path": _text,
    "after": _whole,
    "count": _count,
    "status": _whole,
    "delay": _number,
    "wait": _number,
}


def from_words(text: str) -> Fault:
    """Make a fault of `KIND` or `KIND,share=0.1,methods=POST+PUT,after=3,count=1,status=502,delay=4,path=/images`."""
    kind, *rest = text.split(",")
    pairs = [each.partition("=") for each in rest]
    return from_values({"kind": kind, **{name: value for name, _, value in pairs}})
