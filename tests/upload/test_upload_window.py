"""Hours in which captures may be sent, on clocks that step and days that have 23 or 25 hours."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.upload.upload_window import ALLOWED, UploadWindow, parse_upload_window

# Summer time from the last Sunday of March, 02:00, to the last Sunday of October, 03:00.
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"

NIGHT = UploadWindow(60, 300)
OVER_MIDNIGHT = UploadWindow(22 * 60, 6 * 60)


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", BERLIN)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> float:
    """Seconds since 1970 of a local time, or of one in UTC when it ends in Z."""
    moment = datetime.fromisoformat(text.removesuffix("Z"))
    return (moment.replace(tzinfo=UTC) if text.endswith("Z") else moment).timestamp()


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("always", None),
        ("01:00-05:00", NIGHT),
        ("1:00 - 5:00", NIGHT),
        ("22:00-06:00", OVER_MIDNIGHT),
        ("20:00-24:00", UploadWindow(1200, 0)),
        ("20:00-00:00", UploadWindow(1200, 0)),
    ],
)
def test_a_window_is_read(text: str, window: UploadWindow | None) -> None:
    assert parse_upload_window(text) == window


@pytest.mark.parametrize(
    "text",
    ["", "night", "01:00", "1-5", "01:00-01:00", "00:00-24:00", "24:00-05:00", "01:60-02:00"],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=ALLOWED):
        parse_upload_window(text)


@pytest.mark.parametrize("window", [NIGHT, OVER_MIDNIGHT, UploadWindow(1200, 0)])
def test_what_is_shown_can_be_read(window: UploadWindow) -> None:
    assert parse_upload_window(str(window)) == window


@pytest.mark.parametrize(
    ("window", "moment", "seconds"),
    [
        (NIGHT, "2026-05-28T00:59:30", 30),
        (NIGHT, "2026-05-28T01:00:00", 0),
        (NIGHT, "2026-05-28T04:59:59", 0),
        (NIGHT, "2026-05-28T05:00:00", 20 * 3600),
        (OVER_MIDNIGHT, "2026-05-28T21:59:00", 60),
        (OVER_MIDNIGHT, "2026-05-28T23:30:00", 0),
        (OVER_MIDNIGHT, "2026-05-29T05:59:00", 0),
        (OVER_MIDNIGHT, "2026-05-29T06:00:00", 16 * 3600),
    ],
)
def test_the_window_is_open_from_its_start_to_its_end(
    window: UploadWindow, moment: str, seconds: float
) -> None:
    assert window.opens_in(at(moment)) == seconds


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2026-03-28T12:00:00", 13 * 3600),  # the night after has 23 hours, from 2 on
        ("2026-03-29T00:30:00Z", 0),  # 01:30 in winter time
        ("2026-03-29T02:59:00Z", 0),  # 04:59 in summer time, an hour earlier than on other days
        ("2026-03-29T03:00:00Z", 22 * 3600 - 2 * 3600),
        ("2026-10-24T22:59:00Z", 60),
        ("2026-10-25T03:59:00Z", 0),  # 04:59, after five hours
        ("2026-10-25T04:00:00Z", 20 * 3600),
    ],
)
def test_summer_time_comes_and_goes_by_the_clock_on_the_wall(moment: str, seconds: float) -> None:
    assert NIGHT.opens_in(at(moment)) == seconds


def test_a_start_that_a_night_does_not_have_is_met_all_the_same() -> None:
    """02:30 is missing when summer time begins: at 03:00 the window is open."""
    window = UploadWindow(150, 300)

    assert window.opens_in(at("2026-03-29T00:59:59Z")) > 0
    assert window.opens_in(at("2026-03-29T01:00:00Z")) == 0


def test_a_clock_that_was_never_set_opens_nothing_and_is_named() -> None:
    assert NIGHT.opens_in(2 * 3600) == float("inf")
    assert NIGHT.opening(2 * 3600) == "when the clock is set (NTP): it says 1970-01-01"


def test_the_opening_is_told_in_local_time() -> None:
    assert NIGHT.opening(at("2026-05-28T12:00:00")) == "at 2026-05-29 01:00"
    assert NIGHT.opening(at("2026-05-28T00:10:00")) == "at 2026-05-28 01:00"


@given(
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.floats(1_750_000_000, 2_000_000_000),
)
def test_who_waits_as_told_finds_it_open(start: int, end: int, wall: float) -> None:
    """Once, or once more where summer time came in between; never a minute after the start."""
    window = UploadWindow(start, end)
    for _ in range(3):
        wait = window.opens_in(wall)
        assert 0 <= wait <= 25 * 3600
        wall += wait
    assert window.opens_in(wall) == 0


def test_the_window_follows_a_zone_that_is_set_later(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = 1_780_315_200.0  # 2026-06-01 12:00 UTC
    window = UploadWindow(20 * 60, 21 * 60)
    monkeypatch.setenv("TZ", "UTC0")
    assert window.opens_in(noon) == 8 * 3600

    monkeypatch.setenv("TZ", "XYZ-8")

    assert window.opens_in(noon) == 0
    assert window.opening(noon) == "at 2026-06-02 20:00"


FOLLOWS_THE_FILE = """
from pathlib import Path
from agent.upload.upload_window import UploadWindow

window = UploadWindow(20 * 60, 21 * 60)
for zone in ("UTC", "Asia/Shanghai"):
    Path("/etc/localtime").unlink(missing_ok=True)
    Path("/etc/localtime").symlink_to(f"/usr/share/zoneinfo/{zone}")
    print(window.opens_in(1_780_315_200.0))
"""


def test_the_window_follows_the_file_of_the_zone(tmp_path: Path) -> None:
    """As `timedatectl set-timezone` replaces it, in a copy of /etc that only the test sees."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare, to have an /etc of its own")
    if not Path("/usr/share/zoneinfo/Asia/Shanghai").exists():
        pytest.skip("needs the package tzdata")
    script = 'mkdir "$0" && mount --bind "$0" /etc && exec "$1" -c "$2"'
    words = (script, str(tmp_path / "etc"), sys.executable, FOLLOWS_THE_FILE)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", *words],
        env={name: value for name, value in os.environ.items() if name != "TZ"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr:
        pytest.skip("needs the right to mount")

    assert done.stdout.split() == ["28800.0", "0.0"], done.stderr
