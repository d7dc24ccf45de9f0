"""Recordings: all rules, and the same rows however often the analysis was killed."""

from dataclasses import replace
from functools import cache
from math import inf
from pathlib import Path

import pytest

from agent.domain import Pixels, Prediction
from agent.errors import UnusableImage
from agent.pool.analysis import recordings
from agent.pool.analysis.candidate import candidate_of
from agent.pool.analysis.parts import AnalysisParts
from agent.pool.analysis.recordings import RecordingAnalysis
from agent.pool.items import ItemKind, PoolItem
from agent.pool.rows import PoolRow
from tests.camera.encoded import clip_frames, encode
from tests.pool.analysis.analysed import CAMERA, recording_rows, usual_parts
from tests.replay.recordings import ConstantDetector, clip

FPS = 5.0


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the rules start again after each 75 frames of the recording: 15 that are analysed."""
    monkeypatch.setattr(recordings, "SEGMENT", 75)


def constant_parts() -> AnalysisParts:
    """Return an analysis with a model that sees the same in each frame, at once."""
    return replace(usual_parts(), detector=ConstantDetector(), fps=FPS)


@cache
def all_rows(_segment: int) -> list[PoolRow]:
    """Return the rows of the whole street video."""
    return list(recording_rows(constant_parts()))


class CountingDetector(ConstantDetector):
    """Counts the frames that it sees."""

    runs = 0

    def detect(self, pixels: Pixels) -> Prediction:
        self.runs += 1
        return super().detect(pixels)


@pytest.mark.usefixtures("short_segments")
def test_a_run_that_goes_on_after_a_kill_finds_what_it_would_have_found() -> None:
    """After any frame: the tracks, events and qualities are those of a run without a kill."""
    parts = constant_parts()
    rows = all_rows(recordings.SEGMENT)

    assert len(rows) == 50
    assert all(row.suspects for row in rows)
    for kept in (7, 38):
        next_frame = (rows[kept - 1].frame or 0) + 1
        assert list(recording_rows(parts, first_frame=next_frame)) == rows[kept:]


@pytest.mark.usefixtures("short_segments")
def test_going_on_costs_at_most_the_segment() -> None:
    parts = replace(constant_parts(), detector=(detector := CountingDetector()))

    list(recording_rows(parts, first_frame=200))

    assert detector.runs == 20  # of the frames from 150 on


@pytest.mark.usefixtures("short_segments")
def test_tracks_of_two_segments_are_different_objects() -> None:
    rows = all_rows(recordings.SEGMENT)
    tracks = [{each.track for each in row.suspects if each.box is not None} for row in rows]

    assert tracks[3] == tracks[4]
    assert set().union(*tracks[:15]).isdisjoint(set().union(*tracks[15:30]))


def test_frames_of_two_recordings_never_share_a_track() -> None:
    rows = all_rows(recordings.SEGMENT)
    other = replace(rows[0], key=f"/other.mp4#{rows[0].frame}")

    assert candidate_of(rows[0]).view.run == str(clip())
    assert candidate_of(rows[0]).view.run != candidate_of(other).view.run


def test_each_frame_has_a_key_an_id_and_a_time() -> None:
    rows = all_rows(recordings.SEGMENT)

    assert [row.key for row in rows[:3]] == [f"{clip()}#{n}" for n in (0, 5, 10)]
    assert len({row.id for row in rows}) == len(rows)
    assert [round(row.at, 2) for row in rows[:3]] == [0.0, 0.2, 0.4]
    assert {row.sha256 for row in rows} == {""}
    assert {row.camera for row in rows} == {CAMERA}


def test_the_frames_are_got_again() -> None:
    parts = constant_parts()
    rows = all_rows(recordings.SEGMENT)
    item = PoolItem(str(clip()), ItemKind.RECORDING, CAMERA)

    frames = list(RecordingAnalysis(parts).frames(item, [10, 100]))

    assert [frame.source_frame for frame in frames] == [10, 100]
    assert [frame.at for frame in frames] == [rows[2].at, rows[20].at]
    with pytest.raises(UnusableImage, match="it has changed since it was analysed"):
        list(RecordingAnalysis(parts).frames(item, [10, 3_000]))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file is empty"),
        (b"<html>" * 100, "FFmpeg finds no video in it"),
    ],
)
def test_a_recording_that_cannot_be_read_is_one_row(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)

    [row] = recording_rows(constant_parts(), path=path)

    assert (row.key, row.frame) == (str(path), None)
    assert why in row.problem


def test_a_recording_that_is_cut_off_has_rows_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "cut.ts"
    path.write_bytes(encode(clip_frames(clip(), 100))[:60_000])

    rows = list(recording_rows(constant_parts(), path=path))

    assert 1 < len([row for row in rows if not row.problem]) < 50


class FailingDetector(ConstantDetector):
    """Fails on each third frame."""

    runs = 0

    def detect(self, pixels: Pixels) -> Prediction:
        self.runs += 1
        if self.runs % 3 == 0:
            return Prediction(self.info, invalid=True, failure="out of memory")
        return super().detect(pixels)


def test_a_frame_on_which_the_model_fails_is_named_and_never_chosen() -> None:
    rows = list(recording_rows(replace(constant_parts(), detector=FailingDetector())))

    failed = [row for row in rows if row.problem]
    assert [row.frame for row in rows] == list(range(0, 250, 5))
    assert [row.frame for row in failed] == list(range(10, 250, 15))
    assert failed[0].problem == "cannot analyse the image: the model fails: out of memory"
    assert failed[0].key == f"{clip()}#10"


class OverflowingDetector(ConstantDetector):
    """Returns a number on the first frame that JSON cannot hold."""

    is_first = True

    def detect(self, pixels: Pixels) -> Prediction:
        found = super().detect(pixels)
        if not self.is_first:
            return found
        self.is_first = False
        return replace(found, detections=(replace(found.detections[0], corners=((inf, 0.0),) * 4),))


def test_a_frame_whose_record_would_have_such_a_number_is_named_and_the_others_go_on() -> None:
    rows = list(recording_rows(replace(constant_parts(), detector=OverflowingDetector())))

    assert "a number that is not finite" in rows[0].problem
    assert [row.frame for row in rows if not row.problem] == list(range(5, 250, 5))
