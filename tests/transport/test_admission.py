"""Waits that the store names, and time in which this process stood still, as the gate bears them; in virtual time."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from imageferry.core.errors import ForbiddenError, LostError, RefusedError, StoreError, UnreachableError
from imageferry.core.messages import Request, Resend, Response
from imageferry.core.quota.stats import Limits
from imageferry.transport.client import ApiClient
from imageferry.transport.unsent import NotSent

from ..virtual import VirtualLoop, run
from .test_client import GET, GOOD, POST, Script

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

COUNT = Request("GET", "/v2/products/images/count")
PUT = Request("PUT", "/v2/products/1/images/1", body=b"{}")
NOW = 1792567680.0  # Wed, 21 Oct 2026 07:28:00 GMT


def play(
    wire: Callable[[Request], Awaitable[Response]], scene: Callable[[ApiClient], Awaitable[Any]], **limits: Any
) -> tuple[Any, list[str]]:
    """A scene with a gate, its watch, a plain read to ask and a wall clock that stands still."""
    said: list[str] = []

    async def whole() -> Any:
        gate = ApiClient(
            wire,
            limits=Limits(**limits),
            explain=lambda answer: f"HTTP {answer.status}",
            chance=random.Random(7),
            say=said.append,
            plain_read=COUNT,
            wall=lambda: NOW,
        )
        async with anyio.create_task_group() as background:
            background.start_soon(gate.run_watchdog)
            try:
                return await scene(gate)
            except StoreError as error:
                return error
            finally:
                background.cancel_scope.cancel()

    return run(whole), said


async def once(gate: ApiClient, request: Request = GET, replay: Resend = Resend.SAFE, *, own: bool = False) -> bytes:
    return await gate.send(request, lambda answer: answer.body, replay, own=own)


def outage(wait: str, status: int = 503) -> Response:
    return Response(status, {"retry-after": wait}, b"")


DATE = "Wed, 21 Oct 2026 07:33:00 GMT"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wait", ["300", DATE], ids=["seconds", "date"])
def test_a_retry_after_is_waited_for(status: int, wait: str) -> None:
    """As long as it says and not much longer; seconds or a date."""
    wire = Script(outage(wait, status), GOOD)
    _, said = play(wire, once)
    (gap,) = wire.gaps
    assert 300.0 <= gap < 305.0
    assert any("waiting 5 min" in word for word in said)


@pytest.mark.parametrize("wait", ["3601", "Wed, 21 Oct 2026 09:00:00 GMT", "soon", "-5"])
def test_a_retry_after_that_is_not_believed_counts_as_none(wait: str) -> None:
    """A 503 is tried again as one without it."""
    wire = Script(outage(wait), GOOD)
    play(wire, once)
    assert wire.gaps[0] < 5.0


def test_a_503_that_names_a_time_holds_everybody() -> None:
    """Of thirty calls no more than were out are sent before it; a create is not looked for earlier."""
    wire = Script(GOOD, *[outage("600")] * 8, GOOD)

    async def scene(gate: ApiClient) -> None:
        async def create() -> None:
            with suppress(LostError):
                await once(gate, POST, Resend.CHECK_FIRST)
                return
            await once(gate)

        await once(gate, COUNT)
        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(create if number % 2 else once, *(() if number % 2 else (gate,)))

    play(wire, scene)
    began = wire.sent[1][0]
    early = [at for at, _ in wire.sent[1:] if at < began + 600.0]
    assert len(early) <= 8


def test_a_503_about_one_call_holds_nobody_else_up() -> None:
    """A later call that is answered well shows that the store is there; the one call waits its time."""
    calls: list[tuple[float, str]] = []

    async def wire(request: Request) -> Response:
        calls.append((anyio.current_time(), request.path))
        await anyio.sleep(0.1)
        sick = request.path == GET.path and sum(path == GET.path for _, path in calls) == 1
        return outage("900") if sick else GOOD

    async def scene(gate: ApiClient) -> float:
        done = 0.0
        await once(gate, COUNT)
        async with anyio.create_task_group() as group:
            group.start_soon(once, gate)
            await anyio.sleep(0.05)
            for _ in range(20):
                await once(gate, COUNT)
                done = anyio.current_time()
        return done

    done, _ = play(wire, scene)
    sick = [at for at, path in calls if path == GET.path]
    assert done < calls[0][0] + 60.0
    assert sick[1] - sick[0] >= 900.0


def test_a_named_wait_is_no_silence_of_the_store() -> None:
    """Longer than --give-up-after, within the hour: waited for, and the run goes on."""
    result, _ = play(Script(outage("1800"), GOOD), once, give_up_after=60.0)
    assert result == GOOD.body


def test_a_store_that_names_one_wait_after_another_is_given_up() -> None:
    """An hour of them, and --give-up-after beyond it."""

    async def scene(gate: ApiClient) -> tuple[StoreError, float]:
        began = anyio.current_time()
        with pytest.raises(UnreachableError) as raised:
            await once(gate)
        return raised.value, anyio.current_time() - began

    (error, took), _ = play(Script(outage("600")), scene, give_up_after=60.0)
    assert "503" in str(error)
    assert 3600.0 <= took <= 3600.0 + 60.0 + 660.0


class Sockets:
    """A wire whose answers come after two seconds, and lie there while nobody reads them."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.sent = 0

    async def __call__(self, _request: Request) -> Response:
        self.sent += 1
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[None] = loop.create_future()
        loop.call_later(2.0, arrived.set_result, None)
        await arrived
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def stopped(seconds: float) -> None:
    """This process does not run for so long, the world does."""
    cast("VirtualLoop", asyncio.get_running_loop()).jump(seconds)


