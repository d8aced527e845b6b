"""The one door to the store: every call of the engine goes through `Gate.call`, and nothing else sends.

Decides nothing by itself: quota.py says when, flow.py how many at once, retry.py what next; turnstile.py keeps the line, flights.py
what is out. Here they meet. Knows no HTTP library: the wire is a callable. The clock is the running loop's, chance is passed in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import anyio
from aiolimiter import AsyncLimiter

from .backoff import Bench
from .clock import loop_time
from .core.errors import CannotConnectError, LostError, StoppedError, StoreError, UnreachableError, UnsentError
from .core.exchange import Replay
from .core.flow import MOST, Flow
from .core.patience import Patience
from .core.quota import Quota
from .core.quota_headers import read_headers, read_retry_after
from .core.retry import MAY_HAVE_HAPPENED, UNUSABLE, Kind, Move, delay_before, given_up, judge, move_after
from .core.traffic import Limits, Traffic
from .flights import Flights
from .turnstile import Turnstile

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from .core.exchange import Answer, Request
    from .core.quota import Ticket

    Wire: TypeAlias = Callable[[Request], Awaitable[Answer]]

__all__ = ["MOST_WORKERS", "Gate", "Limits", "Traffic"]

T = TypeVar("T")

# Bounds what is found by itself; `--concurrency` may go over it.
MOST_WORKERS = MOST
# A 5xx that is the store's last word on a call, no sign of trouble.
LAST_WORDS = frozenset({501, 505, 507})
# Workers also wait for their turn and for the disk, and none is missing when the bound grows: the more of them a group sync
# covers, the less of it each call has to bear.
SPARE = 4
# The watch looks so often, in seconds; time-outs are that much late at most.
SCAN = 1.0
# Over these last seconds and answers `Traffic.rate` is taken.
LATELY = 10.0
REMEMBERED = 1024


class Gate:
    """The one door. `explain` words an answer that is no success; `say` is told what a person at the terminal should know.

    `watch` has to run beside the calls: without it nothing times out.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        limits: Limits,
        explain: Callable[[Answer], str],
        chance: random.Random,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._limits, self._explain, self._chance, self._say = limits, explain, chance, say
        self._quota = Quota(limits.quota_share)
        self._flow = Flow(limits.concurrency)
        self._turnstile = Turnstile(self._quota, self._flow, say)
        self._flights = Flights(wire)
        self._ceiling = None if limits.rate is None else _small_bucket(limits.rate)
        self._single_file = asyncio.Lock()
        self._bench = Bench(say)
        self._patience = Patience(limits.give_up_after)
        self._broken: StoreError | None = None
        self._requests = self._throttled = self._retried = self._usable = 0
        self._answers: deque[float] = deque(maxlen=REMEMBERED)

    async def call(self, request: Request, read: Callable[[Answer], T], replay: Replay = Replay.FREELY) -> T:
        """Send until there is an outcome, and return what `read` makes of a 2xx; `read` may raise LostError for an unreadable one.

        Raises:
            ForbiddenError: 401 or 403; every other call that waits fails with it, too.
            UnreachableError: no usable answer for `give_up_after`; as above.
            MissingError: 404.
            RefusedError: the store won't have it, or it was tried often enough while other calls went well.
            LostError: with Replay.LOOK alone: it may have happened.

        """
        tries, own, before = 0, 0, self._usable
        doubtful = False
        try:
            while True:
                tries += 1
                asked = None
                try:
                    answer = await self._send(request, again=tries > 1)
                    if 200 <= answer.status < 300:
                        value = read(answer)
                        self._heard()
                        return value
                    kind, asked, failure = judge(answer, self._explain)
                except CannotConnectError as error:
                    raise self._final(Move.STOP, error, tries, request) from None
                except UnsentError as error:
                    kind, failure = Kind.UNSENT, error
                except LostError as error:
                    kind, failure = Kind.LOST, error
                doubtful = doubtful or kind in MAY_HAVE_HAPPENED
                own += self._note(kind, failure, request)
                move = move_after(kind, replay, tries, others_go_well=self._usable - before > own)
                if move is not Move.AGAIN:
                    raise self._final(move, failure, tries, request)
                delay = delay_before(tries, self._chance, write=request.method != "GET", asked=asked)
                await self._bench.sit(delay, failure.reason)
                self._retried += 1
        except StoreError as error:
            error.doubtful = doubtful
            raise

    async def _send(self, request: Request, *, again: bool) -> Answer:
        if self._ceiling is None:
            ticket = await self._turnstile.enter(again=again)
        else:
            # Single file: permits bought ahead would all be spent at once when a window opens.
            async with self._single_file:
                await self._ceiling.acquire()
                ticket = await self._turnstile.enter(again=again)
        self._requests += 1
        if not self._patience.waits:
            self._patience.sent(ticket.sent, f"{request.method} {request.path}")
        try:
            answer = await self._flights.fly(ticket.number, request, ticket.sent)
            self._learn(ticket, answer, self._flights.moved_at)
        except BaseException as error:
            self._quota.died(ticket)
            if isinstance(error, StoreError):
                self._flow.trouble(ticket.sent, loop_time())
            raise
        finally:
            self._turnstile.leave()
        return answer

    def _learn(self, ticket: Ticket, answer: Answer, now: float) -> None:
        """Tell the controllers what came back."""
        reading = read_headers(answer.headers)
        throttled = answer.status == 429
        wait = read_retry_after(answer.headers) if throttled else None
        good = not throttled and (answer.status < 500 or answer.status in LAST_WORDS)
        self._quota.answered(ticket, now, reading, good=good, throttled=throttled, wait=wait)
        if good or (throttled and reading is not None):
            self._flow.answered(ticket.sent, now)
        else:
            self._flow.trouble(ticket.sent, now)
        self._flow.led_by(self._quota.quota, self._quota.window)
        self._throttled += throttled
        self._answers.append(now)

    def _heard(self) -> None:
        self._usable += 1
        self._patience.heard(self._flights.moved_at, waits_for_more=self._turnstile.in_flight > 0)

    def _note(self, kind: Kind, failure: StoreError, request: Request) -> bool:
        """Keep count of what was heard; tell whether it was usable."""
        if kind not in UNUSABLE:
            self._heard()
            return True
        self._patience.failed(naming(request, failure), failure.status)
        self._check_patience()
        return False

    def _check_patience(self) -> None:
        now = loop_time()
        if self._broken is not None:
            return
        if (why := self._patience.over(now)) is not None:
            self._break(UnreachableError(why, self._patience.status))
            self._flights.cut(now, 0.0)
        elif (word := self._patience.remark(now)) is not None:
            self._say(word)

    def _break(self, error: StoreError) -> None:
        """End the run: every call that waits fails with `error`, and so does every later one."""
        if self._broken is not None:
            return
        self._broken = error
        self._turnstile.shut(error)
        self._bench.shut(error)

    def _final(self, move: Move, failure: StoreError, tries: int, request: Request) -> StoreError:
        if move is Move.STOP:
            failure = type(failure)(naming(request, failure), failure.status)
            self._break(failure)
        return given_up(failure, tries) if move is Move.FAIL else failure

    def drain(self) -> None:
        """Turn away whoever waits, now and later, with StoppedError; what is in flight comes to its end."""
        self._break(StoppedError("the run was asked to stop"))

    async def watch(self) -> None:
        """Cut what takes too long, say what stalls, until cancelled."""
        self._flights.moved_at = loop_time()
        while True:
            await anyio.sleep(SCAN)
            word = self._flights.scan(loop_time(), self._limits.timeout, self._limits.stall_after)
            if word is not None:
                self._say(word)
            self._check_patience()

    @property
    def workers(self) -> int:
        """How many workers are worth having now: SPARE times what may be in flight, MOST_WORKERS at most, `--concurrency` if given."""
        return self._limits.concurrency or min(MOST_WORKERS, SPARE * self._flow.limit)

    @property
    def callers(self) -> int:
        """As `workers`, for work that waits for nothing but its calls: a place each in flight, and who sits out a delay.

        A call that has to line up costs another wake-up, so that no more come than can go.
        """
        return min(self.workers, self._flow.limit + len(self._bench))

    @property
    def requests(self) -> int:
        """Calls sent so far, tries included."""
        return self._requests

    def remaining(self, calls: int | None) -> None:
        """Tell how many calls are left to the run, if that is known: where they all fit the room, they needn't be spread."""
        self._quota.remaining = calls
        self._turnstile.pump()

    def seconds_for(self, calls: int) -> float:
        """How long so many calls take at least: at the quota in force, else at what is in flight over its latency."""
        unled = self._flow.limit / self._flow.latency if self._quota.pace is None and self._flow.latency else None
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
            in_flight=self._turnstile.in_flight,
            quota=quota.quota,
            left=quota.left,
            resets_in=quota.resets_in(now),
            rate=recent / span,
            waiting_for=self._waiting_for(now),
            latency=self._flow.latency,
        )

    def _waiting_for(self, now: float) -> str | None:
        if self._turnstile.in_flight:
            return None
        due = self._turnstile.waits_until(now)
        if due is not None:
            return f"{self._quota.reason(now)}; on in {due - now:.0f} s"
        if (first := self._bench.next()) is not None:
            return f"trying again in {max(0.0, first[0] - now):.0f} s: {first[1]}"
        return None


def naming(request: Request, failure: StoreError) -> str:
    """What was seen, with the call that it was seen at: what a sentence that ends a run has to name."""
    call = f"{request.method} {request.path}"
    if failure.reason.startswith(call):
        return failure.reason
    return f"{call}: {failure.status} {failure.reason}" if failure.status else f"{call}: {failure.reason}"


def _small_bucket(rate: float) -> AsyncLimiter:
    """Make the user's own ceiling: a bucket of a hundredth of a second, for a large one lets twice its size through at first."""
    size = max(1.0, rate / 100)
    return AsyncLimiter(size, size / rate)
