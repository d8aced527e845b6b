"""The rate headers: what is believed and what isn't."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageferry.core.quota.headers import RateLimitHeaders, read_headers, read_retry_after, why_ignored

NAMES = {
    "quota": "x-rate-limit-requests-quota",
    "left": "x-rate-limit-requests-left",
    "reset": "x-rate-limit-time-reset-ms",
    "window": "x-rate-limit-time-window-ms",
}
USUAL = {"quota": "150", "left": "149", "reset": "15000", "window": "30000"}


def headers(**changes: str | None) -> dict[str, str]:
    """The usual four headers with some changed, or left out where None."""
    return {NAMES[name]: text for name, text in (USUAL | changes).items() if text is not None}


READINGS = {
    "usual": ({}, RateLimitHeaders(150, 149, 15.0, 30.0)),
    "unlimited": ({"quota": "16101495", "left": "16101489"}, RateLimitHeaders(16101495, 16101489, 15.0, 30.0)),
    "the window left out": ({"window": None}, RateLimitHeaders(150, 149, 15.0, 30.0)),
    "the window left out, a far reset": ({"window": None, "reset": "90000"}, RateLimitHeaders(150, 149, 90.0, 90.0)),
    "an absurd window": ({"window": "NaN"}, RateLimitHeaders(150, 149, 15.0, 30.0)),
    "a window of nothing": ({"window": "0"}, RateLimitHeaders(150, 149, 15.0, 0.05)),
    "fractions": ({"left": "3.7", "reset": "1.5"}, RateLimitHeaders(150, 3, 0.0015, 30.0)),
    "spaces": ({"left": " 7 "}, RateLimitHeaders(150, 7, 15.0, 30.0)),
    "more left than allowed": ({"left": "900"}, RateLimitHeaders(150, 150, 15.0, 30.0)),
    "an hour": ({"reset": "3600000"}, RateLimitHeaders(150, 149, 3600.0, 30.0)),
}
ABSURD = [
    *(
        {name: text}
        for name in ("quota", "left", "reset")
        for text in ("NaN", "-1", "inf", "-inf", "", "x", "1e400", "1,000", None)
    ),
    {"quota": "0"},
    {"reset": "3600001"},
    {"reset": "31536000000"},
]


@pytest.mark.parametrize(("changes", "reading"), READINGS.values(), ids=READINGS)
def test_headers_are_read(changes, reading):
    """Milliseconds become seconds, a missing window becomes today's."""
    assert read_headers(headers(**changes)) == reading


@pytest.mark.parametrize("changes", ABSURD, ids=str)
def test_what_cannot_be_believed_is_no_reading(changes):
    """One number that is missing or absurd makes all of them worthless."""
    assert read_headers(headers(**changes)) is None


@given(
    st.fixed_dictionaries({}, optional={name: st.text(max_size=12) | st.floats().map(str) for name in NAMES.values()})
)
def test_no_header_can_crash_it(made_up):
    """Whatever the headers say, the reading is None or within its bounds."""
    reading = read_headers(made_up)
    if reading is not None:
        assert 0 <= reading.left <= reading.quota
        assert 0 <= reading.reset <= 3600
        assert 0 < reading.window <= 3600


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("20", 20.0),
        ("0", 0.0),
        ("3600", 3600.0),
        ("3601", None),
        ("-1", None),
        ("NaN", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_seconds(text, wait):
    """`X-Retry-After` counts seconds, up to an hour; a date isn't documented and isn't guessed at."""
    assert read_retry_after({"x-retry-after": text}) == wait
    assert read_retry_after({}) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (headers(reset="31536000000"), "it names a reset in 365 days, which is implausible"),
        (headers(reset="7200000"), "it names a reset in 2.0 hours, which is implausible"),
        (headers(reset="-1"), "it names a reset of '-1', which is implausible"),
        (headers(reset="NaN"), "it names a reset of 'NaN', which is implausible"),
        (headers(reset="\x1b[2J" * 90), r"it names a reset of '\x1b[2J\x1b[2J\x1b[2J\x1b[2J\x1b[2J\x1b[2J', which is implausible"),
        ({"x-retry-after": "31536000"}, "it names a reset in 365 days, which is implausible"),
        ({"x-retry-after": "tomorrow"}, "it names a reset of 'tomorrow', which is implausible"),
        (headers(left="NaN"), "its rate-limit headers are invalid"),
        (headers(reset=None), "its rate-limit headers are invalid"),
        ({"date": "today"}, "it names no wait"),
    ],
)  # fmt: skip
def test_what_is_not_believed_is_said_in_words(said, words):
    """Whoever reads it at 3 in the morning learns which number was wrong."""
    assert why_ignored(said) == words


NOW = "Wed, 21 Oct 2026 07:28:00 GMT"
WALL = 1792567680.0  # the same moment


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 20 "}, 20.0),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after": "3601"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wednesday, 21-Oct-26 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed Oct 21 07:28:30 2026"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 09:28:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:10 GMT"}, 20.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "today"}, 30.0),
        ({"retry-after": "7", "x-retry-after": "20"}, 20.0),
        ({"retry-after": "7", "x-retry-after": "31536000"}, 7.0),
    ],
)
def test_the_standard_retry_after_is_seconds_or_a_date(headers, wait):
    """Up to an hour; a date is compared with the answer's own, so that neither clock has to be right."""
    assert read_retry_after(headers, WALL) == wait


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_retry_after_can_crash_it(text, date):
    """Whatever it says, the wait is None or within its bounds."""
    wait = read_retry_after({"retry-after": text, "date": date}, WALL)
    assert wait is None or 0.0 <= wait <= 3600.0


def test_a_standard_reset_that_is_not_believed_is_said():
    """As the store's own header is."""
    assert why_ignored({"retry-after": "31536000"}) == "it names a reset in 365 days, which is implausible"
