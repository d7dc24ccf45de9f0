"""AGENT_CLIP: what it takes, and what can never fit into memory."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import ClipSpan
from agent.factories.images import clip_span
from agent.record.clips import FRAME_BYTES, MOST_FRAMES, RING_BYTES, clip_problem
from agent.settings.load import without_environment
from tests.settings.operator_environment import problems_of, settings_of


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("off", None),
        ("OFF", None),
        ("3s 2s", ClipSpan(3.0, 2.0)),
        ("3", ClipSpan(3.0, 0.0)),
        (" 1m , 500ms ", ClipSpan(60.0, 0.5)),
        ("0 2s", ClipSpan(0.0, 2.0)),
    ],
)
def test_a_good_value_is_read(text: str, span: ClipSpan | None) -> None:
    assert settings_of(AGENT_CLIP=text, AGENT_FPS="2").clip == span


@pytest.mark.parametrize("text", ["3s 2s 1s", "0s", "0 0", "61s", "-3s", "3 s 2 s x", "yes", "1e9"])
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    [problem] = problems_of(AGENT_CLIP=text)

    assert problem.startswith("AGENT_CLIP: must be off, or one or two durations between 0s and 60s")
    assert problem.endswith(f"not {text}")


def test_a_clip_with_too_many_frames_is_refused_with_their_number() -> None:
    [problem] = problems_of(AGENT_CLIP="60s 2s", AGENT_FPS="25")

    assert problem == (
        "AGENT_CLIP: cannot keep 60s 2s at AGENT_FPS=25: it has 1550 frames, and a clip holds "
        "300; choose a shorter clip, or a lower AGENT_FPS"
    )


def test_clips_that_the_memory_cannot_hold_for_all_cameras_are_refused() -> None:
    cameras = " ".join(f"c{n}=/dev/video{n}" for n in range(8))
    [problem] = problems_of(AGENT_CAMERAS=cameras, AGENT_CLIP="8s 2s", AGENT_FPS="25")

    assert problem == (
        "AGENT_CLIP: cannot keep 8s 2s at AGENT_FPS=25 for 8 cameras: they have 2000 frames, and "
        "the memory for clips holds 1280; choose a shorter clip, or a lower AGENT_FPS"
    )


def test_a_wrong_rate_is_told_alone() -> None:
    problems = problems_of(AGENT_CLIP="60s", AGENT_FPS="fast")

    assert [re.sub(":.*", "", each) for each in problems] == ["AGENT_FPS"]


@given(
    before=st.floats(0, 60), after=st.floats(0, 60), fps=st.floats(0, 1000), cameras=st.integers(1)
)
def test_what_is_accepted_fits(before: float, after: float, fps: float, cameras: int) -> None:
    if clip_problem(ClipSpan(before, after), fps=fps, cameras=cameras) is None:
        frames = round((before + after) * fps)
        assert frames <= MOST_FRAMES
        assert frames * cameras * FRAME_BYTES <= RING_BYTES


@pytest.mark.parametrize(
    ("url", "made"),
    [
        (None, True),
        ("https://example.org/captures", True),
        ("dir:/srv/captures", True),
        ("s3://bucket/prefix", True),
        ("roboflow://cars", False),
        ("https://app.roboflow.com/team/cars", False),
        ("label-studio+https://labels.example/projects/1", False),
    ],
)
def test_no_clips_are_made_for_an_endpoint_without_a_place_for_them(
    url: str | None, *, made: bool
) -> None:
    values: dict[str, Any] = {"clip": "3s 2s", "upload_url": url}

    assert (clip_span(without_environment(**values)) is not None) is made
