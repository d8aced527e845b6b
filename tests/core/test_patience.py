"""How long silence is borne."""

from engine.core.patience import Patience


def test_silence_counts_from_the_first_call_without_a_usable_answer():
    """Not from the last answer: what lies between may be a wait that the store asked for."""
    patience = Patience(100.0)
    patience.sent(0.0)
    patience.heard(1.0, waits_for_more=False)
    assert patience.over(5000.0) is None
    patience.sent(5000.0)
    patience.sent(5050.0)
    patience.failed("HTTP 503")
    assert patience.over(5099.0) is None
    assert "HTTP 503" in (patience.over(5100.0) or "")


def test_an_answer_begins_it_anew_for_those_still_out():
    """A usable answer proves the store; calls that are out then wait from then on."""
    patience = Patience(100.0)
    patience.sent(0.0)
    patience.heard(90.0, waits_for_more=True)
    assert patience.over(150.0) is None
    assert "no answer at all" in (patience.over(190.0) or "")


def test_a_long_silence_is_remarked_once():
    """One word after a minute, and again only after the store has spoken in between."""
    patience = Patience(600.0)
    patience.sent(0.0)
    assert patience.remark(59.0) is None
    assert "giving up after 600 s" in (patience.remark(60.0) or "")
    assert patience.remark(61.0) is None
    patience.heard(70.0, waits_for_more=True)
    assert patience.remark(131.0) is not None
