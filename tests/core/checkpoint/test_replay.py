"""Reading a journal back quickly comes to what folding its every event comes to, and believes no less of its seals."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageferry.core.checkpoint.events import Event, outcome, sent
from imageferry.core.checkpoint.ledger import Ledger
from imageferry.core.checkpoint.records import seal
from imageferry.core.checkpoint.replay import replay
from imageferry.core.checkpoint.states import TRANSITIONS, State
from imageferry.core.errors import CheckpointError

FAILURE = {"image_file": "a.jpg", "line": 1, "reason": "refused", "status": 422}
OF_CHANGES = ("sent", "confirmed", "refused", "deferred", "lost", "found", "absent")
KINDS = (*OF_CHANGES * 4, "finished", "failed", "settled")
CHANGES = ("create:0", "update:7", "delete:8")
Step = tuple[int, str, int]
STEPS = st.lists(st.tuples(st.sampled_from((1, 12)), st.sampled_from(CHANGES), st.integers(0, 59)), max_size=60)


def damaged(number: int, what: str) -> CheckpointError:
    """A fault with its line before it."""
    return CheckpointError(f"line {number}: {what}")


def event_of(product_id: int, key: str, kind: str, ledger: Ledger, made: int) -> Event | None:
    """Return the event that a product's run would journal, None if it cannot occur."""
    course = ledger.course(product_id)
    finished = product_id in ledger.finished
    if kind == "settled":
        return {"event": kind, "product_id": product_id} if finished else None
    if finished and product_id not in ledger.failures:
        return None
    if kind in {"finished", "failed"}:
        # A source may be called anything.
        images = {',"counts":[9,9,9,9]': [5, None], "counts": [9, 9]}
        event: Event = {"event": "finished", "product_id": product_id, "images": images, "counts": course.counts()}
        return event | ({"failures": [FAILURE | {"product_id": product_id}]} if kind == "failed" else {})
    change = course.changes.get(key)
    if (change.state if change else State.PLANNED, kind) not in TRANSITIONS:
        return None
    if kind == "sent":
        return sent(product_id, key, fields={"sort_order": 1})
    return outcome(kind, product_id, key, image_id=100 + made)


def history(steps: list[Step]) -> list[bytes]:
    """A journal's lines: at each step one of the events that may come then."""
    ledger, lines = Ledger(keep_all=True), list[bytes]()
    for product_id, key, chosen in steps:
        possible = [
            event for kind in KINDS if (event := event_of(product_id, key, kind, ledger, len(lines))) is not None
        ]
        if possible:
            event = possible[chosen % len(possible)]
            ledger.apply(event)
            lines.append(seal(event))
    return lines


@pytest.mark.parametrize("whole", [False, True], ids=["in short", "whole"])
@given(steps=STEPS)
def test_a_journal_read_quickly_comes_to_what_all_its_events_come_to(whole: bool, steps: list[Step]) -> None:
    """Sums, courses, failures and doubts are the same, whatever was passed over on the way."""
    lines = history(steps)
    folded, quick = Ledger(keep_all=whole), Ledger(keep_all=whole)
    for line in lines:
        folded.apply(orjson.loads(line))
    assert replay(lines, quick, damaged, whole=whole) == sum(map(len, lines))
    for told in ("totals", "courses", "finished", "was_unconfirmed", "failures"):
        assert getattr(quick, told) == getattr(folded, told)


DONE = [
    sent(1, "create:0"),
    outcome("confirmed", 1, "create:0", image_id=5),
    {"event": "finished", "product_id": 1, "images": {"a": [5, None]}, "counts": [1, 0, 0, 0]},
]


def test_a_product_that_finished_in_doubt_stays_in_doubt() -> None:
    """Its last look is still due: a create without an answer may have come to be after all."""
    ledger = Ledger()
    replay([seal(event) for event in [DONE[0], outcome("lost", 1, "create:0"), DONE[2]]], ledger, damaged)
    assert ledger.was_unconfirmed == {1}
    assert ledger.finished == ledger.courses.keys() == {1}


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("torn", [0, 1, 9], ids=["whole", "without its end", "half"])
def test_a_line_that_is_not_as_it_was_written_is_told_though_its_product_finished(at: int, torn: int) -> None:
    """No line is passed over unread: each one's seal is looked at, at the end alone it may be torn."""
    lines = [seal(event) for event in DONE]
    lines[at] = lines[at][:-torn] if torn else lines[at].replace(b"event", b"evenT", 1)
    if at == 2:
        assert replay(lines, Ledger(), damaged) == sum(map(len, lines[:2]))
        return
    with pytest.raises(CheckpointError, match=f"line {at + 2}: the line is not as it was written"):
        replay(lines, Ledger(), damaged)


@pytest.mark.parametrize(
    "line",
    [
        b"0}\n",
        b',"crc":0}\n',
        b'{"event":"started","at":1}\n',
        b'{"event":"started","at":1,"crc":}\n',
        b"\n",
    ],
)
def test_what_has_no_seal_is_not_whole(line: bytes) -> None:
    """Not even where what is there would be the checksum of nothing."""
    with pytest.raises(CheckpointError, match="line 2: the line is not as it was written"):
        replay([line, seal(DONE[0])], Ledger(), damaged)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "nonsense", "product_id": 1, "change": "create:0"},
        {"event": "nonsense"},
        {"event": "sent", "product_id": -1, "change": "create:0"},
        {"event": "finished", "product_id": 0, "images": {}, "counts": [1, 0, 0, 0]},
        {"event": "confirmed", "product_id": 2, "change": "create:0"},
    ],
    ids=["of no kind", "with nothing else", "of a product below 1", "finished and below 1", "of nothing sent"],
)
def test_a_sealed_event_that_can_not_be_is_refused_by_its_line(event: Event) -> None:
    """A hand wrote it."""
    with pytest.raises(CheckpointError, match="line 5: "):
        replay([seal(each) for each in [*DONE, event]], Ledger(), damaged)
