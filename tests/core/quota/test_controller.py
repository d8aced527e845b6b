"""The controller as a pure function of what it was told: no loop, no clock. The table of situations is in tests/engine."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageferry.core.quota.controller import QuotaController
from imageferry.core.quota.headers import RateLimitHeaders

BEGIN = 500.0


def led(quota: int = 150, left: int = 149, reset: float = 30.0, share: float = 1.0) -> QuotaController:
    """A controller whose first call, at BEGIN, was answered so after a tenth of a second."""
    made = QuotaController(share)
    made.record_response(made.record_send(BEGIN), BEGIN + 0.1, RateLimitHeaders(quota, left, reset, 30.0), good=True)
    return made


def spend(quota: QuotaController, now: float, until: float) -> list[float]:
    """Send whenever it is due, unanswered, and return when."""
    sent = []
    while now < until:
        due = max(now, quota.next_send_at(now))
        if due >= until:
            break
        quota.record_send(due)
        sent.append(due)
        now = due
    return sent


def test_the_first_call_goes_alone():
    """Before anything is known one call may go; the next waits for its answer, or for its death."""
    quota = QuotaController()
    assert quota.next_send_at(BEGIN) <= BEGIN
    first = quota.record_send(BEGIN)
    assert quota.next_send_at(BEGIN) == math.inf
    quota.record_loss(first)
    assert quota.next_send_at(BEGIN + 1) <= BEGIN + 1
    assert "first response" in quota.reason(BEGIN)


def test_a_good_answer_without_headers_opens_the_gate():
    """No headers, no quota: nothing is paced."""
    quota = QuotaController()
    quota.record_response(quota.record_send(BEGIN), BEGIN + 0.1, None, good=True)
    assert (
        len([quota.record_send(BEGIN + 1) for _ in range(1000) if quota.next_send_at(BEGIN + 1) <= BEGIN + 1]) == 1000
    )
    assert (quota.quota, quota.left, quota.pace, quota.resets_in(BEGIN)) == (None, None, None, None)


@pytest.mark.parametrize("throttled", [True, False], ids=["bare 429", "5xx"])
def test_a_bad_answer_without_headers_opens_nothing(throttled):
    """A platform that is busy says nothing about the quota: the next call asks alone again."""
    quota = QuotaController()
    quota.record_response(quota.record_send(BEGIN), BEGIN + 0.1, None, good=False, throttled=throttled)
    assert quota.next_send_at(BEGIN + 1) <= BEGIN + 1
    quota.record_send(BEGIN + 1)
    assert quota.next_send_at(BEGIN + 1) == math.inf


def test_a_bare_429_leaves_the_budget_alone():
    """Neither room nor pace change by an answer that has no headers."""
    quota, other = led(), led()
    for each in (quota, other):
        ticket = each.record_send(each.next_send_at(BEGIN + 0.1))
    quota.record_response(ticket, BEGIN + 0.5, None, good=False, throttled=True)
    assert (quota.left, quota.next_send_at(BEGIN + 0.5)) == (other.left, other.next_send_at(BEGIN + 0.5))


def test_the_room_is_spread_over_the_window():
    """149 calls over 30 s: all of them go, evenly, and none after them before the window's end."""
    quota = led()
    sent = spend(quota, BEGIN + 0.1, BEGIN + 30)
    assert len(sent) == 149
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert 0.18 < min(gaps[1:]) <= max(gaps) < 0.22
    assert BEGIN + 30 < quota.next_send_at(BEGIN + 29.9) < BEGIN + 30.5
    assert "is used up" in quota.reason(BEGIN + 29.9)


def test_being_late_is_made_up_by_a_blink_only():
    """After a pause of ten seconds the rest is spread anew, not sent at once."""
    quota = led()
    quota.record_send(BEGIN + 10)
    assert quota.next_send_at(BEGIN + 10) > BEGIN + 10.1


def test_a_share_is_not_overdrawn():
    """Half the quota is half the calls, evenly."""
    assert len(spend(led(share=0.5), BEGIN + 0.1, BEGIN + 30)) == 74


def test_what_others_take_comes_out_of_the_rest_and_not_out_of_the_share():
    """Half the quota stays half the quota while others take three tenths; beyond the rest it ends."""
    quota = led(share=0.5)
    for n in range(1, 11):
        now = BEGIN + n
        quota.record_response(
            quota.record_send(now), now + 0.1, RateLimitHeaders(150, 149 - n - 2 * n, 30.0 - n, 30.0), good=True
        )
    assert quota.others.seen
    sent = spend(quota, BEGIN + 10.2, BEGIN + 30)
    assert len(sent) == 75 - 11
    assert sent[-1] > BEGIN + 29  # evenly to the end, not in a hurry
    late = led(left=49, share=0.5)
    assert len(spend(late, BEGIN + 0.1, BEGIN + 30)) == 49


