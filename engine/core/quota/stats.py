"""Limits set by the user, and figures of the API client.

Shapes only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits set by the user with the flags of the same names.

    Times in seconds (contract.md).

    `concurrency` None: automatic. `rate`: calls per second at most, None: unlimited. `quota_share`: 0 to 1. `timeout` covers
    one call: a create makes the store fetch an image, and clients that sync images regularly wait 60 s and more (store-api.md
    section 4).
    """

    concurrency: int | None = None
    rate: float | None = None
    quota_share: float = 1.0
    give_up_after: float = 600.0
    stall_after: float = 120.0
    timeout: float = 100.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Figures of the API client; times in seconds.

    `requests` counts every call sent, retries included, `throttled` the 429 responses, `retried` the retries. `rate` is
    responses per second over the last few seconds. `waiting_for` says why nothing moves and until when, None otherwise.
    """

    requests: int
    throttled: int
    retried: int
    in_flight: int
    quota: int | None
    left: int | None
    resets_in: float | None
    rate: float
    waiting_for: str | None
    latency: float | None
