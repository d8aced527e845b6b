"""ForbiddenScope process can be seen from where: the pure rule behind `status`."""

from __future__ import annotations

import pytest

from imageferry.core.checkpoint.lock_info import ELSEWHERE, GONE, HERE, ProcessPlace, locate, process_place

FIRST = "pid:[4026531836]"
ME = ProcessPlace("shop", "machine-1", "boot-1", FIRST)


@pytest.mark.parametrize(
    ("there", "seen"),
    [
        (ME, HERE),
        (None, HERE),
        (ProcessPlace("shop", "machine-1", "boot-0", FIRST), GONE),
        (ProcessPlace("shop", None, "boot-0", FIRST), ELSEWHERE),
        (ProcessPlace("shop", "machine-2", "boot-0", FIRST), ELSEWHERE),
        (ProcessPlace("other", "machine-1", "boot-0", FIRST), ELSEWHERE),
        (ProcessPlace("shop", "machine-1", "boot-0", "pid:[4026532001]"), ELSEWHERE),
        (ProcessPlace("shop", "machine-1", "boot-1", "pid:[4026532001]"), ELSEWHERE),
        (ProcessPlace("4f0a", "machine-1", "boot-1", FIRST), HERE),
    ],
    ids=repr,
)
def test_a_process_is_called_gone_only_where_nothing_else_can_be(there: ProcessPlace | None, seen: str) -> None:
    """A machine of the same name and id that was started anew has lost its processes; any other can't be seen."""
    assert locate(there, ME) == seen


def test_where_a_system_tells_nothing_the_names_of_the_machines_decide() -> None:
    """No boot and no namespace is known on either side."""
    assert locate(ProcessPlace("shop"), ProcessPlace("shop")) == HERE
    assert locate(ProcessPlace("shop"), ProcessPlace("other")) == ELSEWHERE


@pytest.mark.parametrize("note", [{}, {"host": 5}, {"host": ""}, {"host": "x" * 999}], ids=repr)
def test_a_note_that_names_no_machine_says_nothing(note: dict[str, object]) -> None:
    """Notes of earlier versions have none."""
    assert process_place(note) is None


def test_a_place_survives_its_note() -> None:
    """Lock info reads back as written."""
    assert process_place(ME.row()) == ME
    assert process_place({"host": "shop", "boot": 5}) == ProcessPlace("shop")
