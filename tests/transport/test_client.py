"""The gate's manners, in virtual time, through a wire that plays back what a store might do."""

from __future__ import annotations

import asyncio
import math
import random
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from imageferry.core.errors import (
    ForbiddenError,
    LostError,
    MissingError,
    RefusedError,
    StoreError,
    UnreachableError,
    UnsentError,
)
from imageferry.core.messages import Request, Resend, Response
from imageferry.core.quota.stats import Limits
from imageferry.transport.client import ApiClient

from ..virtual import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

GET = Request("GET", "/v2/products/1/images")
POST = Request("POST", "/v2/products/1/images", body=b"{}")
GOOD = Response(200, {}, b"[]")


def rated(left: object, reset: object, status: int = 200, quota: object = 150, **more: str) -> Response:
    """Make an answer with rate headers."""
    headers = {
        "x-rate-limit-requests-quota": str(quota),
        "x-rate-limit-requests-left": str(left),
        "x-rate-limit-time-window-ms": "30000",
        "x-rate-limit-time-reset-ms": str(reset),
    }
    return Response(status, headers | {name.replace("_", "-"): value for name, value in more.items()}, b"[]")


class Script:
    """A wire that does what the script says, a step a call, and repeats the last step for ever.

    A step is an Answer, an exception, a number of seconds to hang, or a callable that makes one of them from the call's count.
    """

    def __init__(self, *steps: Any, delay: float = 0.1) -> None:
        self.steps = steps
        self.delay = delay
        self.sent: list[tuple[float, str]] = []

    async def __call__(self, request: Request) -> Response:
        step = self.steps[min(len(self.sent), len(self.steps) - 1)]
        self.sent.append((anyio.current_time(), request.path))
        if isinstance(step, int | float):
            await anyio.sleep(step)
            return GOOD
        await anyio.sleep(self.delay)
        if isinstance(step, StoreError):
            raise type(step)(step.reason)
        return step

    @property
    def gaps(self) -> list[float]:
        return [later[0] - earlier[0] for earlier, later in zip(self.sent, self.sent[1:], strict=False)]


def play(
    wire: Callable[[Request], Awaitable[Response]], scene: Callable[[ApiClient], Awaitable[Any]], **limits: Any
) -> tuple[Any, list[str]]:
    """Run a scene with a gate and its watch in virtual time; return the scene's result and what was said."""
    said: list[str] = []

    async def whole() -> Any:
        gate = ApiClient(
            wire,
            limits=Limits(**limits),
            explain=lambda answer: f"HTTP {answer.status}",
            chance=random.Random(7),
            say=said.append,
        )
        async with anyio.create_task_group() as background:
            background.start_soon(gate.run_watchdog)
            try:
                return await scene(gate)
            except StoreError as error:
                return error, gate.traffic()
            finally:
                background.cancel_scope.cancel()

    return run(whole), said


def one(request: Request = GET, replay: Resend = Resend.SAFE) -> Callable[[ApiClient], Awaitable[Any]]:
    """A scene of one call: its body and the traffic."""

    async def scene(gate: ApiClient) -> Any:
        return await gate.send(request, lambda answer: answer.body, replay), gate.traffic()

    return scene


def among_others(request: Request, replay: Resend) -> Callable[[ApiClient], Awaitable[Any]]:
    """A scene of one call beside others that go well."""

    async def scene(gate: ApiClient) -> Any:
        async def others() -> None:
            while True:
                await gate.send(Request("GET", "/fine"), lambda answer: answer.body)
                await anyio.sleep(5.0)

        async with anyio.create_task_group() as group:
            group.start_soon(others)
            outcome: Any = None
            try:
                outcome = await one(request, replay)(gate)
            except StoreError as error:
                outcome = error, gate.traffic()
            group.cancel_scope.cancel()
        return outcome

    return scene