@pytest.mark.parametrize("status", [200, 503])
def test_a_process_that_stood_still_reads_its_answers_first(status: int) -> None:
    """An hour of Ctrl-Z: neither --give-up-after nor --stall-after nor the calls' time-out fires on waking."""
    wire = Sockets(*[Response(status, {}, b"[]")] * 4, GOOD)

    async def scene(gate: ApiClient) -> Any:
        asyncio.get_running_loop().call_later(1.5, stopped, 3600.0)
        results = []

        async def call() -> None:
            results.append(await once(gate, PUT))

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(call)
        return results

    result, said = play(wire, scene, give_up_after=60.0, stall_after=20.0)
    assert result == [b"[]"] * 4
    assert said == []
    assert wire.sent == (4 if status == 200 else 8)


def test_a_wall_clock_that_jumps_alone_changes_nothing() -> None:
    """A machine that slept: the engine's clock stood still with it, so that nothing has become late."""
    jumps = iter([NOW, NOW + 86400.0, NOW + 90000.0])

    async def whole() -> bytes:
        gate = ApiClient(
            Script(Response(503, {}, b""), GOOD),
            limits=Limits(give_up_after=60.0),
            explain=lambda answer: f"HTTP {answer.status}",
            chance=random.Random(7),
            wall=lambda: next(jumps),
        )
        async with anyio.create_task_group() as background:
            background.start_soon(gate.run_watchdog)
            value = await once(gate)
            background.cancel_scope.cancel()
        return value

    assert run(whole) == GOOD.body


def test_silence_before_and_after_a_standstill_still_counts() -> None:
    """A store that says nothing for --give-up-after of this process's own time is given up."""

    async def silent(_request: Request) -> Response:
        await anyio.sleep_forever()
        return GOOD

    async def scene(gate: ApiClient) -> float:
        began = anyio.current_time()
        asyncio.get_running_loop().call_later(30.0, stopped, 3600.0)
        with pytest.raises(UnreachableError):
            await once(gate)
        return anyio.current_time() - began

    took, _ = play(silent, scene, give_up_after=60.0)
    assert 3655.0 <= took <= 3670.0


@pytest.mark.parametrize("out", [True, False], ids=["on the wire", "in the line"])
def test_a_cancellation_tells_whether_the_call_was_sent(out: bool) -> None:  # a table
    """What waits for its turn when it is cut has not happened; what is out may have."""

    async def scene(gate: ApiClient) -> BaseException | None:
        ended: list[BaseException] = []

        async def call(request: Request) -> None:
            try:
                await once(gate, request, Resend.CHECK_FIRST)
            except BaseException as error:
                ended.append(error)
                raise

        async with anyio.create_task_group() as group:
            if not out:
                group.start_soon(call, COUNT)
                await anyio.sleep(0.01)
            group.start_soon(call, POST)
            await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        return ended[-1]

    error, _ = play(Script(1e9), scene, concurrency=1)
    assert isinstance(error, NotSent) is not out


@pytest.mark.parametrize(("status", "unsent"), [(429, True), (503, False)])
def test_a_call_that_sits_out_a_delay_was_not_sent_unless_it_may_have_been(
    status: int, unsent: bool
) -> None:  # a table
    """After a 429 nothing has happened; after a 503 of a delete it may have."""

    async def scene(gate: ApiClient) -> list[BaseException]:
        ended: list[BaseException] = []

        async def call() -> None:
            try:
                await once(gate, Request("DELETE", "/v2/products/1/images/1"))
            except BaseException as error:
                ended.append(error)
                raise

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.sleep(0.5)
            group.cancel_scope.cancel()
        return ended

    ((error,), _) = play(Script(Response(status, {}, b"")), scene)
    assert isinstance(error, asyncio.CancelledError)
    assert isinstance(error, NotSent) is unsent


FORBIDDEN = Response(403, {}, b"")


@pytest.mark.parametrize("request_", [POST, PUT, Request("DELETE", "/v2/products/1/images/1")], ids=str)
def test_a_403_on_a_write_is_that_products_own(request_: Request) -> None:
    """Once the token has worked; it is sent once, and the gate goes on."""

    async def scene(gate: ApiClient) -> int:
        await once(gate, COUNT)
        with pytest.raises(RefusedError) as raised:
            await once(gate, request_, own=True)
        assert (raised.value.status, raised.value.may_have_happened) == (403, False)
        await once(gate, COUNT)
        return gate.traffic().requests

    assert play(Script(GOOD, FORBIDDEN, GOOD), scene)[0] == 3


@pytest.mark.parametrize("plain", [GOOD, FORBIDDEN, Response(401, {}, b"")], ids=["taken", "403", "401"])
def test_a_403_on_a_read_is_asked_about(plain: Response) -> None:
    """Where a plain read of the store is refused as well it is the credentials', else that product's own."""

    async def scene(gate: ApiClient) -> str:
        await once(gate, COUNT)
        await anyio.sleep(60.0)
        try:
            await once(gate, GET, own=True)
        except StoreError as error:
            return type(error).__name__
        return "no error"

    wire = Script(GOOD, FORBIDDEN, plain)
    expected = RefusedError if plain is GOOD else ForbiddenError
    assert play(wire, scene)[0] == expected.__name__
    assert [path for _, path in wire.sent] == [COUNT.path, GET.path, COUNT.path]
