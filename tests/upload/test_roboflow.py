"""The Roboflow target against a server with Roboflow's habits."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain import VerdictKind
from agent.errors import (
    AgentError,
    CaptureRejected,
    ConfigurationError,
    TargetBlocked,
    TargetUnavailable,
)
from agent.record.audit import is_audited
from agent.upload.http.options import HttpOptions
from agent.upload.targets.roboflow import RoboflowTarget
from tests.fakes.captures import CAR, capture_id, classified, said, stored_capture
from tests.fakes.clock import ManualClock
from tests.limits import LIMIT_S
from tests.search import examples
from tests.upload.roboflow_server import BAD_GATEWAY, RoboflowServer

KEY = "rf_s3cret/+="
PERSON = {"label": "person", "class_id": 0, "confidence": 0.6, "box": [-5.0, 0.0, 50.0, 100.0]}


@pytest.fixture
def server() -> Iterator[RoboflowServer]:
    with RoboflowServer(KEY) as running:
        yield running


def target_of(
    url: str, *, key: str | None = KEY, pauses: list[float] | None = None
) -> RoboflowTarget:
    waited = [] if pauses is None else pauses
    return RoboflowTarget(
        url, token=key, clock=ManualClock(), network=HttpOptions(timeout=60.0), pause=waited.append
    )


def test_an_image_arrives_with_its_facts_and_its_confident_boxes(server: RoboflowServer) -> None:
    sent = stored_capture(1, detections=[CAR, PERSON])
    with target_of(server.url) as target:
        receipt = target.send(sent)

    (image,) = server.images.values()
    assert (receipt.id, receipt.sha256, receipt.duplicate) == (sent.id, sent.image_sha256, False)
    assert image.data == sent.image
    assert image.name == f"{sent.id}.jpg"
    assert image.batch == "2026-05-28 test"
    assert image.tags == ["test", "gate", "score", "low_confidence", "flicker"]
    assert image.split is None
    assert image.metadata == {
        "id": sent.id,
        "device": "test",
        "camera": "gate",
        "captured_at": "2026-05-28T20:26:40.000Z",
        "lane": "score",
        "value": 0.75,
        "rules": "low_confidence, flicker",
        "model": "nanodet-g-416",
        "sha256": sent.image_sha256,
    }
    assert image.predictions == [
        {
            "image": {"width": 200, "height": 100},
            "predictions": [
                {
                    "x": 60.0,
                    "y": 45.0,
                    "width": 100.0,
                    "height": 50.0,
                    "confidence": 0.9,
                    "class": "car",
                    "class_id": 2,
                }
            ],
        }
    ]


def test_the_weight_of_a_random_capture_arrives(server: RoboflowServer) -> None:
    sampling = {"slot_start": "2026-05-28T20:15:00.000Z", "slot_seconds": 900.0, "weight": 1800.0}
    with target_of(server.url) as target:
        target.send(stored_capture(1, lane="random", rules=[], sampling=sampling))

    (image,) = server.images.values()
    assert image.metadata["sampling_weight"] == 1800.0
    assert "rules" not in image.metadata


def test_a_verdict_arrives_as_a_tag_and_in_the_metadata(server: RoboflowServer) -> None:
    wrong = said(1, by="ann", note="no car")
    unobjected = said(2, VerdictKind.UNOBJECTED, inclusion_probability=0.25)
    with target_of(server.url) as target:
        # A verdict on another capture says nothing of this one.
        one = target.send(stored_capture(1, lane="verdict", verdicts=[wrong, said(9)]))
        other = target.send(stored_capture(2, lane="verdict", verdicts=[unobjected], note="shown"))

    first, second = server.images.values()
    assert "no place for verdicts on captures that were sent before" in one.left_out[0]
    assert other.left_out == ()
    rules = ["low_confidence", "flicker"]
    assert first.tags == ["test", "gate", "verdict", "verdict-wrong", *rules]
    assert second.tags == ["test", "gate", "verdict", "unobjected", *rules]
    said_of_first = {n: first.metadata.get(n) for n in ("verdict", "verdict_by", "note")}
    assert said_of_first == {"verdict": "wrong", "verdict_by": "ann", "note": "no car"}
    assert second.metadata["verdict"] == "unobjected"
    assert second.metadata["inclusion_probability"] == 0.25
    assert second.metadata["note"] == "shown"


def test_auto_labels_are_told_apart_and_have_batches_of_their_own(server: RoboflowServer) -> None:
    """So that the jobs of labellers hold none of them but the audits."""
    numbers = [
        next(n for n in range(1, 200) if is_audited(capture_id(n)) is audit)
        for audit in (False, True)
    ]
    with target_of(server.url + "?annotate=floor") as target:
        for number in numbers:
            target.send(stored_capture(number, lane="auto", rules=[], detections=[CAR, PERSON]))
        target.send(stored_capture(999))

    auto, audit, other = server.images.values()
    assert [auto.tags, audit.tags] == [["test", "gate", "auto"], ["test", "gate", "auto-audit"]]
    assert [auto.metadata["auto"], audit.metadata["auto"]] == ["auto", "auto-audit"]
    assert "auto" not in other.metadata
    batches = [auto.batch, audit.batch, other.batch]
    assert batches == ["2026-05-28 test auto", "2026-05-28 test auto-audit", "2026-05-28 test"]
    (labels,) = auto.predictions
    assert [box["class"] for box in labels["predictions"]] == ["car"], "no faint box is a label"


def test_the_address_chooses_batch_tags_split_and_boxes(server: RoboflowServer) -> None:
    options = "?batch=night%20%26%20day&tag=yard&tag=gate&split=valid&annotate=floor"
    with target_of(server.url + options) as target:
        target.send(stored_capture(1, detections=[CAR, PERSON]))

    (image,) = server.images.values()
    assert image.batch == "night & day"
    assert image.tags == ["test", "gate", "score", "low_confidence", "flicker", "yard"]
    assert image.split == "valid"
    (sent,) = image.predictions
    assert [box["class"] for box in sent["predictions"]] == ["car", "person"]
    assert sent["predictions"][1]["x"] == 25.0, "cut at the edge of the image"


@pytest.mark.parametrize(
    ("options", "changes"),
    [("?annotate=off", {}), ("", {"detections": []}), ("", {"detections": [PERSON]})],
)
def test_an_image_without_boxes_to_show_is_one_request(
    server: RoboflowServer, options: str, changes: dict[str, Any]
) -> None:
    with target_of(server.url + options) as target:
        target.send(stored_capture(1, **changes))

    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("options", "classes", "label"),
    [
        ("", [("cat", 0.6), ("dog", 0.4)], "cat"),
        ("", [("person", 0.7)], None),  # whose threshold is 0.8
        ("", [("cat", 0.4), ("dog", 0.35)], None),
        ("?annotate=floor", [("cat", 0.4), ("dog", 0.35)], "cat"),
        ("?annotate=off", [("cat", 0.6)], None),
        ("", [], None),
    ],
)
def test_a_classifiers_capture_arrives_with_its_best_class(
    server: RoboflowServer, options: str, classes: list[tuple[str, float]], label: str | None
) -> None:
    server.kind = "classification"
    with target_of(server.url + options) as target:
        target.send(classified(1, *classes))
        assert "(classification)" in target.probe()

    (image,) = server.images.values()
    assert image.classes == ([] if label is None else [label])


@pytest.mark.parametrize(("kind", "made"), [("object-detection", 1), ("classification", 2)])
def test_what_the_project_does_not_take_is_said_with_its_fix(
    server: RoboflowServer, kind: str, made: int
) -> None:
    server.kind = kind
    sent = classified(1, ("cat", 0.9)) if made == 1 else stored_capture(2)
    with target_of(server.url) as target, pytest.raises(CaptureRejected, match="annotate=off"):
        target.send(sent)


def test_a_class_that_was_attached_is_not_attached_twice(server: RoboflowServer) -> None:
    server.kind = "classification"
    for _ in range(2):
        with target_of(server.url) as target:
            target.send(classified(1, ("cat", 0.9)))

    assert [image.classes for image in server.images.values()] == [["cat"]]


def test_the_image_is_looked_for_until_it_is_visible(server: RoboflowServer) -> None:
    server.looks_until_visible = 2
    pauses: list[float] = []
    with target_of(server.url, pauses=pauses) as target:
        target.send(stored_capture(1))

    assert pauses == [0.5, 1.0]
    assert [len(image.predictions) for image in server.images.values()] == [1]


def test_an_image_that_never_shows_is_uploaded_again_later(server: RoboflowServer) -> None:
    server.looks_until_visible = 4
    with target_of(server.url) as target:
        with pytest.raises(TargetUnavailable, match="does not show the image"):
            target.send(stored_capture(1))
        server.images.clear()  # somebody deleted it
        server.looks_until_visible = 0

        assert target.send(stored_capture(1)).duplicate is False
    assert [len(image.predictions) for image in server.images.values()] == [1]


def uploads(server: RoboflowServer) -> int:
    return sum(call.path.endswith("/upload") for call in server.calls)


def test_boxes_that_failed_do_not_send_the_image_again(server: RoboflowServer) -> None:
    server.annotate_faults.extend([lambda: (503, BAD_GATEWAY), lambda: (500, {})])
    with target_of(server.url) as target:
        for _ in range(2):
            with pytest.raises(TargetUnavailable):
                target.send(stored_capture(1))
        receipt = target.send(stored_capture(1))

    assert receipt.duplicate is False
    assert uploads(server) == 1
    assert [len(image.predictions) for image in server.images.values()] == [1]


def test_an_answer_that_was_lost_costs_one_more_request(server: RoboflowServer) -> None:
    server.upload_faults.append(lambda: None)
    with target_of(server.url) as target:
        with pytest.raises(TargetUnavailable):
            target.send(stored_capture(1))

        assert target.send(stored_capture(1)).duplicate is True
    assert [len(image.predictions) for image in server.images.values()] == [1]


def test_the_same_image_of_two_captures_is_one_image(server: RoboflowServer) -> None:
    with target_of(server.url) as target:
        target.send(stored_capture(1, b"\xff\xd8 same"))

        assert target.send(stored_capture(2, b"\xff\xd8 same")).duplicate is True
    assert [len(image.predictions) for image in server.images.values()] == [1]


SEND_ONE = """
import sys
from agent.upload.targets.roboflow import RoboflowTarget
from tests.fakes.clock import ManualClock
from tests.fakes.captures import stored_capture

