"""How people write durations and sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.settings.units import closest, parse_duration, parse_size, show_duration, show_size

CENTURY_S = 100 * 365 * 86400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("250ms", 0.25),
        ("90s", 90.0),
        ("15m", 900.0),
        ("15min", 900.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1h30m", 5400.0),
        (" 1 h 30 m ", 5400.0),
        ("1m500ms", 60.5),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "-1", "+1", "1h30", "1 30m", "1e3", "nan", "inf", "1.s", ".5s", "1w", "1S"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration such as 90s, 15m, 2h"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 400, "9" * 400 + "d", "1e400"])
def test_no_duration_is_endless(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)


@given(st.floats(0, CENTURY_S) | st.integers(0, int(CENTURY_S)) | st.integers(0, 36500 * 24))
def test_what_is_shown_as_a_duration_is_read_as_the_same(seconds: float) -> None:
    for value in (seconds, seconds * 60.0, seconds * 3600.0):
        assert parse_duration(show_duration(value)) == value


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "0.5s"),
        (20.0, "20s"),
        (60, "1m"),
        (90, "90s"),
        (3600.0, "1h"),
        (86400, "1d"),
        (1_000_001.0, "1000001s"),
        (1e-7, "0.0000001s"),
    ],
)
def test_a_duration_is_shown_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("10b", 10),
        ("1.5kB", 1500),
        ("500MB", 500_000_000),
        ("2gb", 2_000_000_000),
        (" 2 TB ", 2 * 10**12),
        ("1KiB", 1024),
        ("0.1GB", 100_000_000),
        ("3GiB", 3 * 2**30),
    ],
)
def test_a_size_is_read_as_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "GB", "-1", "1e3", "nan", "inf", "2G", "2 GB!", "2GB 3MB", "1,5GB", ".5GB", "1Gbit"],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a size such as 500MB or 2GB"):
        parse_size(text)


@given(st.integers(0, 10**18))
def test_a_shown_size_is_right_in_three_digits(size: int) -> None:
    text = show_size(size)
    read = parse_size(text)

    assert "e" not in text
    assert isinstance(read, int)
    assert abs(read - size) <= 0.006 * size


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (999, "999B"), (999_999, "1MB"), (2 * 10**9, "2GB"), (1500, "1.5kB")],
)
def test_a_size_is_shown_for_people(size: int, text: str) -> None:
    assert show_size(size) == text


def test_what_is_no_text_is_passed_on() -> None:
    assert (parse_duration(7), parse_size(None)) == (7, None)


def test_the_nearest_name_is_found_if_one_is_near() -> None:
    assert closest("tresholt", ["threshold", "spool"]) == "threshold"
    assert closest("xyzzy", ["threshold", "spool"]) is None