def beside(wire: Script) -> Callable[[Request], Awaitable[Response]]:
    """A wire that serves /fine at once and all else by the script."""

    async def serve(request: Request) -> Response:
        if request.path == "/fine":
            await anyio.sleep(0.01)
            return GOOD
        return await wire(request)

    return serve


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207])
def test_any_2xx_is_read(status):
    """What `read` makes of a 2xx is what the caller gets."""
    (value, traffic), _ = play(Script(Response(status, {}, b"x")), one())
    assert value == b"x"
    assert (traffic.requests, traffic.retried, traffic.throttled) == (1, 0, 0)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_stop_everything_at_once(status):
    """One 401 or 403 fails its call and all that wait, in the line and on the bench; nothing more is sent."""
    wire = Script(Response(503, {}, b""), Response(503, {}, b""), Response(status, {}, b""), delay=0.5)

    async def scene(gate: ApiClient) -> Any:
        outcomes: list[BaseException] = []

        async def call() -> None:
            try:
                await gate.send(GET, lambda answer: answer)
            except StoreError as error:
                outcomes.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(call)
        sent = len(wire.sent)
        await call()
        return outcomes, sent

    (outcomes, sent), _ = play(wire, scene, concurrency=2)
    assert len(outcomes) == 31
    assert all(isinstance(error, ForbiddenError) and error.status == status for error in outcomes)
    assert len({id(error) for error in outcomes}) == 31
    assert sent == 3
    assert len(wire.sent) == sent


@pytest.mark.parametrize(
    ("step", "doubtful"),
    [
        (Response(423, {}, b""), False),
        (Response(429, {}, b""), False),
        (Response(504, {}, b""), True),
        (LostError("x"), True),
    ],
    ids=["423", "429", "504", "lost"],
)
def test_a_failure_tells_whether_an_earlier_sending_may_have_happened(step, doubtful):
    """A 404 after a 504 may be our own doing; after a 423 it is somebody else's."""
    (error, _), _ = play(Script(step, Response(404, {}, b"")), one())
    assert isinstance(error, MissingError)
    assert error.may_have_happened is doubtful


def test_404_is_missing_and_not_tried_again():
    """A product or image that isn't there is a MissingError after one call."""
    (error, traffic), _ = play(Script(Response(404, {}, b"")), one())
    assert isinstance(error, MissingError)
    assert traffic.requests == 1


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 400, 405, 406, 413, 415, 422, 501, 505, 507])
def test_a_word_that_will_not_change_is_not_asked_for_again(status):
    """Such answers are RefusedError after one call, with the store's own words or, for 3xx, the way to mend it."""
    (error, traffic), _ = play(Script(Response(status, {"location": "https://elsewhere.example\r\nx"}, b"")), one())
    assert type(error) is RefusedError
    assert error.status == status
    assert traffic.requests == 1
    if status < 400:
        assert "--api-url" in str(error)
        assert "elsewhere.example" in str(error)
        assert "\n" not in str(error)


@pytest.mark.parametrize("replay", list(Resend), ids=lambda replay: replay.value)
@pytest.mark.parametrize(
    "step",
    [
        rated(0, 5000, 429),
        Response(429, {}, b""),
        Response(429, {"x-retry-after": "3"}, b""),
        Response(423, {}, b""),
        Response(409, {}, b""),
        UnsentError("no"),
    ],
    ids=["429", "bare 429", "429 with Retry-After", "423", "409", "unsent"],
)
def test_what_did_not_happen_is_tried_again_whatever_the_replay(step, replay):
    """A call that surely did nothing goes again, a create too, and its answer is the caller's."""
    wire = Script(step, step, GOOD)
    (value, traffic), _ = play(wire, one(POST, replay))
    assert value == b"[]"
    assert traffic.requests == len(wire.sent) == 3
    assert traffic.retried == 2
    assert traffic.throttled == (2 if isinstance(step, Response) and step.status == 429 else 0)


UNKNOWN = {
    **{str(status): Response(status, {}, b"") for status in (500, 502, 503, 504, 509, 520, 599, 100, 600)},
    "500 with a spent quota": rated(0, 5000, 500),
    "lost": LostError("reset"),
    "hangs": 1000.0,
}


