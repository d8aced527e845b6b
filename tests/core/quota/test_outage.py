"""The outage timer: when it starts, what it excludes, when it expires."""

from imageferry.core.quota.outage import OutageTimer


def test_silence_counts_from_the_first_call_without_a_usable_answer():
    """Not from the last answer: what lies between may be a wait that the store asked for."""
    patience = OutageTimer(100.0)
    patience.sent(0.0)
    patience.on_response(1.0, waits_for_more=False)
    assert patience.expired(5000.0) is None
    patience.sent(5000.0)
    patience.sent(5050.0)
    patience.failed("HTTP 503")
    assert patience.expired(5099.0) is None
    assert "HTTP 503" in (patience.expired(5100.0) or "")


def test_an_answer_begins_it_anew_for_those_still_out():
    """A usable answer proves the store; calls that are out then wait from then on."""
    patience = OutageTimer(100.0)
    patience.sent(0.0)
    patience.on_response(90.0, waits_for_more=True)
    assert patience.expired(150.0) is None
    assert "no response" in (patience.expired(190.0) or "")


def test_a_long_silence_is_remarked_once():
    """One word after a minute, and again only after the store has spoken in between."""
    patience = OutageTimer(600.0)
    patience.sent(0.0)
    assert patience.warning(59.0) is None
    assert "giving up after 600 s" in (patience.warning(60.0) or "")
    assert patience.warning(61.0) is None
    patience.on_response(70.0, waits_for_more=True)
    assert patience.warning(131.0) is not None


def test_time_in_which_this_process_did_not_run_is_no_silence():
    """Ctrl-Z for an hour, and the answers lie in the sockets: only what was waited before and after counts."""
    patience = OutageTimer(100.0)
    patience.sent(0.0)
    patience.slept(3640.0, 3600.0)
    assert patience.expired(3699.0) is None
    assert "100 s" in (patience.expired(3700.0) or "")


def test_a_sleep_while_nothing_was_waited_for_changes_nothing():
    """Nor does one that began before the call was sent put it off into the future."""
    patience = OutageTimer(100.0)
    patience.slept(3600.0, 3600.0)
    assert patience.expired(9000.0) is None
    patience.sent(9000.0)
    patience.slept(9001.0, 3600.0)
    assert patience.expired(9101.0) is not None


def test_a_wait_that_the_store_asks_for_is_no_silence():
    """A 503 that names a time; many of them at once excuse the same time once."""
    patience = OutageTimer(100.0)
    patience.sent(0.0)
    for _ in range(20):
        patience.excuse(10.0, 300.0)
    assert patience.expired(399.0) is None
    assert patience.expired(400.0) is not None


def test_a_store_that_asks_for_one_wait_after_another_is_given_an_hour():
    """Then its 503s are a silence like any other; an answer begins it anew."""
    patience = OutageTimer(100.0)
    patience.sent(0.0)
    for n in range(100):
        patience.excuse(n * 60.0, 60.0)
    assert patience.expired(3699.0) is None
    assert patience.expired(3700.0) is not None
    patience.on_response(3700.0, waits_for_more=True)
    patience.excuse(3700.0, 60.0)
    assert patience.expired(3859.0) is None
