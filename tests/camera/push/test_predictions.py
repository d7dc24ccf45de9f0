"""The one door for predictions of an application: what comes out, and what is refused how."""

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.camera.push.predictions import Expected, parse_predictions
from agent.camera.push.values import InvalidValue
from agent.domain import Box, ClassScore, Detection, Keypoint, Prediction, Task
from tests.camera.push.pushed import one_pill, predictions_of

SIZE = (640, 480)
LABELS = ("car", "pill")


def read(document: bytes, task: Task = Task.DETECT, **expected: Any) -> Prediction:
    """Parse the predictions of an image of 640 x 480."""
    known = {"floor": 0.05, "labels": LABELS, **expected}
    return parse_predictions(document, Expected(task, **known), SIZE)


def why(document: bytes, task: Task = Task.DETECT, **expected: Any) -> str:
    """Return why the predictions are refused."""
    with pytest.raises(InvalidValue) as refused:
        read(document, task, **expected)
    return str(refused.value)


def test_detections_come_out_as_those_of_a_model() -> None:
    found = read(
        predictions_of(
            one_pill(confidence=0.5),
            one_pill(label="car", confidence=1, box=[0, 0, 640.0, 480]),
            one_pill(confidence=0.04),
        )
    )

    assert found.detections == (
        Detection("car", 0, 1.0, Box(0, 0, 640, 480)),
        Detection("pill", 1, 0.5, Box(10, 10, 20, 30)),
    )
    assert (found.model.name, found.model.task, found.model.provider) == (
        "counter",
        Task.DETECT,
        "application",
    )
    assert not found.invalid


def test_nothing_found_is_a_prediction() -> None:
    assert read(predictions_of()).detections == ()


def test_the_hash_of_a_model_is_the_stated_one_or_the_same_for_the_same_description() -> None:
    stated = read(predictions_of(sha256="AB" * 32)).model
    once, again = (read(predictions_of(one_pill(confidence=c))).model for c in (0.3, 0.8))
    other = read(predictions_of(labels=["pill"])).model

    assert stated.sha256 == "ab" * 32
    assert once == again
    assert once.sha256 != other.sha256
    assert other.labels == ("pill",)


def test_boxes_are_clipped_into_the_image() -> None:
    [found] = read(predictions_of(one_pill(box=[-5, 470.5, 700, 490]))).detections

    assert found.box == Box(0, 470.5, 640, 480)


@pytest.mark.parametrize(
    ("task", "shape", "attribute"),
    [
        (Task.SEGMENT, {"polygon": [[1, 1], [9, 1], [900, 9]]}, "polygon"),
        (Task.POSE, {"keypoints": [[1, 2], [3, 4, 0.5]]}, "keypoints"),
        (Task.OBB, {"corners": [[-1, 2], [3, 4], [3, 9], [1, 9]]}, "corners"),
    ],
)
def test_shapes_of_other_tasks(task: Task, shape: dict[str, Any], attribute: str) -> None:
    found = read(predictions_of(one_pill(box=[0, 1, 640, 9], **shape)), task)

    [detection] = found.detections
    if attribute == "polygon":
        assert detection.mask is not None
        assert detection.mask.polygon() == ((1, 1), (9, 1), (640, 9))
    elif attribute == "keypoints":
        assert detection.keypoints == (Keypoint(1, 2, 1.0), Keypoint(3, 4, 0.5))
        assert found.model.keypoint_count == 2
    else:
        assert detection.corners == ((-1, 2), (3, 4), (3, 9), (1, 9))
    assert attribute in why(predictions_of(one_pill(**shape)), Task.DETECT)


def test_the_box_around_corners_or_a_polygon_may_be_left_out() -> None:
    rotated = {"label": "pill", "confidence": 1, "corners": [[-1, 2], [3, 4], [3, 9], [1, 9]]}

    [found] = read(predictions_of(rotated), Task.OBB).detections

    assert found.box == Box(0, 2, 3, 9)


def test_classes_are_the_best_five() -> None:
    scores = [{"label": f"c{n}", "class_id": n, "confidence": n / 10} for n in range(9)]
    document = json.dumps({"model": {"name": "sorter"}, "classes": scores}).encode()

    found = read(document, Task.CLASSIFY)

    assert found.classes[0] == ClassScore("c8", 8, 0.8)
    assert [each.class_id for each in found.classes] == [8, 7, 6, 5, 4]
    assert why(document.replace(json.dumps(scores).encode(), b"[]"), Task.CLASSIFY) == (
        "classes is empty: write at least the best class"
    )


