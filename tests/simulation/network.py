"""The network between engine and shop: the engine's Request becomes the sandbox's Call, its Outcome an Answer or a failure.

The shop's side of a call is a task of its own: it goes on when the caller has died. Each call is written down on its way.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson

from imageferry.core.errors import LostError, UnsentError
from imageferry.core.messages import Response
from imageferry.jobs.sandbox.api.messages import Call, UploadedFile

from .history import ACTOR, Sent
from .process import Crashed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextvars import Context

    from imageferry.core.messages import Request
    from imageferry.jobs.sandbox.api.messages import Reply
    from imageferry.jobs.sandbox.traffic.pipeline import RequestPipeline, Served
    from imageferry.options import Access
    from imageferry.transport.client import Transport

    from .process import Process


@dataclass
class Line:
    """The line to the shop as all processes share it: when it is down (from, until), and every call that went over it."""

    conductor: RequestPipeline
    store_hash: str
    outside: Context
    down: list[tuple[float, float]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    night: int = 0
    watch: Callable[[Sent], None] = lambda _sent: None

    def is_down(self, now: float) -> bool:
        return any(since <= now < until for since, until in self.down)


class SimWire:
    """The wire of one process. `crash_at` counts its steps: a call goes out, an answer comes in."""

    def __init__(self, line: Line, process: Process) -> None:
        self.line = line
        self.process = process
        self.steps = 0
        self.crash_at: tuple[int, Callable[[], None]] | None = None

    @asynccontextmanager
    async def open(self, access: Access) -> AsyncIterator[Transport]:
        """The replacement of the engine's HTTP session."""
        self._token = access.access_token
        yield self

    def _step(self) -> None:
        self.process.alive()
        self.steps += 1
        if self.crash_at is not None and self.steps == self.crash_at[0]:
            self.crash_at[1]()
            raise Crashed

    async def __call__(self, request: Request) -> Response:
        self._step()
        loop, line = self.process.loop, self.line
        sent = self._written_down(request)
        line.watch(sent)
        if line.is_down(loop.time()):
            sent.told, sent.told_at = "unsent", loop.time()
            raise UnsentError("the network is down")
        outcome = await self._carried(sent, self._call(request))
        self._step()
        sent.told_at = loop.time()
        if line.is_down(loop.time()) or outcome.reply is None or outcome.cut:
            sent.told = "lost"
            raise LostError(f"{request.method} {request.path}: the connection was lost")
        sent.told, sent.status = "answered", outcome.reply.status
        sent.usable = _is_usable(sent, outcome.reply)
        headers = {name.lower(): value for name, value in outcome.reply.headers}
        sent.asked = self._asked(headers)
        return Response(outcome.reply.status, headers, outcome.reply.body)

    def _asked(self, headers: dict[str, str]) -> float:
        """Return the wait in seconds that a response asks for."""
        text = headers.get("x-retry-after") or headers.get("retry-after") or "0"
        if text.isdigit():
            return float(text)
        return parsedate_to_datetime(text).timestamp() - self.process.loop.wall()

    async def _carried(self, sent: Sent, call: Call) -> Served:
        """The shop's side, which outlives the caller."""
        outside = self.line.outside.copy()
        outside.run(ACTOR.set, sent)
        answered: asyncio.Future[Served] = self.process.loop.create_future()

        async def serve() -> None:
            sent.arrived = True
            outcome = await self.line.conductor.handle(call)
            if not answered.done():
                answered.set_result(outcome)

        self.process.loop.create_task(serve(), context=outside)
        try:
            return await answered
        except asyncio.CancelledError:
            sent.told, sent.told_at = "cut", self.process.loop.time()
            raise

    def _written_down(self, request: Request) -> Sent:
        body: dict[str, Any] = orjson.loads(request.body) if request.body else dict(request.form or {})
        if request.upload is not None:
            body["image_file"] = request.upload.name
        parts = request.path.partition("?")[0].split("/")
        product = int(parts[3]) if len(parts) > 3 and parts[3].isdigit() else 0
        image = int(parts[5]) if len(parts) > 5 else 0
        number, now = len(self.line.sent) + 1, self.process.loop.time()
        sent = Sent(
            number, now, self.process.number, self.line.night, request.method, request.path, product, image, body
        )
        self.line.sent.append(sent)
        return sent

    def _call(self, request: Request) -> Call:
        target = f"/stores/{self.line.store_hash}{request.path}"
        call = Call(request.method, target, self._token, accept="application/json", app=f"engine {self.process.number}")
        if request.upload is not None:
            call.content_type, call.form = "multipart/form-data", request.form
            call.upload = UploadedFile(request.upload.name, request.upload.path.read_bytes())
        elif request.body is not None:
            call.content_type, call.body = "application/json", request.body
        return call


def _is_usable(sent: Sent, reply: Reply) -> bool:
    """Return True if the answer says what came of the call."""
    if reply.status >= 500:
        return reply.status in {501, 505, 507}
    if reply.status >= 300 or sent.verb in {"delete", "empty"}:
        return True
    return not reply.body.startswith(b"<") and (sent.verb == "get" or reply.body.startswith(b"{"))
