"""What the spool keeps of how a place looks shows nothing recognizable of AGENT_REDACT."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from agent.domain import Box, Detection, Feature, Observation, Suspect, Thresholds
from agent.selection.budget.hint import SendHint
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.selection.similarity import COARSE_SIDE, CROP_SIDE, coarse
from agent.selection.view import View, view_of
from tests.fakes.captures import capture_id
from tests.selection.grey_images import scene
from tests.selection.synthetic_street import observed

PERSON = Box(400, 240, 600, 400)  # pixels of 1280 x 720
INSIDE = Box(450, 260, 520, 330)
ELSEWHERE = Box(900, 500, 1100, 700)
BOXES = {"person": PERSON, "face": INSIDE, "car": ELSEWHERE}


def doubtful(*labels: str) -> Observation:
    found = [Detection(label, 0, 0.3, BOXES[label]) for label in labels]
    grey = np.random.default_rng(2).integers(0, 256, (180, 320), np.uint8)
    return replace(observed(0, [], grey), detections=tuple(found))


def seen(observation: Observation, *labels: str, redact: Sequence[str] = ("person",)) -> View:
    suspects = [Suspect("flicker", 0.5, label, BOXES[label]) for label in labels]
    return view_of(observation, suspects, bits=None, now=0.0, redact=redact)


def levels(view: View, place: int) -> int:
    """Return how many grey levels a crop has."""
    return len(set(view.places[place].crop or b""))


def test_a_crop_that_shows_a_redacted_label_has_a_few_blocks() -> None:
    view = seen(doubtful("person", "car"), "person", "face", "car")

    assert levels(view, 0) <= COARSE_SIDE**2
    assert levels(view, 1) <= COARSE_SIDE**2  # another label, at the same place
    assert levels(view, 2) > COARSE_SIDE**2


class SameFeature:
    """Gives each box the same feature."""

    source = "m"

    def features_of(self, boxes: Sequence[Box]) -> list[Feature | None]:
        return [np.ones(64, np.float16) / np.float16(8) for _ in boxes]


def test_the_spool_keeps_no_feature_of_a_redacted_label() -> None:
    featured = replace(doubtful("person", "car"), features=SameFeature())

    view = seen(featured, "person", "face", "car")

    assert [place.feature is None for place in view.places] == [True, True, False]
    assert [place.feature is None for place in seen(featured, "person", redact=()).places] == [
        False
    ]


def test_one_that_the_model_missed_in_this_frame_is_coarse_too() -> None:
    assert levels(seen(doubtful("car"), "person"), 0) <= COARSE_SIDE**2


def test_all_crops_are_coarse_where_nobody_knows_the_places() -> None:
    invalid = replace(doubtful("car"), invalid=True)

    assert levels(seen(invalid, "car"), 0) <= COARSE_SIDE**2


def test_without_the_setting_crops_are_as_they_were() -> None:
    assert levels(seen(doubtful("person"), "person", redact=()), 0) > COARSE_SIDE**2


def test_coarse_blocks_are_means() -> None:
    crop = bytes(range(CROP_SIDE * CROP_SIDE))

    blocks = np.frombuffer(coarse(crop), np.uint8).reshape(CROP_SIDE, CROP_SIDE)

    assert blocks[0, 0] == np.frombuffer(crop, np.uint8).reshape(CROP_SIDE, -1)[:4, :4].mean() // 1
    assert len(np.unique(blocks)) <= COARSE_SIDE**2


@pytest.mark.parametrize("redact", [(), ("person",)])
def test_the_hint_of_a_capture_has_coarse_crops_alone(redact: tuple[str, ...]) -> None:
    """The hint is what the spool writes: each grey crop in it is read back."""
    plan = SelectionPlan(
        ["low_confidence"], Thresholds(0.5), "seed", is_random=False, per_day=1000, redact=redact
    )
    selection = Selection(["gate"], plan, new_id=lambda _wall: capture_id(1))
    frame = doubtful("person")
    captures = []
    for n in range(12):
        grey = scene(n)
        near = replace(frame.frame, camera="gate", sequence=n, at=n / 5, stream="boot")
        captures += selection.observe(replace(frame, frame=near, grey=grey), 200.0 * n)
    captures += selection.finish(1e6)

    assert captures
    for capture in captures:
        view = SendHint.from_text(capture.hint).view
        assert view.places
        for place in view.places:
            is_coarse = place.crop is None or coarse(place.crop) == place.crop
            assert is_coarse == bool(redact)
