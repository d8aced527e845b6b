"""The witness: every call to the API in the order of its arrival, what was answered and whether it was carried out. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from ..api.messages import Call
    from ..config import Config

_LONGEST_BODY = 2000  # bytes that are kept as they came; of longer ones the digest


@dataclass(slots=True)
class Entry:
    """One call. `at` is seconds since 1970 on arrival; `status` what was sent, None while or where nothing was.

    `dropped` says that the caller got no whole answer, `committed` that the store changed, `fault` what went wrong on purpose.
    """

    n: int
    at: float
    app: str
    method: str
    path: str
    body: Any = None
    status: int | None = None
    dropped: bool = False
    committed: bool = False
    committed_at: float | None = None
    image_ids: list[int] = field(default_factory=list)
    fault: str | None = None

    def values(self) -> dict[str, Any]:
        """Return the entry for JSON."""
        return asdict(self)


class Log:
    """Holds the latest calls, as many as the settings say."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._entries: deque[Entry] = deque(maxlen=config.log_size)
        self.calls = 0

    def open(self, call: Call, now: float) -> Entry:
        """Begin an entry; what comes of the call is filled in later."""
        self.calls += 1
        entry = Entry(self.calls, now, call.app, call.method, call.target)
        if self._config.log:
            entry.body = _body(call)
            self._entries.append(entry)
        return entry

    def entries(self) -> list[Entry]:
        """Return the entries, the oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget all entries; numbers go on."""
        self._entries.clear()


def _body(call: Call) -> Any:
    if call.upload is not None:
        digest = sha256(call.upload.data).hexdigest()
        return {**(call.form or {}), "upload": call.upload.name, "bytes": len(call.upload.data), "sha256": digest}
    if call.form is not None:
        return call.form
    if not call.body:
        return None
    if len(call.body) > _LONGEST_BODY:
        return {"bytes": len(call.body), "sha256": sha256(call.body).hexdigest()}
    try:
        return orjson.loads(call.body)
    except orjson.JSONDecodeError:
        return call.body.decode(errors="replace")
