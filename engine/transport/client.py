"""Sends every call of the engine: `ApiClient.send` is the one way to the store.

It decides nothing: core/quota says when a call may go, how many at once, and what follows a response; `AdmissionQueue` holds the
calls that wait, `InFlight` those that are out. No HTTP library is known here: the transport is a callable.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import anyio

from ..clock import loop_time
from ..core.errors import (
    CannotConnectError,
    LostError,
    RefusedError,
    StoppedError,
    StoreError,
    UnreachableError,
    UnsentError,
)
from ..core.messages import Resend, describe_call
from ..core.quota import retry
from ..core.quota.concurrency import ConcurrencyLimit
from ..core.quota.controller import QuotaController
from ..core.quota.headers import read_headers, read_retry_after
from ..core.quota.outage import OutageTimer
from ..core.quota.permissions import ForbiddenScope, TokenPermissions
from ..core.quota.retry import Decision, Outcome
from ..core.quota.standstill import Standstill
from .admission import AdmissionQueue, RateCeiling
from .backoff import BackoffQueue
from .in_flight import InFlight
from .load import Load
from .unsent import NotSent

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from ..core.messages import Request, Response
    from ..core.quota.controller import Permit
    from ..core.quota.stats import Limits, Traffic

    Transport: TypeAlias = Callable[[Request], Awaitable[Response]]

T = TypeVar("T")

# The watch looks so often, in seconds; time-outs are that much late at most.
SCAN = 1.0


class ApiClient:
    """Send calls to one store. `explain` words a response that is no success; `say` gets what a person should know.

    `run_watchdog` must run beside the calls: without it nothing times out.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        limits: Limits,
        explain: Callable[[Response], str],
        chance: random.Random,
        say: Callable[[str], None] = lambda _text: None,
        plain_read: Request | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        """`plain_read` tells whether a 403 concerns the credentials or one product; `wall` returns seconds since 1970."""
        self._limits, self._explain, self._random, self._say = limits, explain, chance, say
        self._plain_read, self._wall = plain_read, wall
        self._rights = TokenPermissions()
        self._standstill = Standstill(SCAN)
        self._quota = QuotaController(limits.quota_share)
        self._concurrency = ConcurrencyLimit(limits.concurrency)
        self._admission = AdmissionQueue(self._quota, self._concurrency, say)
        self._in_flight = InFlight(transport)
        self._ceiling = RateCeiling(limits.rate)
        self._backoff = BackoffQueue(say)
        self._outage = OutageTimer(limits.give_up_after)
        self._broken: StoreError | None = None
        self._load = Load(limits, self._quota, self._concurrency, self._admission, self._backoff)
        self._usable = 0
        self._unavailable = 0  # number of the newest call that was answered 503 with a time

    async def send(
        self, request: Request, read: Callable[[Response], T], replay: Resend = Resend.SAFE, *, own: bool = False
    ) -> T:
        """Send until there is an outcome, and return what `read` makes of a 2xx; `read` may raise LostError for an unreadable one.

        `own`: the call is about one product, which may be refused (403) while the credentials are good. Raises ForbiddenError
        or UnreachableError, with which every other call that waits fails, too; MissingError (404); RefusedError where the
        store won't have it, or it was tried often enough while other calls went well; with Replay.LOOK alone LostError: it
        may have happened; NotSent where it was cancelled and can't have happened.
        """
        tries, heard, before, doubtful = 0, 0, self._usable, False
        try:
            while True:
                tries += 1
                try:
                    answer = await self._attempt(request)
                    if 200 <= answer.status < 300:
                        value = read(answer)
                        self._heard()
                        self._rights.granted(self._in_flight.last_response_at)
                        return value
                    kind, failure = await self._judged(request, answer, own=own)
                except CannotConnectError as error:
                    raise self._final(Decision.STOP, error, tries, request) from None
                except UnsentError as error:
                    kind, failure = Outcome.UNSENT, error
                except LostError as error:
                    kind, failure = Outcome.LOST, error
                doubtful = doubtful or kind in retry.MAY_HAVE_HAPPENED
                heard += self._note(kind, failure, request)
                move = retry.decide(kind, replay, tries, other_calls_succeed=self._usable - before > heard)
                if move is not Decision.AGAIN:
                    raise self._final(move, failure, tries, request)
                await self._sit_out(request, failure, tries)
        except StoreError as error:
            error.may_have_happened = doubtful
            raise
        except NotSent as error:
            if doubtful:  # an earlier sending may have happened
                raise asyncio.CancelledError(*error.args) from error
            raise

    async def _judged(self, request: Request, answer: Response, *, own: bool) -> tuple[Outcome, StoreError]:
        """What an answer that is no success comes to; a 403 is the credentials', or one product's own."""
        kind, _, failure = retry.classify_response(answer, self._explain, self._now_outside())
        if answer.status != 403:
            return kind, failure
        whose = self._rights.refused(loop_time(), own=own, write=request.method != "GET")
        if whose is ForbiddenScope.UNKNOWN and self._plain_read is not None:
            with suppress(RefusedError, LostError):
                # A ForbiddenError ends the run, and it tells more of it than this answer.
                await self.send(self._plain_read, lambda _answer: None)
        elif whose is not ForbiddenScope.PRODUCT:
            return kind, failure
        return Outcome.REFUSED, RefusedError(failure.reason, answer.status)

    async def wait(self, seconds: float, reason: str) -> None:
        """Wait as a call does that is to be sent again later: the time that a store has named.

        Raises StoppedError, or what else ends the run, where that comes first.
        """
        await self._backoff.sleep(seconds, reason)

    async def _sit_out(self, request: Request, failure: StoreError, tries: int) -> None:
        delay = retry.delay_before(tries, self._random, write=request.method != "GET", asked=failure.after)
        try:
            await self._backoff.sleep(delay, failure.reason)
        except asyncio.CancelledError as error:
            raise NotSent(*error.args) from error
        self._load.retried += 1

    async def _admitted(self) -> Permit:
        try:
            return await self._ceiling.admit(self._admission.acquire)
        except asyncio.CancelledError as error:
            raise NotSent(*error.args) from error

    async def _attempt(self, request: Request) -> Response:
        ticket = await self._admitted()
        self._standstill.begin(ticket.sent)
        self._load.requests += 1
        if not self._outage.waits:
            self._outage.sent(ticket.sent, f"{request.method} {request.path}")
        try:
            answer = await self._in_flight.send(ticket.number, request, ticket.sent)
            self._learn(ticket, answer, self._in_flight.last_response_at)
        except BaseException as error:
            self._quota.record_loss(ticket)
            if isinstance(error, StoreError):
                self._concurrency.on_error(ticket.sent, loop_time())
            raise
        finally:
            self._admission.release()
        return answer

    def _learn(self, ticket: Permit, answer: Response, now: float) -> None:
        """Tell the controllers what came back; a call during which this process slept took that much less."""
        self._mind_gap(now)
        sent = self._standstill.without(ticket.sent, now)
        reading = read_headers(answer.headers)
        throttled = answer.status == 429
        good = retry.is_usable(answer.status)
        wait = None if good else read_retry_after(answer.headers, self._now_outside())
        self._quota.record_response(ticket, now, reading, good=good, throttled=throttled, wait=wait)
        self._mind_outage(ticket, now, answer.status, good=good, wait=wait)
        if good or (throttled and reading is not None):
            self._concurrency.on_response(sent, now)
        else:
            self._concurrency.on_error(sent, now)
        self._concurrency.set_quota(self._quota.quota, self._quota.window)
        self._load.answered(now, throttled=throttled)

    def _now_outside(self) -> float | None:
        return None if self._wall is None else self._wall()

    def _mind_outage(self, ticket: Permit, now: float, status: int, *, good: bool, wait: float | None) -> None:
        """A 503 that names a time holds everything until then, unless a call that was sent later is answered well."""
        if status == 503 and wait:
            self._unavailable = max(self._unavailable, ticket.number)
            self._admission.hold(now + wait)
            self._outage.excuse(now, wait)
        elif good and ticket.number > self._unavailable:
            self._admission.unhold()

    def _heard(self) -> None:
        self._usable += 1
        self._outage.on_response(self._in_flight.last_response_at, waits_for_more=self._admission.in_flight > 0)

    def _note(self, kind: Outcome, failure: StoreError, request: Request) -> bool:
        """Keep count of what was heard; tell whether it was usable."""
        if kind not in retry.UNUSABLE:
            self._heard()
            return True
        self._outage.failed(describe_call(request, failure), failure.status)
        self._check_patience()
        return False

    def _check_patience(self) -> None:
        now = loop_time()
        self._mind_gap(now)
        if self._broken is not None:
            return
        if (why := self._outage.expired(now)) is not None:
            self._break(UnreachableError(why, self._outage.status))
            self._in_flight.abort(now, 0.0)
        elif (word := self._outage.warning(now)) is not None:
            self._say(word)

    def _mind_gap(self, now: float) -> None:
        if gap := self._standstill.look(now):
            self._outage.slept(now, gap)
            self._in_flight.slept(now, gap)

    def _break(self, error: StoreError) -> None:
        """End the run: every call that waits fails with `error`, and so does every later one."""
        if self._broken is not None:
            return
        self._broken = error
        self._admission.close(error)
        self._backoff.close(error)

    def _final(self, move: Decision, failure: StoreError, tries: int, request: Request) -> StoreError:
        if move is Decision.STOP:
            failure = type(failure)(describe_call(request, failure), failure.status)
            self._break(failure)
        return retry.given_up(failure, tries) if move is Decision.FAIL else failure

    def close(self) -> None:
        """Turn away whoever waits, now and later, with StoppedError; what is in flight comes to its end."""
        self._break(StoppedError("the run was asked to stop"))

    async def run_watchdog(self) -> None:
        """Cut what takes too long, say what stalls, until cancelled."""
        self._in_flight.last_response_at = loop_time()
        self._mind_gap(loop_time())
        while True:
            await anyio.sleep(SCAN)
            self._mind_gap(loop_time())
            word = self._in_flight.check_timeouts(loop_time(), self._limits.timeout, self._limits.stall_after)
            if word is not None:
                self._say(word)
            self._check_patience()

    def set_remaining(self, calls: int | None) -> None:
        """Set how many calls are left to the run, None if unknown: calls that all fit the quota need not be spread."""
        self._quota.remaining = calls
        self._admission.dispatch()

    @property
    def workers(self) -> int:
        """See `Load.workers`."""
        return self._load.workers

    @property
    def useful_workers(self) -> int:
        """See `Load.useful_workers`."""
        return self._load.useful_workers

    @property
    def requests(self) -> int:
        """Calls sent so far, retries included."""
        return self._load.requests

    def seconds_for(self, calls: int) -> float:
        """See `Load.seconds_for`."""
        return self._load.seconds_for(calls)

    def traffic(self) -> Traffic:
        """See `Load.traffic`."""
        return self._load.traffic(loop_time())