def test_no_share_however_small_stalls_for_ever():
    """A share of less than one call a window lets nothing through in it but does look again in the next."""
    quota = led(quota=10, left=9, share=0.05)
    assert quota.next_send_at(BEGIN + 1) < BEGIN + 31


def test_a_spent_window_is_waited_out():
    """Nothing left: the next call goes a hair after the end, on the clock of sending."""
    assert BEGIN + 12 < led(left=0, reset=12.0).next_send_at(BEGIN + 0.2) < BEGIN + 12.5


def test_the_last_calls_are_not_spread():
    """Calls that all fit the room go at once, unless others are about."""
    quota = led()
    quota.remaining = 100
    assert quota.next_send_at(BEGIN + 0.2) <= BEGIN + 0.2
    quota.remaining = 200
    quota.record_send(BEGIN + 0.2)
    assert quota.next_send_at(BEGIN + 0.2) > BEGIN + 0.2


def test_a_429_is_waited_out_by_all():
    """A 429 with a reset holds every call until then, one with a longer `X-Retry-After` until that."""
    quota = led()
    ticket = quota.record_send(BEGIN + 1)
    quota.record_response(ticket, BEGIN + 1.2, RateLimitHeaders(150, 0, 10.0, 30.0), good=False, throttled=True)
    assert BEGIN + 11 <= quota.next_send_at(BEGIN + 1.2) < BEGIN + 31
    assert "429" in quota.reason(BEGIN + 1.2)
    quota.record_response(
        ticket, BEGIN + 1.3, RateLimitHeaders(150, 0, 10.0, 30.0), good=False, throttled=True, wait=50.0
    )
    assert quota.next_send_at(BEGIN + 2) == pytest.approx(BEGIN + 51.3)


def test_a_429_of_this_window_holds_to_the_end_that_quicker_calls_have_shown():
    """A call that was half a second longer on its way up than others shows the end half a second early."""
    quota = led()
    ticket = quota.record_send(BEGIN + 20)
    quota.record_response(ticket, BEGIN + 20.6, RateLimitHeaders(150, 0, 9.5, 30.0), good=False, throttled=True)
    assert quota.next_send_at(BEGIN + 20.6) > BEGIN + 30


def test_nothing_is_sent_between_the_stop_and_the_end():
    """With uneven latency nothing is sent in the window's last moments."""
    quota = led()
    for n in range(1, 31):
        now = BEGIN + n / 2
        late = 0.4 * (n % 2)
        quota.record_response(
            quota.record_send(now), now + 0.1 + late, RateLimitHeaders(150, 149 - n, 30 - n / 2 - late, 30.0), good=True
        )
    assert quota.next_send_at(BEGIN + 29.0) <= BEGIN + 29.0
    assert quota.next_send_at(BEGIN + 29.9) > BEGIN + 30
    sent = spend(quota, BEGIN + 15.1, BEGIN + 30)
    assert 29.0 < sent[-1] - BEGIN < 29.9


@pytest.mark.parametrize(("left", "longest"), [(149, 33.0), (0, 3000.0)], ids=["room is left", "spent"])
def test_an_end_far_beyond_the_window_is_believed_of_a_spent_one_alone(left, longest):
    """A reset 50 minutes off with a window of 30 s and room in it: at most a tenth more than the window is believed."""
    assert led(left=left, reset=3000.0).resets_in(BEGIN) == pytest.approx(longest)


def test_an_answer_of_the_next_window_is_carried_over():
    """A call that crossed the reset is charged to the window that counted it."""
    quota = led()
    late = quota.record_send(BEGIN + 29.0)
    first = quota.record_send(BEGIN + 30.2)
    assert quota.left == 149
    quota.record_response(first, BEGIN + 30.4, RateLimitHeaders(150, 149, 29.9, 30.0), good=True)
    quota.record_response(late, BEGIN + 30.6, RateLimitHeaders(150, 148, 31.1, 30.0), good=True)
    assert quota.left == 148


