"""What a peer is told, and what it tells."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

WIRE = "the wire alone"
"""imageferry's own client in a bare loop: what of its figure is the client, and what the rest."""


@dataclass(slots=True, frozen=True)
class Task:
    """The work: list products 1 to N, then create `images` for each. Under a quota: `quota` calls per `window` seconds.

    `latency` is what a call is known to take, so that a peer can choose its concurrency as well as a person would who measured it.
    """

    peer: str
    api_url: str
    store_hash: str
    access_token: str
    products: int
    images: int = 0
    quota: int | None = None
    window: float = 3.0
    latency: float = 0.0
    limit: float | None = None

    def bodies(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Every create: product and fields."""
        for product_id in range(1, self.products + 1):
            for n in range(1, self.images + 1):
                url = f"https://pictures.example.com/media/product-{product_id}-{n}.jpg"
                yield (
                    product_id,
                    {"image_file": url, "description": f"View {n}", "sort_order": n - 1, "is_thumbnail": n == 1},
                )

    @property
    def concurrency(self) -> int:
        """Calls in flight: 32 without a quota (performance.md section 2), else twice what quota and latency ask for, at least 8."""
        return 32 if self.quota is None else max(8, round(2 * self.quota / self.window * self.latency))


@dataclass(slots=True)
class Tally:
    """What was done: images listed and created, calls sent, 429s among the answers."""

    listed: int = 0
    created: int = 0
    requests: int = 0
    throttled: int = 0
    began: float = field(default_factory=time.time)
    _clock: float = field(default_factory=time.perf_counter)
    _cpu: float = field(default_factory=time.process_time)

    def late(self, limit: float | None) -> bool:
        """Whether the time that was given is over."""
        return limit is not None and time.perf_counter() - self._clock > limit

    def told(self) -> dict[str, Any]:
        """The figures, start-up not counted."""
        return {
            "listed": self.listed,
            "created": self.created,
            "requests": self.requests,
            "throttled": self.throttled,
            "wall": time.perf_counter() - self._clock,
            "cpu": time.process_time() - self._cpu,
            "began": self.began,
            "ended": time.time(),
        }
