"""What becomes of reviews that a page sends."""

import errno
import json
from typing import Any

from agent.dataset.reviews import standing_reviews
from agent.review.said import AHEAD_S, LINES_MAX
from agent.review.service import ReviewTerms
from tests.fakes.api import ApiClient
from tests.fakes.disk.real import RefusingDisk
from tests.review.conftest import Serve
from tests.review.review_folder import ReviewFolder, review

CAR_ROW = "2 0.300000 0.450000 0.500000 0.500000\n"
BUS = {"label": "bus", "box": [100.0, 20.0, 180.0, 60.0]}


def sent(client: ApiClient, *reviews: object) -> Any:
    response = client.post("/v1/reviews", {"reviews": list(reviews)})
    assert response.status == 200, response.body
    return response.json


def test_a_verdict_is_a_line_that_sending_again_does_not_repeat(
    folder: ReviewFolder, serve: Serve
) -> None:
    folder.put(0)
    client = serve(folder)
    given = review(0, note="fine\x07")

    for _ in range(3):
        result = sent(client, given)

    assert result["results"][0]["review"]["verdict"] == "right"
    assert result["warning"] == ""
    assert folder.lines == [{**given, "note": "fine"}]
    assert folder.labels(0) == CAR_ROW


def test_corrected_boxes_become_labels_and_an_undo_takes_them_back(
    folder: ReviewFolder, serve: Serve
) -> None:
    folder.put(0)
    client = serve(folder)
    outline = [[100.0, 20.0], [180.0, 20.0], [140.0, 60.0]]
    wrong = review(0, "wrong", boxes=[{**BUS, "polygon": outline}])

    sent(client, wrong)
    corrected = folder.labels(0)
    undo = {**review(0, "wrong", after=1), "undo": wrong["at"]}
    after = sent(client, undo)

    assert corrected == "3 0.700000 0.400000 0.400000 0.400000\n"
    assert folder.lines[0]["boxes"] == [{**BUS, "polygon": outline}]
    assert after["results"][0]["review"] is None
    assert folder.labels(0) == CAR_ROW
    assert standing_reviews(folder.lines) == {}
    assert len(folder.lines) == 2  # both are facts


def test_the_right_class_of_a_classifier_moves_its_image(
    folder: ReviewFolder, serve: Serve
) -> None:
    cat = {"label": "cat", "class_id": 0, "confidence": 0.9}
    identity = folder.put(0, classes=[cat])
    assert (folder.path / "classes" / "cat" / f"{identity}.jpg").exists()

    sent(serve(folder), review(0, "wrong", labels=["dog"]))

    assert (folder.path / "classes" / "dog" / f"{identity}.jpg").exists()
    assert not (folder.path / "classes" / "cat" / f"{identity}.jpg").exists()


def test_the_newest_of_two_reviewers_counts_and_the_later_one_learns_of_the_other(
    folder: ReviewFolder, serve: Serve
) -> None:
    folder.put(0)
    client = serve(folder)

    first = sent(client, review(0, "wrong", by="Ben"))
    second = sent(client, review(0, "right", after=1))

    assert first["results"][0]["before"] is None
    assert second["results"][0]["before"]["by"] == "Ben"
    assert second["results"][0]["review"]["by"] == "Ann"
    assert [line["by"] for line in folder.lines] == ["Ben", "Ann"]


BAD = [
    ([], "it is not an object"),
    ({**review(0), "id": "../../etc/passwd"}, "`id` is no id of a capture"),
    ({**review(0), "id": None}, "`id` is no id of a capture"),
    (review(7), "it is not in this folder"),
    ({**review(0), "by": ""}, "lacks `by`"),
    ({**review(0), "by": ["Ann"]}, "`by` is no text"),
    ({**review(0), "verdict": "unobjected"}, "`verdict` is none of"),
    ({**review(0), "verdict": ["right"]}, "`verdict` is none of right, wrong, missing, unusable"),
    ({**review(0), "at": "yesterday"}, "`at` is no time of RFC 3339"),
    (review(0, after=AHEAD_S + 1001), "is in the future"),
    ({**review(0), "undo": "now"}, "`undo` is not the time of a review"),
    ({**review(0), "note": 5}, "`note` is no text"),
    ({**review(0, "wrong"), "boxes": {}}, "`boxes` is no list"),
    ({**review(0, "wrong"), "boxes": [BUS] * 3001}, "at most 3000"),
    ({**review(0, "wrong"), "boxes": [{**BUS, "box": [9, 9, 1, 1]}]}, "x_max"),
    ({**review(0, "wrong"), "boxes": [{**BUS, "box": [0, 0, 1]}]}, "box"),
    ({**review(0, "wrong"), "boxes": [{**BUS, "box": [0, 0, 1e400, 5]}]}, "box"),
    ({**review(0, "wrong"), "boxes": [{**BUS, "label": ""}]}, "label"),
    ({**review(0, "wrong"), "boxes": [{**BUS, "label": "a\nb"}]}, "label"),
    ({**review(0, "wrong"), "labels": ["x" * 201]}, "label"),
]


def test_what_is_not_valid_is_refused_alone_and_the_rest_is_stored(
    folder: ReviewFolder, serve: Serve
) -> None:
    folder.put(0)
    client = serve(folder)
    for number, (given, why) in enumerate(BAD, start=1):
        body = {"reviews": [given, review(0, after=number / 1000)]}
        text = json.dumps(body).replace("Infinity", "1e400").encode()
        response = client.post("/v1/reviews", text, {"Content-Type": "application/json"})

        [refused, taken] = response.json["results"]
        assert why in refused["error"]
        assert "error" not in taken
        assert len(folder.lines) == number


def test_a_disk_that_refuses_loses_nothing(folder: ReviewFolder, serve: Serve) -> None:
    """The page is told to send again, and then it is stored once."""
    folder.put(0)
    disk = AppendRefusingDisk(OSError(errno.ENOSPC, "No space left on device"))
    client = serve(folder, disk=disk)

    full = client.post("/v1/reviews", {"reviews": [review(0)]})
    disk.refuses = None
    sent(client, review(0))

    assert full.status == 503
    assert "cannot store the verdicts: No space left on device" in full.error
    assert full.headers["Retry-After"] == "1"
    assert len(folder.lines) == 1


class AppendRefusingDisk(RefusingDisk):
    """Appending is refused too."""

    def append(self, path: Any, data: bytes) -> None:
        self.check(path)
        super().append(path, data)


def test_a_folder_whose_classes_are_lost_keeps_the_verdict_and_says_so(
    folder: ReviewFolder, serve: Serve
) -> None:
    folder.put(0)
    (folder.path / "data.yaml").unlink()

    result = sent(serve(folder), review(0, "wrong", boxes=[BUS]))

    assert "data.yaml is missing" in result["warning"]
    assert len(folder.lines) == 1


def test_too_many_at_once_are_refused(folder: ReviewFolder, serve: Serve) -> None:
    folder.put(0)
    response = serve(folder).post("/v1/reviews", {"reviews": [review(0)] * (LINES_MAX + 1)})

    assert (response.status, response.error) == (400, "reviews: at most 50 at once")


def test_the_name_of_the_command_line_is_the_default(folder: ReviewFolder, serve: Serve) -> None:
    folder.put(0)
    client = serve(folder, terms=ReviewTerms(by="Team"))

    sent(client, {**review(0), "by": None})

    assert folder.lines[0]["by"] == "Team"
    assert b'data-by="Team"' in client.get("/").body
