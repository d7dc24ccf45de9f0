"""After a power cut between a review and its labels, the next `review` writes them."""

import json
import os

from tests.fakes.captures import capture_id
from tests.fakes.clock import WALL
from tests.review.conftest import Serve
from tests.review.review_folder import ReviewFolder, review

BUS = {"label": "bus", "box": [100.0, 20.0, 180.0, 60.0]}
CAR_ROW = "2 0.300000 0.450000 0.500000 0.500000\n"


def only_said(folder: ReviewFolder, *lines: object) -> None:
    """Leave lines behind as a process does that ended before it wrote their labels."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder.path / "verdicts.jsonl").write_text(text)


def written_at(folder: ReviewFolder, number: int, at: float) -> None:
    os.utime(folder.path / "labels" / f"{capture_id(number)}.txt", (at, at))


def test_labels_older_than_their_review_or_undo_are_rewritten(
    folder: ReviewFolder, serve: Serve
) -> None:
    folder.put(0)
    folder.put(1)
    wrong = review(0, "wrong", boxes=[BUS])
    taken_back = review(1, "wrong", boxes=[BUS])
    undo = {**review(1, "wrong", after=1), "undo": taken_back["at"]}
    only_said(folder, wrong, taken_back, undo)
    label = folder.path / "labels" / f"{capture_id(1)}.txt"
    label.write_text("0 0.5 0.5 0.1 0.1\n")
    for number in (0, 1):
        written_at(folder, number, WALL - 5)

    serve(folder)

    assert folder.labels(0) == "3 0.700000 0.400000 0.400000 0.400000\n"
    assert folder.labels(1) == CAR_ROW
    assert len(folder.lines) == 3


def test_labels_that_follow_their_review_are_left_alone(folder: ReviewFolder, serve: Serve) -> None:
    """A person may have edited them by hand since."""
    folder.put(0)
    only_said(folder, review(0, "wrong", boxes=[BUS]))
    label = folder.path / "labels" / f"{capture_id(0)}.txt"
    label.write_text("0 0.5 0.5 0.1 0.1\n")
    written_at(folder, 0, WALL + 5)

    serve(folder)

    assert folder.labels(0) == "0 0.5 0.5 0.1 0.1\n"


def test_what_prevents_it_is_shown_and_stops_nothing(folder: ReviewFolder, serve: Serve) -> None:
    folder.put(0)
    only_said(folder, review(0, "wrong", boxes=[BUS]))
    written_at(folder, 0, WALL - 5)
    (folder.path / "data.yaml").unlink()

    client = serve(folder)

    [problem] = client.post("/v1/state", {"client": "a"}).json["problems"]
    assert "cannot rewrite labels of earlier reviews" in problem
