"""The one door to the store: every call of the engine goes through `ApiClient.send`, and nothing else sends.

Decides nothing by itself: quota.py says when, flow.py how many at once, retry.py what next; turnstile.py keeps the line, flights.py
what is out. Here they meet. Knows no HTTP library: the wire is a callable. The clock is the running loop's, chance is passed in.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import anyio
from aiolimiter import AsyncLimiter

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
from ..core.messages import Resend
from ..core.quota.concurrency import MAX_LIMIT, ConcurrencyLimit
from ..core.quota.controller import QuotaController
from ..core.quota.headers import read_headers, read_retry_after
from ..core.quota.outage import OutageTimer
from ..core.quota.permissions import ForbiddenScope, TokenPermissions
from ..core.quota.retry import (
    MAY_HAVE_HAPPENED,
    UNUSABLE,
    Decision,
    Outcome,
    classify_response,
    decide,
    delay_before,
    given_up,
)
from ..core.quota.stats import Limits, Traffic
from .admission import AdmissionQueue
from .backoff import BackoffQueue
from .in_flight import InFlight
from .unsent import NotSent

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from ..core.messages import Request, Response
    from ..core.quota.controller import Permit

    Transport: TypeAlias = Callable[[Request], Awaitable[Response]]

__all__ = ["MOST_WORKERS", "ApiClient", "Limits", "Traffic"]

T = TypeVar("T")

# Bounds what is found by itself; `--concurrency` may go over it.
MOST_WORKERS = MAX_LIMIT
# A 5xx that is the store's last word on a call, no sign of trouble.
LAST_WORDS = frozenset({501, 505, 507})
# Workers also wait for their turn and for the disk, and none is missing when the bound grows: the more of them a group sync
# covers, the less of it each call has to bear.
SPARE = 4
# The watch looks so often, in seconds; time-outs are that much late at most.
SCAN = 1.0
# A watch that comes so many seconds later than it asked for was not late: this process did not run (Ctrl-Z, a debugger, a
# machine that slept). A clock that stands still meanwhile needs nothing: then no time has passed for anybody here.
GAP = 1.0
# Over these last seconds and answers `Traffic.rate` is taken.
LATELY = 10.0
REMEMBERED = 1024


class ApiClient:
    """The one door. `explain` words an answer that is no success; `say` is told what a person at the terminal should know.

    `watch` has to run beside the calls: without it nothing times out.
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
        """`plain_read` is asked where a 403 may concern the credentials or one product; `wall` tells seconds since 1970."""
        self._limits, self._explain, self._random, self._say = limits, explain, chance, say
        self._plain_read, self._wall = plain_read, wall
        self._rights = TokenPermissions()
        self._looked_at, self._gap, self._gap_over = math.inf, 0.0, -math.inf
        self._quota = QuotaController(limits.quota_share)
        self._concurrency = ConcurrencyLimit(limits.concurrency)
        self._admission = AdmissionQueue(self._quota, self._concurrency, say)
        self._in_flight = InFlight(transport)
        self._ceiling = None if limits.rate is None else _small_bucket(limits.rate)
        self._single_file = asyncio.Lock()
        self._backoff = BackoffQueue(say)
        self._outage = OutageTimer(limits.give_up_after)
        self._broken: StoreError | None = None
        self._requests = self._throttled = self._retried = self._usable = 0
        self._answers: deque[float] = deque(maxlen=REMEMBERED)
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
                        return self._taken(read(answer))
                    kind, failure = await self._judged(request, answer, own=own)
                except CannotConnectError as error:
                    raise self._final(Decision.STOP, error, tries, request) from None
                except UnsentError as error:
                    kind, failure = Outcome.UNSENT, error
                except LostError as error:
                    kind, failure = Outcome.LOST, error
                doubtful = doubtful or kind in MAY_HAVE_HAPPENED
                heard += self._note(kind, failure, request)
                move = decide(kind, replay, tries, other_calls_succeed=self._usable - before > heard)
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

    def _taken(self, value: T) -> T:
        self._heard()
        self._rights.granted(self._in_flight.last_response_at)
        return value

    async def _judged(self, request: Request, answer: Response, *, own: bool) -> tuple[Outcome, StoreError]:
        """What an answer that is no success comes to; a 403 is the credentials', or one product's own."""
        kind, _, failure = classify_response(answer, self._explain, self._now_outside())
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
        delay = delay_before(tries, self._random, write=request.method != "GET", asked=failure.after)
        try:
            await self._backoff.sleep(delay, failure.reason)
        except asyncio.CancelledError as error:
            raise NotSent(*error.args) from error
        self._retried += 1

    async def _admitted(self) -> Permit:
        try:
            if self._ceiling is None:
                return await self._admission.acquire()
            # Single file: permits bought ahead would all be spent at once when a window opens.
            async with self._single_file:
                await self._ceiling.acquire()
                return await self._admission.acquire()
        except asyncio.CancelledError as error:
            raise NotSent(*error.args) from error

    async def _attempt(self, request: Request) -> Response:
        ticket = await self._admitted()
        self._looked_at = min(self._looked_at, ticket.sent)
        self._requests += 1
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
        sent = min(now, ticket.sent + self._gap) if ticket.sent < self._gap_over else ticket.sent
        reading = read_headers(answer.headers)
        throttled = answer.status == 429
        good = not throttled and (answer.status < 500 or answer.status in LAST_WORDS)
        wait = None if good else read_retry_after(answer.headers, self._now_outside())
        self._quota.record_response(ticket, now, reading, good=good, throttled=throttled, wait=wait)
        self._mind_outage(ticket, now, answer.status, good=good, wait=wait)
        if good or (throttled and reading is not None):
            self._concurrency.on_response(sent, now)
        else:
            self._concurrency.on_error(sent, now)
        self._concurrency.set_quota(self._quota.quota, self._quota.window)
        self._throttled += throttled
        self._answers.append(now)

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
        if kind not in UNUSABLE:
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
        """Time in which this process did not run is no silence of the store's: answers may lie in the sockets, unread."""
        gap = now - self._looked_at - SCAN
        if gap > GAP:
            self._gap, self._gap_over = gap, now
            self._outage.slept(now, gap)
            self._in_flight.slept(now, gap)
        self._looked_at = now

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
        return given_up(failure, tries) if move is Decision.FAIL else failure

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

    @property
    def workers(self) -> int:
        """How many workers are worth having now: SPARE times what may be in flight, MOST_WORKERS at most, `--concurrency` if given."""
        return self._limits.concurrency or min(MOST_WORKERS, SPARE * self._concurrency.limit)

    @property
    def useful_workers(self) -> int:
        """As `workers`, for work that waits for nothing but its calls: a place each in flight, and who sits out a delay.

        A call that has to line up costs another wake-up, so that no more come than can go.
        """
        return min(self.workers, self._concurrency.limit + len(self._backoff))

    @property
    def requests(self) -> int:
        """Calls sent so far, tries included."""
        return self._requests

    def set_remaining(self, calls: int | None) -> None:
        """Tell how many calls are left to the run, if that is known: where they all fit the room, they needn't be spread."""
        self._quota.remaining = calls
        self._admission.dispatch()

    def seconds_for(self, calls: int) -> float:
        """How long so many calls take at least: at the quota in force, else at what is in flight over its latency."""
        unled = (
            self._concurrency.limit / self._concurrency.latency
            if self._quota.pace is None and self._concurrency.latency
            else None
        )
        known = [rate for rate in (self._quota.pace, unled, self._limits.rate) if rate]
        return calls / min(known) if known else 0.0

    def traffic(self) -> Traffic:
        """Tell what went through so far; cheap enough to be asked several times a second."""
        now = loop_time()
        quota = self._quota
        recent = sum(at > now - LATELY for at in self._answers)
        shortest = 1.0 if recent < REMEMBERED else 0.001
        span = min(LATELY, max(shortest, now - self._answers[0])) if recent else LATELY
        return Traffic(
            requests=self._requests,
            throttled=self._throttled,
            retried=self._retried,
            in_flight=self._admission.in_flight,
            quota=quota.quota,
            left=quota.left,
            resets_in=quota.resets_in(now),
            rate=recent / span,
            waiting_for=self._waiting_for(now),
            latency=self._concurrency.latency,
        )

    def _waiting_for(self, now: float) -> str | None:
        if self._admission.in_flight:
            return None
        due = self._admission.waits_until(now)
        if due is not None:
            return f"{self._admission.reason(now)}; on in {due - now:.0f} s"
        if (first := self._backoff.next()) is not None:
            return f"trying again in {max(0.0, first[0] - now):.0f} s: {first[1]}"
        return None


def describe_call(request: Request, failure: StoreError) -> str:
    """What was seen, with the call that it was seen at: what a sentence that ends a run has to name."""
    call = f"{request.method} {request.path}"
    if failure.reason.startswith(call):
        return failure.reason
    return f"{call}: {failure.status} {failure.reason}" if failure.status else f"{call}: {failure.reason}"


def _small_bucket(rate: float) -> AsyncLimiter:
    """Make the user's own ceiling: a bucket of a hundredth of a second, for a large one lets twice its size through at first."""
    size = max(1.0, rate / 100)
    return AsyncLimiter(size, size / rate)
