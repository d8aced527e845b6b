"""How much work each part does: the sizes that the page shows, and tiny ones that only show that nothing has rotted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Sizes:
    """Sizes of all parts. `startups` are those of one round.

    `quota` calls per `window` seconds; beside bursts `burst_quota` per `burst_window`, for `burst_products`. `limit` ends
    the SDK's quota-bound runs, some of which would take all night; its share is told all the same.
    """

    listed: int = 5000
    created_products: int = 1250
    created_images: int = 4
    quota_products: int = 375
    quota_images: int = 4
    quota: int = 150
    window: float = 3.0
    burst_products: int = 1250
    burst_quota: int = 450
    burst_window: float = 30.0
    latencies: tuple[float, ...] = (0.02, 0.2, 0.8)
    limit: float = 24.0
    plan_products: int = 250_000
    plan_images: int = 4
    journal_calls: int = 100_000
    memory_products: int = 250_000
    startups: int = 20


FULL = Sizes()
TINY = Sizes(
    listed=40,
    created_products=10,
    created_images=2,
    quota_products=10,
    quota_images=3,
    quota=40,
    window=0.4,
    burst_products=10,
    burst_quota=40,
    burst_window=0.4,
    latencies=(0.02,),
    limit=5.0,
    plan_products=200,
    plan_images=2,
    journal_calls=200,
    memory_products=50,
    startups=2,
)
