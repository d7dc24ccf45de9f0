"""Times as applications write them."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import RefusalKind, RequestRefused
from agent.runtime.moments import Ago, WallTime, parse_moment

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1))  # noqa: DTZ001
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))


@given(MOMENTS, OFFSETS, st.sampled_from("Tt "))
def test_rfc_3339_with_any_offset_is_the_same_moment(
    naive: datetime, offset: timezone, separator: str
) -> None:
    moment = naive.replace(tzinfo=UTC)
    text = moment.astimezone(offset).isoformat(sep=separator)

    parsed = parse_moment(text)

    assert isinstance(parsed, WallTime)
    assert parsed.seconds == pytest.approx(moment.timestamp(), abs=1e-5)


@given(st.integers(1, 20))
def test_a_fraction_may_have_any_number_of_digits(digits: int) -> None:
    text = f"2026-05-28T20:26:40.{'7' * digits}Z"

    assert parse_moment(text).seconds == pytest.approx(1_780_000_000 + 7 / 9, abs=0.08)


@given(st.floats(0, 1e5))
def test_numbers_are_seconds_before_now_with_or_without_a_minus(seconds: float) -> None:
    assert parse_moment(seconds) == parse_moment(-seconds) == Ago(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("-3s", 3), ("-500ms", 0.5), ("-0.5s", 0.5), ("0", 0), ("-0", 0), ("3s", 3), ("-2", 2)],
)
def test_texts_with_a_unit_are_seconds_before_now(text: str, seconds: float) -> None:
    assert parse_moment(text) == Ago(seconds)


def test_a_leap_second_follows_the_second_before_it() -> None:
    assert parse_moment("2016-12-31T23:59:60Z") == WallTime(1_483_228_800)


@pytest.mark.parametrize(
    "at",
    ["", "now", "yesterday", "+3s", "-3m", "--3s", "-3 s", "3e1", "-.5s", "2026-05-28", "20:26:40Z",
     "2026-13-28T20:26:40Z", "2026-05-28T24:26:40Z", "2026-05-28T20:26:40+25:00", "-99999999s",
     "2026-05-28T20:26:40.Z", "٣s", "-3s\n", 1.78e9, -(10**400), math.nan, math.inf, True],
)  # fmt: skip
def test_anything_else_is_refused_with_what_may_be_written(at: str | float) -> None:
    with pytest.raises(RequestRefused) as refusal:
        parse_moment(at)

    assert refusal.value.kind is RefusalKind.INVALID
    assert "write RFC 3339, such as 2026-05-28T20:26:40.123Z, or seconds" in str(refusal.value)


def test_a_date_without_an_offset_is_refused_with_the_fix() -> None:
    with pytest.raises(RequestRefused, match="no offset from UTC; append Z, or an offset such as"):
        parse_moment("2026-05-28T20:26:40.123")


@given(st.text(max_size=200))
def test_any_text_is_a_moment_or_a_refusal_on_one_line(text: str) -> None:
    try:
        parse_moment(text)
    except RequestRefused as refusal:
        assert str(refusal).isprintable()  # noqa: PT017
        assert len(str(refusal)) < 1000  # noqa: PT017
