"""Places of the labels in AGENT_REDACT cannot be recognized in an image that leaves the process."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Box, Detection, EncodedImage, ModelInfo, Observation, Pixels, Suspect, Task
from agent.record.image import JpegEncoder
from agent.record.pixelate import BLOCKS, pixelated
from agent.record.redacted import RecentPlaces, redacted_parts
from tests.fakes.captures import observed_pixels
from tests.search import examples

REDACT = ("person", "license plate")


def stripes(width: int = 320, height: int = 240) -> Pixels:
    """Return columns that are black and white in turn, 2 pixels wide: detail that must go."""
    row = (np.arange(width) // 2 % 2 * 255).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def found(label: str, *box: float, confidence: float = 0.9) -> Detection:
    return Detection(label, 0, confidence, Box(*box))


def seen(*detections: Detection, pixels: Pixels | None = None) -> Observation:
    return observed_pixels(stripes() if pixels is None else pixels, *detections)


def decoded(image: EncodedImage) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(pixels, np.uint8)


def detail(pixels: Pixels) -> float:
    """Return the mean difference of neighbouring pixels: 127 in the stripes, 0 in one colour."""
    return float(np.abs(np.diff(pixels[:, :, 0].astype(int), axis=1)).mean())


def test_a_box_of_the_label_shows_no_detail_and_all_else_does() -> None:
    observation = seen(found("person", 100, 40, 160, 200), found("dog", 200, 40, 300, 200))

    image = JpegEncoder(quality=95, redact=REDACT).encode(observation)

    shown = decoded(image)
    assert detail(shown[40:200, 100:160]) < 12
    assert detail(shown[40:200, 200:300]) > 80
    [part] = image.hidden
    assert part.label == "person"
    assert part.box == Box(94, 24, 166, 216)  # with its margin
    assert (observation.frame.pixels == stripes()).all()


def test_a_faint_detection_is_pixelated_too() -> None:
    image = JpegEncoder(quality=95, redact=REDACT).encode(
        seen(found("license plate", 10, 10, 90, 50, confidence=0.05))
    )

    assert detail(decoded(image)[10:50, 10:90]) < 12


def test_a_person_that_the_model_missed_here_and_saw_before_is_pixelated() -> None:
    missed = Suspect("flicker", 0.6, "person", Box(100.0, 40.0, 160.0, 200.0))
    other = Suspect("flicker", 0.6, "dog", Box(200.0, 40.0, 300.0, 200.0))

    image = JpegEncoder(quality=95, redact=REDACT).encode(seen(), [missed, other])

    assert detail(decoded(image)[40:200, 100:160]) < 12
    assert [part.label for part in image.hidden] == ["person"]


def test_a_suspect_that_is_a_detection_is_one_part() -> None:
    person = found("person", 100, 40, 160, 200)
    suspect = Suspect("low_confidence", 0.6, "person", person.box)

    assert len(redacted_parts(seen(person), REDACT, [suspect])) == 1


def test_a_place_stays_hidden_for_a_moment_in_the_frames_of_a_clip() -> None:
    places = RecentPlaces()
    person = found("person", 100, 40, 160, 200)

    def at(seconds: float, *detections: Detection) -> Observation:
        made = seen(*detections)
        return replace(made, frame=replace(made.frame, at=seconds))

    assert places.before(at(0.0, person)) == []
    assert [each.box for each in places.before(at(0.5))] == [person.box]
    assert [each.box for each in places.before(at(0.9))] == [person.box]
    assert places.before(at(1.6)) == []
    places.before(at(1.7, person))
    assert places.before(at(0.0)) == []  # another recording


def test_a_margin_ends_at_the_edge_of_the_frame() -> None:
    [part] = redacted_parts(seen(found("person", 0, 0, 320, 240)), REDACT)

    assert part.box == Box(0, 0, 320, 240)


def test_a_shrunken_image_is_pixelated_at_full_size_first() -> None:
    observation = seen(found("person", 100, 40, 160, 200))

    image = JpegEncoder(quality=95, max_side=160, redact=REDACT).encode(observation)

    assert detail(decoded(image)[20:100, 50:80]) < 12


MODEL = ModelInfo("m", "0" * 64, Task.DETECT, "CPU", ("person", "license plate", "dog"))


@pytest.mark.parametrize(
    "observation",
    [
        replace(seen(), invalid=True),
        replace(seen(), is_still=True),
        replace(seen(found("dog", 0, 0, 9, 9)), model=replace(MODEL, labels=("dog", "person"))),
    ],
    ids=["output incomplete", "output of another frame", "model without the label"],
)
def test_where_nobody_knows_the_places_the_whole_image_is_pixelated(
    observation: Observation,
) -> None:
    image = JpegEncoder(quality=95, redact=REDACT).encode(observation)

    assert detail(decoded(image)) < 3
    [part] = image.hidden
    assert (part.label, part.box) == ("", Box(0, 0, 320, 240))


def test_without_the_setting_nothing_is_pixelated() -> None:
    observation = replace(seen(found("person", 0, 0, 320, 240)), invalid=True)

    image = JpegEncoder(quality=95).encode(observation)

    assert detail(decoded(image)) > 80
    assert image.hidden == ()


def test_a_model_with_the_labels_that_sees_none_hides_nothing() -> None:
    observation = replace(seen(found("dog", 0, 0, 320, 240)), model=MODEL)

    assert redacted_parts(observation, REDACT) == ()


places = st.tuples(st.floats(0, 300), st.floats(0, 220), st.floats(0, 320), st.floats(0, 240)).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


@given(st.lists(places, min_size=1, max_size=4))
@settings(deadline=None, max_examples=examples(40))
def test_no_place_has_more_than_a_few_colours(boxes: list[tuple[float, ...]]) -> None:
    random = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    observation = seen(*(found("person", *box) for box in boxes), pixels=random)
    parts = redacted_parts(observation, REDACT)

    shown = pixelated(random, parts)

    last = parts[-1].box
    assert last is not None
    rows = slice(int(last.y_min), int(np.ceil(last.y_max)))
    columns = slice(int(last.x_min), int(np.ceil(last.x_max)))
    assert len(np.unique(shown[rows, columns].reshape(-1, 3), axis=0)) <= BLOCKS * BLOCKS
    for box in boxes:  # each pixel of each box is another than it was, but by chance
        inside = (slice(int(box[1]), int(box[3])), slice(int(box[0]), int(box[2])))
        if random[inside].shape[0] * random[inside].shape[1] > 50:
            assert (shown[inside] == random[inside]).all(axis=2).mean() < 0.1
