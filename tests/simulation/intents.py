"""Nothing is written to the store before its intent would survive a power cut: looked up on the platters at the moment of sending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from .judge import label_of

if TYPE_CHECKING:
    from pathlib import Path

    from .history import Sent
    from .manifests import Row
    from .platters import Inode, Platters


class Intents:
    """Reads what is durable of the journal as it grows, change by change: the last event of each."""

    def __init__(self, platters: Platters, journal: Path, complaints: list[str]) -> None:
        self._platters = platters
        self._journal = journal
        self._complaints = complaints
        self._inode: Inode | None = None
        self._read = b""
        self._last: dict[tuple[int, str], dict[str, Any]] = {}

    def check(self, sent: Sent, rows: list[Row]) -> None:
        """A write goes out now."""
        self._catch_up()
        key = self._key(sent, rows)
        last = self._last.get((sent.product, key))
        sent.intent = key
        if last is None or last["event"] != "sent":
            said = "no intent" if last is None else f"{last['event']!r} as the last word"
            self._complaints.append(
                f"intent: {sent.method} {sent.path} ({sent.source or key}) went out with {said} on the platters of {key} [call {sent.number}]"
            )
        elif sent.method == "PUT" and last.get("fields") != sent.body:
            self._complaints.append(
                f"intent: {sent.method} {sent.path} sent {sent.body}, the journal says {last.get('fields')}"
            )

    def _key(self, sent: Sent, rows: list[Row]) -> str:
        if sent.method == "POST":
            images: list[Row] = next((row["images"] for row in rows if row["product_id"] == sent.product), [])
            found = [n for n, image in enumerate(images) if label_of(image) == label_of(sent.body)]
            return f"create:{found[0] if found else '?'}"
        if sent.method == "PUT":
            return f"update:{sent.image}"
        return f"delete:{sent.image}" if sent.image else "empty"

    def _catch_up(self) -> None:
        inode, durable = self._platters.durable(self._journal)
        if inode is not self._inode or not durable.startswith(self._read):
            self._inode, self._read = inode, b""
            self._last.clear()
        fresh = durable[len(self._read) :]
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += whole
        for line in whole.splitlines():
            row = orjson.loads(line)
            if "change" in row:
                self._last[row["product_id"], row["change"]] = row
