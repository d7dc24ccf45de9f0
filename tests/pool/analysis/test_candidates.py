"""The candidate of a row is what the device's selection would have compared."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from agent.camera.address import CameraAddress, SourceKind
from agent.camera.recording import Recording, RecordingTime
from agent.camera.thumbnail import small_grey
from agent.domain import Frame, ModelInfo, Observation
from agent.pool.analysis.candidate import PoolChances, candidate_of, named_with
from agent.pool.analysis.image import pool_image
from agent.pool.rows import PoolRow
from agent.selection.device import Selection
from agent.selection.feedback import Feedback, Side
from agent.selection.frame_context import LOOK_AHEAD
from agent.selection.selector import FrameEvaluation
from agent.selection.similarity import difference_hash
from agent.selection.view import View, view_of
from tests.fakes.feedback import factor, feedback, of_another_model
from tests.pool.analysis.analysed import (
    CAMERA,
    image_item,
    recording_rows,
    row_of,
    street_jpeg,
    usual_parts,
)
from tests.replay.recordings import clip

FPS = 5.0
FRAMES = 9

GIVEN = feedback(
    factor("low_confidence", Side.BELOW, 3.0),
    factor("low_confidence", Side.ABOVE, 0.01),
    factor("flicker", Side.BELOW, 0.3, camera="gate"),
    factor("motion_without_detection", Side.FRAME, 2.0),
    weights={"car": 2.0},
)


def judged(
    observations: list[Observation], given: Feedback | None = None
) -> list[tuple[FrameEvaluation, Observation]]:
    """Return what the device's selection says of the frames of one camera."""
    found: list[FrameEvaluation] = []
    plan = replace(usual_parts().plan, per_day=0, min_value=0.0)
    camera = observations[0].frame.camera
    selection = Selection([camera], plan, new_id=str, explain=found.append)
    selection.use(given)
    for observation in observations:
        selection.observe(observation, observation.frame.at)
    selection.finish(observations[-1].frame.at)
    return list(zip(found, observations, strict=True))


def shown(evaluation: FrameEvaluation, observation: Observation, row: PoolRow) -> View:
    """Return the view of a frame on the device."""
    assert observation.grey is not None
    return view_of(
        observation,
        evaluation.suspects,
        bits=difference_hash(observation.grey),
        now=row.at,
        run=row.item,
    )


def frames_of_clip(fps: float, *, camera: str) -> list[Frame]:
    address = CameraAddress(camera, str(clip()), SourceKind.FILE)
    recording = Recording(address, fps=fps, clock=RecordingTime())
    return list(iter(recording.read, None))


def same(view: View, other: View) -> bool:
    """Whether two views are equal, with their features, which are not compared by `==`."""
    features = [
        [None if each.feature is None else each.feature.tolist() for each in one.places]
        for one in (view, other)
    ]
    return view == other and features[0] == features[1]


def observed(path: Path, *, camera: str) -> Observation:
    image = pool_image(image_item(path, camera), path.read_bytes())
    pixels = image.frame.pixels
    return Observation.of(image.frame, usual_parts().detector.detect(pixels), small_grey(pixels))


def chances(given: Feedback, model: ModelInfo | None = None) -> PoolChances:
    parts = usual_parts()
    return PoolChances(given, parts.plan.thresholds, model or parts.detector.info)


def test_the_view_of_an_image_is_the_one_on_the_device(tmp_path: Path) -> None:
    path = tmp_path / "street.jpg"
    path.write_bytes(street_jpeg())
    row = row_of(path)
    [(evaluation, observation)] = judged([observed(path, camera=CAMERA)])

    candidate = candidate_of(row)

    assert (candidate.key, candidate.id) == (str(path), row.id)
    assert len(candidate.view.places) > 1
    assert same(candidate.view, shown(evaluation, observation, row))


@pytest.mark.parametrize("is_other", [False, True])
def test_with_feedback_each_p_is_the_one_on_the_device(tmp_path: Path, *, is_other: bool) -> None:
    """The file knows the camera by its device's name, the pool as DEVICE/CAMERA."""
    path = tmp_path / "street.jpg"
    path.write_bytes(street_jpeg())
    row = row_of(path)
    model = usual_parts().detector.info
    own = replace(GIVEN, model_sha256=model.sha256)
    given = of_another_model(own) if is_other else own
    [(evaluation, observation)] = judged([observed(path, camera="gate")], given)
    device = replace(observation, frame=replace(observation.frame, camera=CAMERA))

    view = candidate_of(row, chances(given)).view

    assert view != candidate_of(row).view
    assert same(view, shown(evaluation, device, row))
    assert [each.p for each in named_with(row, chances(given))] == [
        each.p for each in evaluation.named
    ]


def test_all_frames_of_a_recording_are_judged_as_on_the_device() -> None:
    """With neighbours, tracks and motion; temporal rules name some of the suspects."""
    parts = replace(usual_parts(), fps=FPS)
    rows = list(islice(recording_rows(parts), FRAMES))
    frames = frames_of_clip(FPS, camera="gate")[: FRAMES + LOOK_AHEAD]
    detector = usual_parts().detector
    seen = [Observation.of(f, detector.detect(f.pixels), small_grey(f.pixels)) for f in frames]
    given = replace(GIVEN, model_sha256=detector.info.sha256)

    found = judged(seen, given)[:FRAMES]

    assert {each.rule for row in rows for each in row.suspects} >= {"low_confidence", "flicker"}
    for row, (evaluation, observation) in zip(rows, found, strict=True):
        device = replace(observation, frame=replace(observation.frame, camera=CAMERA))
        assert row.frame == observation.frame.source_frame
        assert same(candidate_of(row, chances(given)).view, shown(evaluation, device, row))
        assert row.is_degraded == evaluation.quality.is_degraded


def test_a_camera_that_the_file_names_in_full_is_that_one() -> None:
    """A record of a bare image has the camera of the pool."""
    given = feedback(
        factor("low_confidence", Side.BELOW, 0.5, camera=CAMERA),
        factor("low_confidence", Side.BELOW, 0.25, camera="gate"),
    )
    parts = replace(usual_parts(), fps=FPS)
    row = next(row for row in recording_rows(parts) if row.suspects)
    suspect = next(each for each in row.suspects if each.side is Side.BELOW)
    suspect = replace(suspect, rule="low_confidence", p=0.4)
    found = chances(replace(given, model_sha256=parts.detector.info.sha256))

    assert found.p(suspect, CAMERA) == pytest.approx(0.2)
    assert found.p(suspect, "other/gate") == pytest.approx(0.1)
    assert found.p(suspect, "gate") == pytest.approx(0.1)
    assert found.p(suspect, "other/yard") == pytest.approx(0.4)
