"""An object is the same if the model sees the same, whatever the grey crop says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.domain import Box, Detection, Feature, Suspect
from agent.selection.budget.hint import SendHint
from agent.selection.device import Selection, with_features
from agent.selection.frame_context import LOOK_AHEAD, ContextBuilder
from agent.selection.plan import SelectionPlan
from agent.selection.similarity import SAME_FEATURE, features_agree
from agent.selection.suspects import MOST_SUSPECTS
from agent.selection.view import View, view_of
from tests.selection.grey_images import scene
from tests.selection.synthetic_street import THRESHOLDS, observed
from tests.selection.test_cover import PARKED, added, car, cover_of, earlier, with_car

NUMBERS = 128


@dataclass
class PlantedFeatures:
    """Features by box; implements `ObjectFeatures`."""

    source: str
    by_box: Mapping[Box, Feature]

    def features_of(self, boxes: Sequence[Box]) -> list[Feature | None]:
        return [self.by_box.get(box) for box in boxes]


def feature(seed: int, *, changed: float = 0.0) -> Feature:
    """Return a feature; each seed is another object, whose look changed by a share, 0 to 1."""
    draw = np.random.default_rng(seed)
    one, other = (each / np.linalg.norm(each) for each in draw.normal(size=(2, NUMBERS)))
    mixed = (1 - changed) * one + changed * other
    return np.asarray(mixed / np.linalg.norm(mixed), np.float16)


def seen(
    looks: Feature | None, grey: Any, *, source: str = "model", p: float = 0.6, box: Box = PARKED
) -> View:
    """Return what a frame with one suspect shows that has this feature."""
    made = PlantedFeatures(source, {} if looks is None else {box: looks})
    observation = replace(observed(0, [], grey), features=made)
    return view_of(observation, [car(p, box)], bits=None, now=1000.0)


@pytest.mark.parametrize(
    ("looks", "left"),
    [
        (feature(1), 0.0),
        (feature(1, changed=0.2), 0.0),
        (feature(1, changed=0.6), 0.6),
        (feature(2), 0.6),
    ],
)
def test_features_decide_where_the_crops_say_the_opposite(looks: Feature, left: float) -> None:
    """The second frame has another grey crop if the feature is the same, and the reverse."""
    purchased = earlier(seen(feature(1), with_car(1)))
    crop = with_car(1, noise=2) if left else with_car(2, noise=2)

    assert added(cover_of(purchased), seen(looks, crop)) == pytest.approx(left, abs=0.01)


def test_the_same_look_at_another_place_is_another_object() -> None:
    purchased = earlier(seen(feature(1), with_car(1)))
    elsewhere = Box(800, 240, 1000, 400)

    assert added(cover_of(purchased), seen(feature(1), scene(1), box=elsewhere)) == pytest.approx(
        0.6
    )


@pytest.mark.parametrize(
    "later",
    [
        seen(None, with_car(1, noise=2)),
        seen(feature(9), with_car(1, noise=2), source="a model that was loaded since"),
        seen(feature(9), with_car(1, noise=2), source=""),
    ],
)
def test_without_features_of_the_same_model_the_crops_decide(later: View) -> None:
    purchased = earlier(seen(feature(1), with_car(1)))

    assert added(cover_of(purchased), later) == pytest.approx(0.0, abs=0.01)
    assert added(cover_of(earlier(later)), earlier(purchased)) == pytest.approx(0.0, abs=0.01)


@given(st.integers(0, 99), st.floats(0, 1), st.integers(1, 256))
def test_features_survive_a_restart_nearly_unchanged(
    seed: int, changed: float, numbers: int
) -> None:
    looks = feature(seed, changed=changed)[:numbers]
    looks = (looks / np.linalg.norm(looks.astype(np.float32))).astype(np.float16)
    again = SendHint.from_text(SendHint(seen(looks, None)).text).view

    assert again.source == "model"
    [place] = again.places
    assert place.feature is not None
    assert place.feature.dtype == np.float16
    assert cosine(place.feature, looks) == pytest.approx(1, abs=0.001)


def test_a_purchase_is_recognized_after_a_restart() -> None:
    text = SendHint(seen(feature(1), with_car(1))).text
    purchased = SendHint.from_text(text).of_earlier_process().view
    purchased = replace(purchased, run="earlier")

    assert added(cover_of(purchased), seen(feature(1), with_car(2))) == pytest.approx(0.0, abs=0.01)
    assert added(cover_of(purchased), seen(feature(2), with_car(1, noise=2))) == pytest.approx(0.6)


def test_what_an_earlier_version_purchased_is_read_and_compared_by_crops() -> None:
    text = seen(None, with_car(1), source="").text
    purchased = replace(View.from_text("street", text), run="earlier")

    assert text.count('"') < 20  # no features in it
    assert added(cover_of(purchased), seen(feature(1), with_car(1, noise=2))) == pytest.approx(
        0.0, abs=0.01
    )


def test_the_hint_of_a_crowd_with_features_is_bounded() -> None:
    boxes = [Box(30 * n, 100, 30 * n + 100, 300) for n in range(MOST_SUSPECTS)]
    looks = np.random.default_rng(0).normal(size=(MOST_SUSPECTS, 256)) / 16
    planted = {box: each.astype(np.float16) for box, each in zip(boxes, looks, strict=True)}
    observation = replace(observed(0, [], scene(1)), features=PlantedFeatures("m" * 16, planted))
    crowd = [Suspect("flicker", 0.5, "person", box, n) for n, box in enumerate(boxes)]

    text = SendHint(view_of(observation, crowd, bits=2**255, now=1000.0)).text

    assert 10_000 < len(text) < 24_000


@given(st.floats(0, 1))
def test_the_limit_is_a_cosine(share: float) -> None:
    one, other = np.zeros(NUMBERS, np.float16), np.zeros(NUMBERS, np.float16)
    one[0] = 1
    other[:2] = share, (1 - share**2) ** 0.5
    found = features_agree([one, one], [other, one])

    assert found[1]
    assert abs(share - SAME_FEATURE) < 0.001 or found[0] == (share > SAME_FEATURE)


def test_maps_of_evaluated_frames_are_freed() -> None:
    builder, kept = ContextBuilder(THRESHOLDS), []
    for n in range(30):
        planted = PlantedFeatures("model", {})
        builder.push(replace(observed(n, []), features=planted))
        kept.append(sum(o.features is not None for _, o in builder._frames))

    assert max(kept) <= LOOK_AHEAD + 1


def test_a_capture_keeps_the_features_of_its_detections_and_not_the_map() -> None:
    boxes = [Box(10, 10, 50, 90), Box(60, 10, 90, 90)]
    detections = [Detection("person", 0, 0.9, box) for box in boxes]
    planted = PlantedFeatures("model", {boxes[0]: feature(1)})
    plan = SelectionPlan(("low_confidence",), THRESHOLDS, "seed", every_nth=1)
    selection = Selection(["street"], plan, new_id=str)

    captures = selection.observe(replace(observed(0, detections), features=planted), 0.0)
    captures += selection.finish(1.0)

    [kept] = captures
    first, second = kept.observation.detections
    assert kept.observation.features is None
    assert first.feature is not None
    assert cosine(first.feature, feature(1)) == pytest.approx(1, abs=0.01)
    assert second.feature is None
    assert with_features(kept) is kept


def cosine(one: NDArray[np.float16], other: NDArray[np.float16]) -> float:
    return float(one.astype(np.float64) @ other.astype(np.float64))