@pytest.mark.parametrize("step", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_outcome_is_never_resent_without_a_look(step):
    """A create that may have happened is a LostError after one call."""
    wire = Script(step, GOOD)
    (error, traffic), _ = play(wire, one(POST, Resend.CHECK_FIRST))
    assert isinstance(error, LostError)
    assert traffic.requests == len(wire.sent) == 1


@pytest.mark.parametrize("step", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_outcome_of_a_harmless_call_is_tried_again(step):
    """What may be sent twice is, until it goes well."""
    (value, traffic), _ = play(Script(step, step, GOOD), one())
    assert value == b"[]"
    assert traffic.requests == 3


def test_an_unreadable_answer_is_a_lost_one():
    """A 200 whose body can't be read goes again if it may, and is lost if it may not."""

    def read(answer: Response) -> bytes:
        if answer.body != b"[]":
            raise LostError("not JSON")
        return answer.body

    async def freely(gate: ApiClient) -> Any:
        return await gate.send(GET, read), gate.traffic()

    async def look(gate: ApiClient) -> Any:
        return await gate.send(POST, read, Resend.CHECK_FIRST), gate.traffic()

    assert play(Script(Response(200, {}, b"<html>"), GOOD), freely)[0][0] == b"[]"
    (error, traffic), _ = play(Script(Response(200, {}, b"<html>"), GOOD), look)
    assert isinstance(error, LostError)
    assert traffic.requests == 1


@pytest.mark.parametrize(
    ("step", "tries"),
    [
        (Response(503, {}, b""), 8),
        (Response(429, {}, b""), 8),
        (LostError("cut"), 8),
        (UnsentError("no"), 8),
        (Response(423, {}, b""), 5),
        (Response(409, {}, b""), 5),
    ],
    ids=["503", "bare 429", "lost", "unsent", "423", "409"],
)
def test_a_call_is_given_up_while_others_go_well(step, tries):
    """A call that alone fails again and again is refused, and its error says what was seen."""
    wire = Script(step)
    (error, _), _ = play(beside(wire), among_others(GET, Resend.SAFE))
    assert type(error) is RefusedError
    assert f"{tries} attempts" in str(error)
    assert len(wire.sent) == tries


@pytest.mark.parametrize(
    "step",
    [Response(503, {}, b""), Response(429, {}, b""), LostError("cut"), UnsentError("refused"), 1000.0],
    ids=["503", "bare 429", "lost", "unsent", "hangs"],
)
def test_while_nothing_goes_well_it_goes_on_until_patience_ends(step):
    """A store that is down is asked again with growing delays for `give_up_after`; then the run ends and says what was seen."""
    wire = Script(step)
    (error, traffic), said = play(wire, one(), give_up_after=600.0)
    assert isinstance(error, UnreachableError)
    assert "Last error" in str(error)
    assert wire.sent[-1][0] - wire.sent[0][0] + 61 + 100 >= 600
    assert len(wire.sent) >= 6
    assert traffic.in_flight == 0
    assert any("giving up after 600 s" in text for text in said)


def test_a_reset_that_is_not_believed_is_named_while_it_is_waited_and_at_the_end():
    """After a minute, and when patience ends: which call was turned away, and with which time."""
    (error, _), said = play(Script(rated(0, 31_536_000_000, 429)), one(), give_up_after=600.0)
    words = f"GET {GET.path}: 429 too many requests, and it names a reset in 365 days, which is implausible"
    assert type(error) is UnreachableError
    assert error.status == 429
    assert words in error.reason
    assert len(said) == 1
    assert words in said[0]


def test_patience_ends_for_all_at_once():
    """Everybody who waits is told that the store is out of reach; a create that was out is lost, not forgotten."""
    wire = Script(GOOD, 1000.0)

    async def scene(gate: ApiClient) -> Any:
        outcomes = []
        await gate.send(GET, lambda answer: answer)

        async def call(replay: Resend) -> None:
            try:
                await gate.send(GET, lambda answer: answer, replay)
            except StoreError as error:
                outcomes.append((type(error), anyio.current_time()))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(call, Resend.CHECK_FIRST if number % 2 else Resend.SAFE)
        return outcomes

    outcomes, _ = play(wire, scene, give_up_after=30.0, concurrency=4)
    assert [kind for kind, _ in outcomes].count(LostError) == 2
    assert [kind for kind, _ in outcomes].count(UnreachableError) == 18
    assert max(at for _, at in outcomes) - min(at for _, at in outcomes) < 1.0
    assert len(wire.sent) == 5


def test_an_answer_that_comes_after_the_end_is_still_the_callers():
    """A run that ends by a 401 lets the calls that are out finish: a success is a success, a 404 a 404."""
    answers = {
        "/stop": (0.2, Response(401, {}, b"")),
        "/well": (0.5, GOOD),
        "/gone": (0.5, Response(404, {}, b"")),
        "/first": (0.0, GOOD),
    }

    async def wire(request: Request) -> Response:
        delay, answer = answers[request.path]
        await anyio.sleep(delay)
        return answer

    async def scene(gate: ApiClient) -> Any:
        outcomes: dict[str, Any] = {}

        async def call(path: str) -> None:
            try:
                outcomes[path] = await gate.send(Request("GET", path), lambda answer: answer.status)
            except StoreError as error:
                outcomes[path] = type(error)

        await call("/first")
        async with anyio.create_task_group() as group:
            for path in ("/stop", "/well", "/gone"):
                group.start_soon(call, path)
        await call("/first")
        return outcomes

    outcomes, _ = play(wire, scene)
    assert outcomes == {"/stop": ForbiddenError, "/well": 200, "/gone": MissingError, "/first": ForbiddenError}


def test_a_wait_for_the_quota_is_no_silence():
    """A reset most of an hour away is waited for with a patience of ten seconds, and said with its reason."""
    wire = Script(rated(0, 3_000_000, 429), GOOD)
    (value, _), said = play(wire, one(), give_up_after=10.0)
    assert value == b"[]"
    assert 2999 < wire.gaps[0] < 3005
    assert len(said) == 1
    assert "waiting 50 min" in said[0]


@pytest.mark.parametrize("reset", ["31536000000", "-1", "NaN", "Infinity", "soon", "", "9" * 400, "0x10"])
def test_a_reset_beyond_belief_counts_as_a_bare_429(reset):
    """A year, a negative number, no number: the call backs off a little and nothing waits for it."""
    wire = Script(rated(0, reset, 429), GOOD)
    (value, traffic), said = play(wire, one())
    assert value == b"[]"
    assert wire.gaps[0] < 3.0
    assert traffic.throttled == 1
    assert said == []


@pytest.mark.parametrize(
    ("after", "reset", "least", "most"),
    [("20", "5000", 20, 21.5), ("5", "20000", 19.9, 21.5), ("NaN", "5000", 4.9, 6.5), ("-3", "5000", 4.9, 6.5)],
)
def test_the_longer_of_the_two_waits_is_kept(after, reset, least, most):
    """`X-Retry-After` (seconds) and `Reset-Ms` on one 429: the longer holds, for every call."""
    wire = Script(rated(0, reset, 429, x_retry_after=after), GOOD)
    play(wire, one())
    assert least <= wire.gaps[0] <= most


def test_retry_after_on_a_503_holds_its_call():
    """A store in maintenance that names a wait gets it."""
    wire = Script(Response(503, {"x-retry-after": "90"}, b""), GOOD)
    _, said = play(wire, one())
    assert wire.gaps[0] >= 90
    assert any("waiting 90 s" in text for text in said)


@pytest.mark.parametrize(
    "headers",
    [
        {"left": "NaN"},
        {"left": "-5"},
        {"left": "many"},
        {"left": ""},
        {"left": "1e300"},
        {"left": "99999999999999999999"},
        {"quota": "NaN"},
        {"quota": "0"},
        {"quota": "-1"},
        {"quota": "inf"},
        {"quota": "0.5"},
        {"reset": "NaN"},
        {"reset": "-1"},
        {"reset": "0"},
        {"reset": "31536000000"},
        {"reset": "3600000"},
        {"quota": "1", "left": "0"},
        {"left": "0", "reset": "0"},
    ],
    ids=str,
)
def test_absurd_headers_neither_crash_nor_stall(headers):
    """A hundred calls beside headers that make no sense are over within two hours of the store's time at the worst."""
    answer = rated(headers.get("left", "100"), headers.get("reset", "20000"), quota=headers.get("quota", "150"))
    wire = Script(answer)

    async def scene(gate: ApiClient) -> int:
        for _ in range(100):
            await gate.send(GET, lambda answer: answer)
        return gate.traffic().requests

    assert play(wire, scene)[0] == 100


def test_the_first_call_goes_alone():
    """Until an answer has shown the quota, nothing else is sent; then as many as are allowed."""
    wire = Script(rated(149, 30000), delay=1.0)

    async def scene(gate: ApiClient) -> int:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(gate.send, GET, lambda answer: answer)
            await anyio.sleep(0.9)
            return len(wire.sent)

    assert play(wire, scene)[0] == 1


def test_turns_are_taken_in_order():
    """Who asked first goes first."""
    wire = Script(GOOD)

    async def scene(gate: ApiClient) -> None:
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(gate.send, Request("GET", f"/{number:02}"), lambda answer: answer)
                await anyio.lowlevel.checkpoint()

    play(wire, scene, concurrency=3)
    paths = [path for _, path in wire.sent]
    assert paths == sorted(paths)


def test_a_call_that_hangs_is_cut():
    """A call without an answer within the time-out is lost, and its slot is free again."""
    wire = Script(1000.0, GOOD)

    async def scene(gate: ApiClient) -> Any:
        with pytest.raises(LostError, match="no answer within"):
            await gate.send(POST, lambda answer: answer, Resend.CHECK_FIRST)
        await gate.send(GET, lambda answer: answer)
        return gate.traffic().in_flight

    assert play(wire, scene, timeout=50.0, concurrency=1)[0] == 0
    assert 50 <= wire.gaps[0] <= 52


def test_a_stall_is_said_and_cut():
    """Where nothing comes back for `stall_after`, it is said what is out and since when, and those calls end."""
    wire = Script(GOOD, 1000.0, 1000.0, GOOD)

    async def scene(gate: ApiClient) -> Any:
        await gate.send(GET, lambda answer: answer)
        async with anyio.create_task_group() as group:
            group.start_soon(gate.send, GET, lambda answer: answer)
            group.start_soon(gate.send, GET, lambda answer: answer)
        return gate.traffic()

    traffic, said = play(wire, scene, stall_after=20.0, timeout=500.0)
    assert traffic.requests == 5
    assert traffic.retried == 2
    assert any("nothing has come back for 20 s" in text and GET.path in text and "1 more" in text for text in said)


def test_a_wait_for_the_quota_is_no_stall():
    """Nothing in flight, nothing stalled: a reset three minutes off brings one word about the wait and none about a stall."""
    _, said = play(Script(rated(0, 180_000, 429), GOOD), one(), stall_after=20.0)
    assert [text for text in said if "nothing has come back" in text] == []


@pytest.mark.parametrize("moment", [0.05, 0.15, 1.0, 7.0], ids=["in flight", "in line", "paced", "later"])
def test_cancellation_leaks_nothing(moment):
    """Calls cancelled in flight, in line or on the bench leave no slot taken: the next ones go."""
    wire = Script(rated(100, 20000), Response(503, {}, b""), rated(90, 15000))

    async def scene(gate: ApiClient) -> Any:
        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(gate.send, GET, lambda answer: answer)
            await anyio.sleep(moment)
            group.cancel_scope.cancel()
        left = gate.traffic()
        for _ in range(5):
            await gate.send(GET, lambda answer: answer)
        return left

    traffic = play(wire, scene, concurrency=4)[0]
    assert traffic.in_flight == 0


def test_a_cancelled_call_stays_charged_and_an_unsent_one_does_not():
    """What went out counts against the quota even if nobody waits for it; what never left is given back."""
    wire = Script(rated(149, 30000), 1000.0)

    async def scene(gate: ApiClient) -> Any:
        await gate.send(GET, lambda answer: answer)
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(gate.send, GET, lambda answer: answer)
            await anyio.sleep(5.0)
            group.cancel_scope.cancel()
        return gate.traffic()

    traffic = play(wire, scene, concurrency=2)[0]
    assert traffic.requests == 3
    assert traffic.left == 147


def test_a_turn_given_and_cancelled_in_one_moment_is_given_back():
    """A task that is cancelled between being let through and running holds neither slot nor charge."""
    wire = Script(rated(149, 30000, quota=100_000), delay=1.0)

    async def scene(gate: ApiClient) -> Any:
        await gate.send(GET, lambda answer: answer)
        before = gate.traffic().left
        first = asyncio.ensure_future(gate.send(GET, lambda answer: answer))
        await anyio.sleep(0.01)
        second = asyncio.ensure_future(gate.send(GET, lambda answer: answer))
        await anyio.sleep(0.01)
        first.add_done_callback(lambda _: second.cancel())
        await asyncio.wait([first, second])
        return before - gate.traffic().left, gate.traffic().in_flight, len(wire.sent), second.cancelled()

    taken, in_flight, sent, cancelled = play(wire, scene, concurrency=1)[0]
    assert cancelled
    assert in_flight == 0
    assert taken == sent - 1


def test_an_error_of_ours_passes_and_frees_its_slot():
    """A reader's bug is raised as it is; the gate goes on."""

    async def scene(gate: ApiClient) -> Any:
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await gate.send(GET, lambda answer: 1 / 0)
        return gate.traffic().in_flight

    assert play(Script(GOOD), scene, concurrency=1)[0] == 0


def test_traffic_tells_what_is_waited_for():
    """While the quota is spent, the reason and the time are told; while calls go, nothing is waited for."""
    wire = Script(rated(0, 20000), GOOD)

    async def scene(gate: ApiClient) -> Any:
        await gate.send(GET, lambda answer: answer)
        async with anyio.create_task_group() as group:
            group.start_soon(gate.send, GET, lambda answer: answer)
            await anyio.sleep(5)
            waiting = gate.traffic()
        return waiting, gate.traffic()

    (waiting, after), _ = play(wire, scene)
    assert "is used up; on in 15 s" in waiting.waiting_for
    assert 14 < waiting.resets_in < 16
    assert (waiting.quota, waiting.left, waiting.in_flight) == (150, 0, 0)
    assert after.waiting_for is None
    assert after.requests == 2


def test_traffic_tells_of_tries_to_come():
    """While all calls sit out a delay, what went wrong and when it goes on are told."""
    wire = Script(Response(503, {}, b""), GOOD)

    async def scene(gate: ApiClient) -> Any:
        async with anyio.create_task_group() as group:
            group.start_soon(gate.send, GET, lambda answer: answer)
            await anyio.sleep(0.2)
            return gate.traffic().waiting_for

    assert "HTTP 503" in play(wire, scene)[0]


def test_the_time_that_calls_take_can_be_told():
    """1,500 calls at 150 per 30 s are 300 s; at half the share twice that; a ceiling below it counts."""

    async def scene(gate: ApiClient) -> float:
        await gate.send(GET, lambda answer: answer)
        return gate.seconds_for(1500)

    assert math.isclose(play(Script(rated(149, 30000)), scene)[0], 300.0)
    assert math.isclose(play(Script(rated(149, 30000)), scene, quota_share=0.5)[0], 600.0)
    assert math.isclose(play(Script(rated(149, 30000)), scene, rate=1.0)[0], 1500.0)


def test_delays_differ_by_chance_alone():
    """The same seed gives the same run: nothing but the generator that was passed in is random."""
    runs = []
    for _ in range(2):
        wire = Script(Response(503, {}, b""), Response(503, {}, b""), LostError("x"), GOOD)
        play(wire, one())
        runs.append(wire.sent)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("cut_first", [True, False], ids=["cut first", "cancelled first"])
def test_a_cut_and_a_cancellation_of_one_moment(cut_first):
    """The caller's own cancellation wins over a time-out of the same moment, and neither is left hanging about the task."""
    wire = Script(1000.0)

    async def scene(gate: ApiClient) -> Any:
        scope = anyio.CancelScope()

        async def both() -> None:
            await anyio.sleep(5.0)
            steps = [lambda: gate._in_flight.abort(anyio.current_time(), 0.0), scope.cancel]
            for step in steps if cut_first else reversed(steps):
                step()

        async with anyio.create_task_group() as group:
            group.start_soon(both)
            with scope:
                await gate.send(GET, lambda answer: answer)
        task = asyncio.current_task()
        await anyio.sleep(1.0)
        return scope.cancelled_caught, task.cancelling(), gate.traffic().in_flight

    assert play(wire, scene)[0] == (True, 0, 0)


def test_the_rate_is_that_of_late():
    """Ten calls a second for five seconds are told as such, and as nothing a minute later."""

    async def scene(gate: ApiClient) -> Any:
        for _ in range(50):
            await gate.send(GET, lambda answer: answer)
        lately = gate.traffic().rate
        await anyio.sleep(60.0)
        return lately, gate.traffic().rate

    lately, after = play(Script(GOOD, delay=0.1), scene)[0]
    assert 9.5 < lately < 10.5
    assert after == 0.0