RoboflowTarget(sys.argv[1], token=sys.argv[2], clock=ManualClock()).send(stored_capture(1))
"""


@pytest.mark.parametrize("moment", ["received", "stored", "asked", "annotated"])
def test_kill_9_at_any_moment_leaves_one_image_with_one_set_of_boxes(
    server: RoboflowServer, moment: str
) -> None:
    """No note of the phase outlives the process, and none is needed."""
    server.stop_at = moment
    command = [sys.executable, "-c", SEND_ONE, server.url, KEY]
    with subprocess.Popen(command, env={"PYTHONPATH": ":".join(sys.path)}) as process:
        assert server.stopped.wait(LIMIT_S)
        process.kill()
    server.go_on()
    with target_of(server.url) as target:
        target.send(stored_capture(1))

    assert [image.data for image in server.images.values()] == [stored_capture(1).image]
    assert [len(image.predictions) for image in server.images.values()] == [1]


REFUSED = {"error": {"message": f"No {quote_plus(KEY)}!\nSorry {KEY}", "type": "x", "hint": "y"}}


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        ((500, {"error": "Unknown error"}), TargetUnavailable, "answers 500"),
        ((502, BAD_GATEWAY), TargetUnavailable, "answers 502"),
        ((503, b""), TargetUnavailable, "answers 503"),
        ((429, {}), TargetUnavailable, "answers 429"),
        ((200, {"success": False}), CaptureRejected, "without success"),
        ((200, {"success": True}), CaptureRejected, "image id"),
        ((200, {"success": True, "id": 7}), CaptureRejected, "image id"),
        ((200, {"success": True, "id": "../x"}), CaptureRejected, "no id"),
        ((200, {"error": "busy"}), CaptureRejected, "200: busy"),
        ((200, b"<html>please log in"), TargetBlocked, "captive portal"),
        ((200, b"hello"), TargetBlocked, "not a whole JSON"),
        ((400, REFUSED), CaptureRejected, r"400: No \*\*\*! Sorry \*\*\*$"),
        ((401, REFUSED), TargetBlocked, "AGENT_UPLOAD_TOKEN"),
        ((402, {"error": "out of credits"}), TargetBlocked, "paid"),
        ((403, REFUSED), TargetBlocked, "rights"),
        ((404, REFUSED), TargetBlocked, "AGENT_UPLOAD_URL"),
        ((423, {"error": "paused"}), TargetBlocked, "paused"),
    ],
)
def test_each_answer_to_an_upload_has_its_meaning(
    server: RoboflowServer, reply: tuple[int, object], error: type[AgentError], says: str
) -> None:
    server.upload_faults.append(lambda: reply)
    with target_of(server.url) as target:
        with pytest.raises(error, match=says) as caught:
            target.send(stored_capture(1))

        assert KEY not in str(caught.value)
        assert quote_plus(KEY) not in str(caught.value)
        assert target.send(stored_capture(1)).duplicate is False, "and it passes later"


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        ((409, {"error": {"message": "Image was already annotated."}}), None, ""),
        ((400, {"error": {"message": "Image was already annotated."}}), None, ""),
        ((409, {"error": {"message": "x" * 500 + ": ALREADY ANNOTATED"}}), None, ""),
        (
            (409, {"error": {"message": "The project is being changed."}}),
            TargetUnavailable,
            "boxes or its class are not: Roboflow answers 409: The project is being changed",
        ),
        ((409, {"error": "conflict"}), TargetUnavailable, "409: conflict"),
        ((409, {"message": ["already annotated"]}), TargetUnavailable, "answers 409$"),
        ((409, b"<html>already annotated"), TargetUnavailable, "answers 409$"),
        ((409, {}), TargetUnavailable, "answers 409$"),
        (
            (400, {"error": {"message": "Unknown class"}}),
            CaptureRejected,
            "Unknown class.*annotate=off",
        ),
        ((200, {"success": False}), CaptureRejected, "annotate=off"),
        ((200, b"<html>please log in"), TargetBlocked, "captive portal"),
        ((500, {"error": "Unknown error"}), TargetUnavailable, "answers 500"),
        ((423, {"error": "paused"}), TargetBlocked, "paused"),
    ],
)
def test_each_answer_to_boxes_has_its_meaning(
    server: RoboflowServer, reply: tuple[int, object], error: type[AgentError] | None, says: str
) -> None:
    server.annotate_faults.append(lambda: reply)
    with target_of(server.url) as target:
        if error is None:
            target.send(stored_capture(1))
        else:
            with pytest.raises(error, match=says):
                target.send(stored_capture(1))


def test_boxes_that_met_another_conflict_arrive_later(server: RoboflowServer) -> None:
    conflict = 409, {"error": {"message": "A job of this project runs."}}
    server.annotate_faults.append(lambda: conflict)
    with target_of(server.url) as target:
        with pytest.raises(TargetUnavailable):
            target.send(stored_capture(1))
        [image] = server.images.values()
        assert image.predictions == []

        target.send(stored_capture(1))
        assert len(image.predictions) == 1


def test_data_that_is_not_an_image_is_rejected(server: RoboflowServer) -> None:
    with target_of(server.url) as target, pytest.raises(CaptureRejected, match="Invalid Image"):
        target.send(stored_capture(1, b"GIF89a"))


def test_a_record_that_contradicts_itself_is_rejected(server: RoboflowServer) -> None:
    with target_of(server.url) as target, pytest.raises(CaptureRejected, match="box"):
        target.send(stored_capture(1, detections=[{**CAR, "box": [1.0]}]))
    assert server.calls == []


def test_the_probe_looks_the_project_up(server: RoboflowServer) -> None:
    with target_of(server.url) as target:
        target.send(stored_capture(1))

        assert target.probe() == "the project acme/cars (object-detection) holds 1 images"


def test_the_probe_of_another_project_or_key_holds(server: RoboflowServer) -> None:
    with target_of(server.url + "x") as target, pytest.raises(TargetBlocked, match="404"):
        target.probe()
    with target_of(server.url, key="other") as target, pytest.raises(TargetBlocked) as caught:
        target.probe()
    assert "other" not in str(caught.value).replace("another", "")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("roboflow://", "roboflow://PROJECT"),
        ("roboflow://a/b", "roboflow://PROJECT"),
        ("roboflow://..", "roboflow://PROJECT"),
        ("roboflow+http://host", "HOST/PROJECT"),
        ("roboflow+ftp://host/cars", "HOST/PROJECT"),
        ("roboflow+https://u:s3cret@host/cars", "AGENT_UPLOAD_TOKEN"),
        ("roboflow://cars?api_key=s3cret", "AGENT_UPLOAD_TOKEN"),
        ("roboflow://cars?s3cret", "AGENT_UPLOAD_TOKEN"),
        ("roboflow://cars?batch=", "name=value"),
        ("roboflow://cars?batch=a&batch=b", "batch is there twice"),
        ("roboflow://cars?split=s3cret", "one of train, valid, test"),
        ("roboflow://cars?annotate=s3cret", "one of threshold, floor, off"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        target_of(url)

    assert str(caught.value).startswith("AGENT_UPLOAD_URL: ")
    assert "s3cret" not in str(caught.value)


def test_the_cloud_is_where_no_host_is_named() -> None:
    target = target_of("roboflow://cars?tag=a")

    assert target.name == "roboflow://cars?tag=***"
    assert target._client._base == "https://api.roboflow.com"


@pytest.mark.parametrize("key", [None, "", "a b"])
def test_a_key_is_needed(key: str | None) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_UPLOAD_TOKEN"):
        target_of("roboflow://cars", key=key)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=6, max_size=40),
    status=st.sampled_from([200, 400, 401, 403, 404, 423, 500]),
)
def test_no_key_is_ever_repeated(server: RoboflowServer, key: str, status: int) -> None:
    echo = f"the key {key}, in an address {quote_plus(key)}"
    server.key = key
    server.failure = (status, {"error": {"message": echo}, "message": json.dumps(echo)})
    with target_of(server.url, key=key) as target:
        said = failure(target.probe) + failure(lambda: target.send(stored_capture(1)))

    assert key not in said
    assert quote_plus(key) not in said


def failure(attempt: Callable[[], object]) -> str:
    """What an attempt fails with."""
    try:
        return str(attempt())
    except AgentError as error:
        return str(error)