def test_a_class_id_is_given_or_follows_from_the_labels() -> None:
    given_id = read(predictions_of(one_pill(label="tablet", class_id=7))).detections[0]
    own = read(predictions_of(one_pill(), labels=["pill", "car"])).detections[0]
    agents = read(predictions_of(one_pill())).detections[0]

    assert (given_id.class_id, own.class_id, agents.class_id) == (7, 0, 1)
    assert why(predictions_of(one_pill(label="tablet"))) == (
        "detections[0].label 'tablet' has no class id: write class_id, or list all labels of the "
        "model in model.labels"
    )
    assert why(predictions_of(one_pill(class_id=1), labels=["pill"])) == (
        "detections[0].class_id 1 is not that of the label 'pill' in model.labels"
    )


def test_labels_to_hide_must_be_those_of_the_model() -> None:
    listed = predictions_of(one_pill(), labels=["pill", "face"])

    assert read(listed, redact=("face",)).model.labels == ("pill", "face")
    assert why(predictions_of(one_pill()), redact=("face",)) == (
        "model.labels does not list 'face' of AGENT_REDACT, so nobody knows whether the "
        "application's model finds what must be hidden; list all labels of the model, or unset "
        "AGENT_REDACT"
    )


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"box": [20, 10, 10, 30]}, "detections[0].box [20, 10, 10, 30] is inverted or empty"),
        ({"box": [1, 1, 1, 2]}, "is inverted or empty"),
        ({"box": [0.1, 0.1, 0.5, 0.9]}, "in shares of the image: write pixels of its 640x480"),
        ({"box": [700, 10, 800, 30]}, "has no area inside the image of 640x480"),
        ({"box": [1, 2, 3]}, "detections[0].box has 3 items; allowed are 4"),
        ({"box": [1, 2, 3, "4"]}, 'must be a number, not "4"'),
        ({"box": [1, 2, True, 4]}, "must be a number, not true"),
        ({"box": [1, 2, 10**400, 4]}, "is no finite number"),
        ({"box": None}, "detections[0].box must be a list, not null"),
        ({"confidence": 1.01}, "detections[0].confidence must be between 0 and 1, not 1.01"),
        ({"confidence": None}, "detections[0].confidence must be a number, not null"),
        ({"label": ""}, "detections[0].label has 0 characters; allowed are 1 to 200"),
        ({"label": "x" * 201}, "has 201 characters"),
        ({"label": "a\nb"}, "detections[0].label must be a printable text"),
        ({"label": "\ud800"}, "detections[0].label must be a printable text"),
        ({"class_id": -1}, "detections[0].class_id must be a whole number from 0"),
        ({"class_id": 2**31}, "must be a whole number"),
        ({"class_id": 1.0}, "must be a whole number"),
        ({"score": 1}, "the field score of detections[0] is unknown; allowed are label, class_id"),
    ],
)
def test_an_invalid_detection_is_named(item: dict[str, Any], text: str) -> None:
    assert text in why(predictions_of(one_pill(**item)))


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"", "they are not valid JSON"),
        (b"\xff", "they are not valid JSON"),
        (b"[]", "they must be a JSON object, not []"),
        (b"[" * 100_000, "they are nested too deeply"),
        (b"{" * 100, "they are not valid JSON"),
        (b'{"model": {"name": NaN}}', "they contain NaN, which is no number in JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "they are not valid JSON"),
        (b'{"detections": []}', "the field model is missing"),
        (b'{"model": {}, "detections": []}', "model.name must be a printable text, not null"),
        (b'{"model": "m", "detections": []}', 'model must be a JSON object, not "m"'),
        (b'{"model": {"name": "m"}}', "the field detections is missing; write an empty list"),
        (b'{"model": {"name": "m"}, "detection": []}', "the field detection is unknown"),
        (b'{"model": {"name": "m"}, "detections": [], "classes": []}', "field classes does not"),
        (b'{"model": {"name": "m"}, "classes": []}', "the task of this camera is detect"),
        (b'{"model": {"name": "m", "v": 1}, "detections": []}', "the field v of model is unknown"),
        (b'{"model": {"name": "m"}, "detections": {}}', "detections must be a list, not {}"),
        (b'{"model": {"name": "m"}, "detections": [1]}', "detections[0] must be a JSON object"),
        (b'{"model": {"name": "m", "labels": ["a", "a"]}, "detections": []}', "'a' twice"),
        (b'{"model": {"name": "m", "labels": []}, "detections": []}', "has 0 items; allowed"),
        (b'{"model": {"name": "m", "sha256": "ab"}, "detections": []}', "64 hexadecimal digits"),
        (b" " * 1_000_001, "they have 1000001 bytes; at most 1000000 are accepted"),
    ],
)
def test_a_document_that_is_no_prediction_is_refused(document: bytes, text: str) -> None:
    assert text in why(document)


