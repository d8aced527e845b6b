"""What one call goes through: the way up, the door, the quota, a fault if one is due, the store, the way down.

No sockets and no clock of its own: time is the running loop's (for waiting) and `clock`'s (for the store), pictures come
through `fetch`. So the whole store runs in virtual time, given a loop whose clock jumps.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email.utils import formatdate
from math import ceil
from random import Random
from typing import TYPE_CHECKING

from ..api.messages import Call, Reply, conflict, locked, of_gateway
from ..faults import Fault, Script
from .rate_limit import RateLimiter
from .request_log import Entry, Log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..api.v2 import Api
    from ..api.validation import Source
    from ..shop.rules import Picture

_GARBAGE = b"<!DOCTYPE html><html><body><h1>Please try again</h1></body></html>"
_BUSY = "Another request is changing this product."
_WRITES = frozenset({"POST", "PUT", "DELETE"})


@dataclass(slots=True)
class Served:
    """What the caller gets to see: a reply, a reply that breaks off in the middle, or (None) a closed connection."""

    reply: Reply | None
    cut: bool = False


@dataclass(slots=True)
class _InFlight:
    """One call on its way."""

    call: Call
    entry: Entry
    fault: Fault | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


class RequestPipeline:
    """Takes calls through the store."""

    def __init__(
        self,
        api: Api,
        fetch: Callable[[Source], Awaitable[Picture | None]],
        clock: Callable[[], float],
    ) -> None:
        self.api = api
        self.config = api.config
        self.fetch = fetch
        self.clock = clock
        self.meter = RateLimiter(api.config, clock())
        self.log = Log(api.config)
        self.script = Script(api.config.faults, api.config.seed)
        self._chance = Random(f"{api.config.seed}/latency")  # noqa: S311 - to be repeatable, not secret
        self._busy: set[str] = set()

    async def handle(self, call: Call) -> Served:
        """Return what the caller sees of the call, once it is time to see it."""
        half = self._half_way()
        if half:
            await asyncio.sleep(half)
        now = self.clock()
        course = _InFlight(call, self.log.open(call, now))
        outcome = self._turned_away(course, now) or await self._admitted(course)
        if half:
            await asyncio.sleep(half)
        fault = course.fault
        if fault is not None and fault.wait >= 0 and outcome.reply is not None and outcome.reply.status >= 400:
            outcome.reply.headers.append(self._named(fault.wait, self.clock(), standard=True))
        course.entry.status = None if outcome.reply is None else outcome.reply.status
        course.entry.dropped = outcome.reply is None or outcome.cut
        return outcome

    def _half_way(self) -> float:
        config = self.config
        if not (config.latency or config.jitter):
            return 0.0
        return (config.latency + config.jitter * self._chance.random()) / 2

    def _turned_away(self, course: _InFlight, now: float) -> Served | None:
        reply = self.api.turned_away(course.call)
        if reply is not None:
            return Served(reply)
        course.fault = self.script.pick(course.call.method, course.call.target)
        kind = course.entry.fault = course.fault.kind if course.fault else None
        if kind == "bare_429":
            return Served(of_gateway(429))
        if not self.meter.take(now):
            return self._throttled(now, 429)
        course.headers = self.meter.headers(now)
        return self._throttled(now, course.fault.answer) if course.fault and kind == "throttled" else None

    def _throttled(self, now: float, status: int) -> Served:
        reply = of_gateway(status)
        reply.headers = self.meter.headers(now)
        if self.config.retry_after:
            reply.headers.append(self._named(ceil(self.meter.reset_ms(now) / 1000), now))
        return Served(reply)

    def _named(self, seconds: float, now: float, *, standard: bool = False) -> tuple[str, str]:
        """Return the header in which a time to wait is named."""
        form = self.config.retry_after_form
        if form == "date":
            return ("Retry-After", formatdate(ceil(now + seconds), usegmt=True))
        return ("Retry-After" if standard or form == "seconds" else "X-Retry-After", str(ceil(seconds)))

    async def _admitted(self, course: _InFlight) -> Served:
        fault = course.fault
        outcome = await self._instead(course, fault) if fault else None
        if outcome is None:
            reply = await self._carried_out(course)
            outcome = await _spoilt(reply, fault) if fault else Served(reply)
        if outcome.reply is not None:
            outcome.reply.headers.extend(course.headers)
        return outcome

    async def _instead(self, course: _InFlight, fault: Fault) -> Served | None:
        """Play a fault that keeps the call from being carried out, or puts it off; None for any other."""
        match fault.kind:
            case "failed_before":
                return Served(of_gateway(fault.answer))
            case "locked":
                return Served(locked())
            case "conflict":
                return Served(conflict(_BUSY))
            case "dropped_before":
                return Served(None)
            case "hang":
                await asyncio.sleep(fault.seconds)
                return Served(None)
            case "late_commit":
                picture = await self._picture(course.call)
                asyncio.get_running_loop().call_later(fault.seconds, self._commit, course, picture)
                return Served(of_gateway(fault.answer))
        return None

    async def _carried_out(self, course: _InFlight) -> Reply:
        if course.call.method not in _WRITES:
            return self._commit(course, None)
        if self.config.parallel_writes == "allowed":
            return await self._written(course)
        product = course.call.target.partition("?")[0].partition("/images")[0]
        if product in self._busy:
            return conflict(_BUSY)
        self._busy.add(product)
        try:
            return await self._written(course)
        finally:
            self._busy.discard(product)

    async def _written(self, course: _InFlight) -> Reply:
        picture = await self._picture(course.call)
        if self.config.write_latency:
            await asyncio.sleep(self.config.write_latency)
        return self._commit(course, picture)

    async def _picture(self, call: Call) -> Picture | None:
        source = self.api.source(call)
        return None if source is None else await self.fetch(source)

    def _commit(self, course: _InFlight, picture: Picture | None) -> Reply:
        now = self.clock()
        reply = self.api.answer(course.call, now, picture)
        course.entry.image_ids = reply.image_ids
        if reply.committed:
            course.entry.committed, course.entry.committed_at = True, now
        return reply


async def _spoilt(reply: Reply, fault: Fault) -> Served:
    """Play a fault that spoils the answer to a call that was carried out."""
    match fault.kind:
        case "failed_after":
            return Served(of_gateway(fault.answer))
        case "dropped_after":
            return Served(None)
        case "cut_body":
            return Served(reply, cut=True)
        case "garbled":
            return Served(Reply(200 if reply.status == 204 else reply.status, _GARBAGE, "text/html"))
        case "slow":
            await asyncio.sleep(fault.seconds)
    return Served(reply)
