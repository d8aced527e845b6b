"""What the user allows the gate, and what the gate can tell of itself. Shapes only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user allows (contract.md, the flags of the same names); times in seconds.

    `concurrency` None: found by itself. `rate`: calls a second at most, None: no such bound. `quota_share`: 0 to 1.
    `timeout` is how long one call may take: a create makes the store fetch a picture, and clients that sync images for a living
    wait 60 s and more (store-api.md section 4).
    """

    concurrency: int | None = None
    rate: float | None = None
    quota_share: float = 1.0
    give_up_after: float = 600.0
    stall_after: float = 120.0
    timeout: float = 100.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What has gone through the gate; times in seconds.

    `requests` counts every call sent, tries included, `throttled` the 429s among the answers, `retried` the calls sent once more.
    `rate` is answers a second over the last few seconds. `waiting_for` says why nothing moves and until when, None while it does.
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
