"""The loop of the demo: what counts as a failure, what the drawn truth is, and both rounds."""

import errno
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from agent.cli import demo, demo_loop
from agent.cli.demo_chart import Curve, chart
from agent.cli.demo_failures import FRAMES_APART, failures_of_day
from agent.cli.street_day import FPS, StreetObject, _actors, day_of_street
from agent.cli.street_drawing import HEIGHT, WIDTH
from agent.domain import Box, Detection
from agent.errors import AgentError
from tests.end_to_end.command import here

CAR = StreetObject(4, "car", (100.0, 100.0, 200.0, 150.0))


def seen(label: str = "car", confidence: float = 0.9, left: float = 100.0) -> Detection:
    return Detection(label, 2, confidence, Box(left, 100.0, left + 100.0, 150.0))


def test_a_missed_object_is_one_failure_until_it_was_right_for_half_a_second() -> None:
    never: list[Detection] = []
    pause, more = [[seen()]] * (FRAMES_APART - 1), [[seen()]] * FRAMES_APART
    frames = [*[never] * 3, *pause, *[never] * 2, *more, never]

    found = failures_of_day(frames, [[CAR]] * len(frames), threshold=0.5)

    assert found.count == 2
    assert found.of_frame[0] == found.of_frame[2] == frozenset({0})
    assert found.of_frame[3] == frozenset()


def test_a_box_with_another_label_is_a_miss_and_a_false_box() -> None:
    found = failures_of_day([[seen("bus")], [seen(left=400.0)]], [[CAR], []], threshold=0.5)

    assert [len(each) for each in found.of_frame] == [2, 1]
    assert found.count == 3


def test_what_is_below_the_threshold_is_not_reported() -> None:
    found = failures_of_day([[seen(confidence=0.6)]], [[CAR]], threshold=0.65)

    assert found.count == 1


def test_a_failure_is_found_once() -> None:
    found = failures_of_day([[], [seen()], []], [[CAR]] * 3, threshold=0.5)

    assert found.found([0, 2, 1]) == [1, 1, 1]


def test_the_box_of_each_drawn_object_is_around_what_was_drawn() -> None:
    for actor in _actors(1)[:14]:
        at = (actor.begin + actor.end) / 2
        pixels = np.full((HEIGHT, WIDTH, 3), (255, 0, 255), np.uint8)
        left, top, right, bottom = actor.draw(pixels, at)
        rows, columns = np.nonzero((pixels != (255, 0, 255)).any(axis=2))
        inside = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        wanted = (max(left, 0), max(top, 0), min(right, WIDTH), min(bottom, HEIGHT))
        if actor.label in {"stop sign", "traffic light"}:  # their posts have no label
            inside = (*inside[:3], wanted[3])

        # How wide the letters on the sign are depends on the version of OpenCV.
        most = 8 if actor.label == "stop sign" else 4
        assert np.abs(np.subtract(inside, wanted)).max() <= most, actor.label


def test_a_day_is_the_same_each_time() -> None:
    first, second = (list(islice(day_of_street(1), 3)) for _ in range(2))

    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, second, strict=True))
    assert [each.objects for each in first] == [each.objects for each in second]
    assert FPS == 10


def test_the_chart_names_each_curve_and_its_end() -> None:
    text = chart(
        "Failures < found", [Curve("one", [1, 3], "#777777"), Curve("two", [2, 3], "#0a0")]
    )

    words = [each.text for each in ET.fromstring(text).iter() if each.text and each.text.strip()]
    assert "Failures < found" in words
    assert {"3 one", "3 two"} <= set(words)


def test_the_loop_needs_the_drawn_street(tmp_path: Path) -> None:
    (tmp_path / "own.mp4").touch()

    answer = here(tmp_path, "demo", "--loop", "--clip", "own.mp4")

    assert answer.returncode == 78
    assert "nobody knows what is in it" in answer.stderr


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")

    ended = here(tmp_path, "demo", "--loop", "--dir", "kept")

    assert ended.returncode == 78
    assert "cannot use the folder kept: it is not empty; delete it, or give" in ended.stderr
    assert [each.name for each in folder.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), AgentError, "needs 20 MB"),
        (KeyboardInterrupt(), KeyboardInterrupt, "is not complete: delete it"),
    ],
)
def test_a_loop_that_ends_early_names_its_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    raised: type[BaseException],
    says: str,
) -> None:
    def play(_folder: Path, _screen: object) -> None:
        raise error

    monkeypatch.setattr(demo_loop, "play_loop", play)

    with pytest.raises(raised) as ended:
        demo.demo(directory=tmp_path / "loop", loop=True)

    told = f"{ended.value}{capsys.readouterr().err}"
    assert says in told
    assert str(tmp_path / "loop") in told
