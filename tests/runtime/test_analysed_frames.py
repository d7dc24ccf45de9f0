"""What the model found in each frame, told without the frame's pixels."""

from dataclasses import replace

import numpy as np

from agent.domain import Box, ClassScore, Detection, ModelInfo, Observation, Task
from agent.runtime.analysed_frames import DescribedFrames
from agent.runtime.listeners import Listeners
from tests.fakes.captures import Outline, frame
from tests.runtime.runtime_builders import MAKER, MODEL


def described() -> tuple[Listeners[Observation], DescribedFrames]:
    analysed: Listeners[Observation] = Listeners()
    return analysed, DescribedFrames(analysed, MAKER)


def test_a_listener_gets_the_frame_without_its_images_and_the_pipeline_keeps_them() -> None:
    analysed, frames = described()
    got: list[Observation] = []
    stop = frames.listen(got.append)
    seen = Observation(replace(frame(), jpeg=b"x"), (), grey=np.zeros((180, 320), np.uint8))
    analysed.tell(seen)
    stop()
    analysed.tell(seen)

    [light] = got
    assert light.frame.pixels.shape == seen.frame.pixels.shape
    assert light.frame.pixels.strides == (0, 0, 0)  # one number stands for all
    assert (light.grey, light.frame.jpeg) == (None, None)
    assert seen.frame.jpeg == b"x"
    assert not analysed


def test_the_threshold_is_told_and_outlines_are_computed_only_when_asked_for() -> None:
    _, frames = described()
    mask = Outline()
    sure = Detection("car", 0, 0.5, Box(0.0, 0.0, 2.0, 2.0), mask=mask)
    seen = Observation(frame(sequence=7), (sure, Detection("car", 0, 0.4, Box(1.0, 1.0, 9.0, 2.0))))

    plain = frames.facts(seen, shapes=False)
    assert mask.asked == 0
    with_shapes = frames.facts(seen, shapes=True)

    assert plain["sequence"] == 7
    assert (plain["width"], plain["height"]) == (6, 4)
    assert plain["detections"] == [
        {"label": "car", "class_id": 0, "confidence": 0.5, "box": [0, 0, 2, 2], "above": True},
        {"label": "car", "class_id": 0, "confidence": 0.4, "box": [1, 1, 6, 2], "above": False},
    ]
    assert with_shapes["detections"][0]["polygon"] == [[1, 1], [5, 1], [5, 3]]


def test_a_classifier_has_classes_and_names_its_own_model() -> None:
    _, frames = described()
    model = ModelInfo("pills", "1" * 64, Task.CLASSIFY, "CPUExecutionProvider", ("ok", "broken"))
    assert model != MODEL
    seen = Observation(frame(), (), classes=(ClassScore("ok", 0, 0.9),), model=model)
    facts = frames.facts(seen, shapes=False)

    assert facts["classes"] == [{"label": "ok", "class_id": 0, "confidence": 0.9, "above": True}]
    assert "detections" not in facts
    assert facts["model"] == {"name": "pills"}