def test_an_old_answer_changes_nothing():
    """A response after its window's end says nothing about the next window."""
    quota = led()
    late = quota.record_send(BEGIN + 29.0)
    quota.record_response(
        quota.record_send(BEGIN + 30.2), BEGIN + 30.4, RateLimitHeaders(150, 149, 29.9, 30.0), good=True
    )
    before = (quota.left, quota.next_send_at(BEGIN + 31), quota.resets_in(BEGIN + 31))
    quota.record_response(late, BEGIN + 31.0, RateLimitHeaders(150, 3, 1.0, 30.0), good=True)
    assert before == (quota.left, quota.next_send_at(BEGIN + 31), quota.resets_in(BEGIN + 31))


def test_answers_out_of_order_are_no_other_app():
    """Ten calls whose answers come back shuffled don't look like somebody else's calls."""
    quota = led()
    tickets = [quota.record_send(BEGIN + 1 + n / 10) for n in range(10)]
    for place in (3, 1, 0, 2, 7, 9, 4, 5, 8, 6):
        quota.record_response(
            tickets[place], BEGIN + 3, RateLimitHeaders(150, 148 - place, 29 - place / 10, 30.0), good=True
        )
    assert not quota.others.seen
    assert quota.left == 139


def test_an_answer_that_was_overtaken_is_not_believed():
    """It knows less than the newer one that came first: what others took in between isn't there again to be spent."""
    quota = led()
    older, newer = quota.record_send(BEGIN + 1), quota.record_send(BEGIN + 6)
    quota.record_response(newer, BEGIN + 6.2, RateLimitHeaders(150, 107, 24.0, 30.0), good=True)
    assert (quota.others.taken, quota.left) == (40, 107)
    sooner = quota.next_send_at(BEGIN + 6.3)
    quota.record_response(older, BEGIN + 6.3, RateLimitHeaders(150, 148, 29.0, 30.0), good=True)
    assert (quota.others.taken, quota.left) == (40, 107)
    assert quota.next_send_at(BEGIN + 6.3) == sooner


def test_a_quota_of_before_that_comes_late_is_not_taken_again():
    """Halved between two calls whose answers change places: the newer one's word stays."""
    quota = led()
    older, newer = quota.record_send(BEGIN + 1), quota.record_send(BEGIN + 6)
    quota.record_response(newer, BEGIN + 6.2, RateLimitHeaders(75, 72, 24.0, 30.0), good=True)
    quota.record_response(older, BEGIN + 6.3, RateLimitHeaders(150, 148, 29.0, 30.0), good=True)
    assert (quota.quota, quota.left) == (75, 72)