def test_a_great_number_of_detections_is_refused() -> None:
    many = [one_pill(confidence=0.5)] * 301

    assert why(predictions_of(*many)) == (
        "detections has 301 items at or above AGENT_FLOOR=0.05; at most 300 are accepted: send "
        "the most confident ones"
    )
    assert (
        len(
            read(
                predictions_of(*many, *[one_pill(confidence=0.01)] * 900), floor=0.5 + 1e-9
            ).detections
        )
        == 0
    )
    assert "has 10000 items; allowed are 0 to 5000" in why(predictions_of(*[one_pill()] * 10_000))


def test_objects_with_different_numbers_of_keypoints_are_refused() -> None:
    both = [one_pill(keypoints=[[1, 2]]), one_pill(keypoints=[[1, 2], [3, 4]])]

    assert why(predictions_of(*both), Task.POSE) == (
        "the objects have different numbers of keypoints: 1, 2"
    )


IN_SHARES = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.9], [0.1, 0.9]]


@pytest.mark.parametrize(
    ("task", "shape", "points"),
    [
        (Task.SEGMENT, "polygon", IN_SHARES),
        (Task.OBB, "corners", IN_SHARES),
        (Task.POSE, "keypoints", [[0.4, 0.4, 0.9], [0, 0, 0]]),
    ],
)
def test_points_in_shares_of_the_image_are_refused(
    task: Task, shape: str, points: list[list[float]]
) -> None:
    for item in ({}, {"box": [0, 0, 640, 480]}):
        document = predictions_of({**one_pill(), **item, shape: points})

        assert why(document, task) == (
            f"detections[0].{shape} seems to be in shares of the image: write pixels of its 640x480"
        )


def test_keypoints_that_were_not_seen_may_be_at_zero() -> None:
    found = read(predictions_of(one_pill(keypoints=[[0, 0, 0]] * 2)), Task.POSE)

    assert found.detections[0].keypoints == (Keypoint(0, 0, 0),) * 2


@pytest.mark.parametrize(("task", "shape"), [(Task.SEGMENT, "polygon"), (Task.OBB, "corners")])
def test_an_outline_beside_its_box_is_refused(task: Task, shape: str) -> None:
    beside = one_pill(**{shape: [[100, 10], [120, 10], [120, 30], [100, 30]]})
    above = one_pill(**{shape: [[10, 2], [20, 2], [20, 8], [10, 8]]})
    reaching_over = one_pill(**{shape: [[5, 5], [25, 5], [25, 35], [5, 35]]})

    for item in (beside, above):
        assert "detections[0] has a box of another place than its outline" in why(
            predictions_of(item), task
        )
    assert len(read(predictions_of(reaching_over), task).detections) == 1


def test_a_class_that_is_there_twice_is_refused() -> None:
    twice = [{"label": "pill", "confidence": each} for each in (0.6, 0.2)]
    document = json.dumps({"model": {"name": "m"}, "classes": twice}).encode()

    assert why(document, Task.CLASSIFY) == "classes has 'pill' 2 times: write each label once"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["label", "box", "confidence", "class_id", "polygon", "name"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON, st.sampled_from(Task))
def test_no_value_leads_to_anything_but_a_prediction_or_a_reason(value: Any, task: Task) -> None:
    for whole in (
        value,
        {"model": value, "detections": [value]},
        {"model": {"name": "m"}, "detections": value},
        {"model": {"name": "m"}, "classes": value},
    ):
        document = json.dumps(whole).encode("utf-8", "surrogatepass")
        with contextlib.suppress(InvalidValue):
            read(document, task)


@given(st.lists(st.floats(-1000, 1000), min_size=4, max_size=4), st.floats(0, 1))
def test_what_is_accepted_is_inside_the_image(sides: list[float], confidence: float) -> None:
    try:
        found = read(predictions_of(one_pill(box=sides, confidence=confidence)))
    except InvalidValue:
        return
    for each in found.detections:
        box = each.box
        assert 0 <= box.x_min < box.x_max <= 640
        assert 0 <= box.y_min < box.y_max <= 480
        assert 0.05 <= each.confidence <= 1
        assert all(map(math.isfinite, (box.x_min, box.y_min, box.x_max, box.y_max)))
