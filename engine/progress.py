"""What a run tells while it runs: counters that anyone may read at any time, and a way to say a sentence.

The engine fills it in and never asks who reads it; by default nobody does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core.quota.stats import Traffic


@dataclass(slots=True, frozen=True)
class Snapshot:
    """Where a run stands; totals are None where they aren't known yet, images are those to be changed."""

    phase: str
    products_done: int
    products: int | None
    images_done: int
    images: int | None
    failures: int
    calls_left: int | None
    traffic: Traffic | None


class Progress:
    """Counters of one run. `say` is called with each sentence that a person should read at once."""

    def __init__(self, notify: Callable[[str], None] = lambda _: None) -> None:
        self.notify = notify
        self.phase = "starting"
        self.products_done = 0
        self.products: int | None = None
        self.images_done = 0
        self.images: int | None = None
        self.failures = 0
        self._calls_until = 0
        self._sent: Callable[[], int] | None = None
        self.traffic: Callable[[], Traffic] | None = None

    def start_phase(self, phase: str, *, products: int | None = None, images: int | None = None) -> None:
        """A new phase begins, with its own counts."""
        self.phase, self.products, self.images = phase, products, images
        self.products_done = self.images_done = 0

    def go_on(self, products_done: int, images_done: int) -> None:
        """Count on from what earlier processes of this run have done."""
        self.products_done, self.images_done = products_done, images_done

    def expect_calls(self, calls: int, sent: Callable[[], int]) -> None:
        """So many calls are ahead; `sent` tells how many have gone through the gate in all."""
        self._calls_until, self._sent = sent() + calls, sent

    def more(self, calls: int) -> None:
        """So many more calls than the plan knew of are ahead."""
        self._calls_until += calls

    def calls_left(self) -> int | None:
        """Calls that are still ahead, as far as the plan knew; None where no plan is under way."""
        return None if self._sent is None else max(0, self._calls_until - self._sent())

    def snapshot(self) -> Snapshot:
        """Where the run stands now."""
        return Snapshot(
            self.phase,
            self.products_done,
            _at_least(self.products, self.products_done),
            self.images_done,
            _at_least(self.images, self.images_done),
            self.failures,
            self.calls_left(),
            None if self.traffic is None else self.traffic(),
        )


def _at_least(total: int | None, done: int) -> int | None:
    """A total that more than was planned never exceeds: mending writes images that the plan did not name."""
    return None if total is None else max(total, done)


class Stop:
    """Asked once, a run takes in no more work and finishes the calls in flight; asked twice, it is cut."""

    def __init__(self) -> None:
        self.stopping = False
        self.reason: str | None = None
        self._on_stop: list[Callable[[], None]] = []
        self._on_abort: list[Callable[[], None]] = []

    def on_stop(self, act: Callable[[], None]) -> None:
        """Have something woken when draining begins."""
        self._on_stop.append(act)

    def on_abort(self, act: Callable[[], None]) -> None:
        """Have something cancelled by the second asking."""
        self._on_abort.append(act)

    def stop(self, reason: str) -> None:
        """The run itself stops early, for a reason that the report gives; a second asking is still to come."""
        self.reason = self.reason or reason
        self.stopping = True
        for act in self._on_stop:
            act()

    def request(self) -> None:
        """Ask the run to stop; the second time it is cut."""
        acts = self._on_abort if self.stopping else self._on_stop
        self.stopping = True
        for act in acts:
            act()