def test_others_are_left_their_part():
    """Calls that go missing from the room belong to somebody, who will want more until the reset."""
    quota = led()
    for n in range(1, 41):
        quota.record_response(
            quota.record_send(BEGIN + n / 5),
            BEGIN + n / 5 + 0.1,
            RateLimitHeaders(150, 149 - n - n // 4, 30 - n / 5, 30.0),
            good=True,
        )
    assert quota.others.seen
    assert quota.others.taken == 10
    assert len(spend(quota, BEGIN + 9, BEGIN + 30)) < 100


def test_what_was_taken_before_the_run_looked_is_no_rate():
    """A window found nearly spent doesn't mean that somebody is spending it now."""
    quota = led(left=20)
    assert not quota.others.seen
    assert len(spend(quota, BEGIN + 0.1, BEGIN + 30)) == 20


@pytest.mark.parametrize("quota_now", [75, 300], ids=["halved", "doubled"])
def test_another_quota_is_taken(quota_now):
    """The quota may change in mid-run: the room is reckoned by the new one, and nobody is blamed for the difference."""
    quota = led()
    quota.record_response(
        quota.record_send(BEGIN + 1), BEGIN + 1.1, RateLimitHeaders(quota_now, quota_now - 2, 29.0, 30.0), good=True
    )
    assert (quota.quota, quota.left) == (quota_now, quota_now - 2)
    assert quota.pace == quota_now / 30
    assert not quota.others.seen


def test_a_quota_raised_without_more_room_blames_nobody():
    """Twice the quota, and `left` goes on from where it was: what seems taken was taken by no other app."""
    quota = led()
    for n in range(1, 6):
        now = BEGIN + n
        quota.record_response(
            quota.record_send(now), now + 0.1, RateLimitHeaders(300, 149 - n, 30.0 - n, 30.0), good=True
        )
    assert quota.left == 144
    assert not quota.others.seen
    assert quota.others.unseen(BEGIN + 30) == 0.0


def test_an_end_that_is_too_late_is_corrected():
    """A machine that slept finds the store's clock ahead: the window ends sooner than was thought."""
    quota = led()
    quota.record_response(quota.record_send(BEGIN + 5), BEGIN + 5.1, RateLimitHeaders(150, 149, 8.0, 30.0), good=True)
    assert quota.resets_in(BEGIN + 5) == pytest.approx(8.0)


def test_after_a_long_pause_a_single_call_asks():
    """Nothing learnt for over two windows: one call goes and asks, the rest wait for it."""
    quota = led()
    assert quota.next_send_at(BEGIN + 500) <= BEGIN + 500
    probe = quota.record_send(BEGIN + 500)
    assert quota.next_send_at(BEGIN + 500) == math.inf
    quota.record_response(probe, BEGIN + 501, RateLimitHeaders(150, 30, 7.0, 30.0), good=True)
    assert quota.left == 30
    assert quota.resets_in(BEGIN + 501) == pytest.approx(6.0)


def test_a_quota_that_is_lifted_opens_the_gate():
    """A store that stops sending headers is not held to a quota of long ago."""
    quota = led()
    quota.record_response(quota.record_send(BEGIN + 500), BEGIN + 501, None, good=True)
    assert quota.quota is None
    assert quota.next_send_at(BEGIN + 501) <= BEGIN + 501


def test_a_quota_that_appears_is_kept():
    """Headers on an open store's answer bring the pace back."""
    quota = QuotaController()
    quota.record_response(quota.record_send(BEGIN), BEGIN + 0.1, None, good=True)
    quota.record_response(quota.record_send(BEGIN + 1), BEGIN + 1.1, RateLimitHeaders(150, 0, 20.0, 30.0), good=True)
    assert quota.next_send_at(BEGIN + 2) > BEGIN + 20


def test_a_call_that_died_stays_counted():
    """It may have reached the store."""
    quota = led()
    quota.record_loss(quota.record_send(BEGIN + 1))
    assert quota.left == 148


def test_a_call_sent_before_its_time_is_counted_all_the_same():
    """A caller that ignores `next_send_at` overdraws the window, and the count shows it."""
    quota = led(left=0)
    quota.record_send(BEGIN + 1)
    assert quota.left == 0
    assert quota.next_send_at(BEGIN + 1) > BEGIN + 30


def test_the_reason_of_a_wait_is_told():
    """Spent, a share spent, others about: each is said as what it is."""
    assert led(left=0).reason(BEGIN + 1).startswith("the store's quota (150 calls per 30 s)")
    assert led(quota=10, left=9, share=0.05).reason(BEGIN + 1).startswith("our share")
    busy = led()
    for n in range(1, 20):
        busy.record_response(
            busy.record_send(BEGIN + n), BEGIN + n + 0.1, RateLimitHeaders(150, 149 - 5 * n, 30.0 - n, 30.0), good=True
        )
    assert busy.reason(BEGIN + 20) == "other apps are using the store's quota"


def test_where_others_want_it_all_one_call_looks():
    """Beside an app that takes whatever there is, single calls go and look, each waited for, and none once all is gone."""
    quota = led()
    for n in range(1, 9):
        quota.record_response(
            quota.record_send(BEGIN + n),
            BEGIN + n + 0.1,
            RateLimitHeaders(150, 149 - 13 * n, 30.0 - n, 30.0),
            good=True,
        )
    now = BEGIN + 8.2
    due = quota.next_send_at(now)
    assert now < due < BEGIN + 9
    look = quota.record_send(due)
    assert quota.next_send_at(due) > due + 2.5
    quota.record_loss(look)
    quota.record_response(look, due + 0.1, RateLimitHeaders(150, 3, 21.0, 30.0), good=True)
    assert quota.next_send_at(due + 0.1) > BEGIN + 30


@given(
    st.lists(
        st.tuples(
            st.floats(0, 40),
            st.none()
            | st.builds(
                RateLimitHeaders,
                st.integers(1, 10**12),
                st.integers(0, 10**6),
                st.floats(0, 3600),
                st.floats(0.05, 3600),
            ),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.floats(0.0, 1.0),
)
def test_no_story_stalls_it(story, share):
    """Whatever answers come, the next call is due within two hours or waits for an answer that is still out."""
    quota, now, out = QuotaController(share), BEGIN, []
    for pause, reading, throttled in story:
        now += pause
        if quota.next_send_at(now) <= now:
            out.append(quota.record_send(now))
        if out:
            quota.record_response(out.pop(), now, reading, good=not throttled, throttled=throttled)
    due = quota.next_send_at(now)
    assert due <= now + 7300 or (due == math.inf and out)
