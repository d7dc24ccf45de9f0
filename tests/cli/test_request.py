"""How long a person who asked for a frame waits, and what is said when that was too short."""

import pytest

from agent.cli import request
from agent.domain import ClipSpan


@pytest.mark.parametrize(
    ("wait", "clip", "seconds"),
    [
        (None, None, 10.0),
        (None, ClipSpan(3.0, 12.0), 22.0),
        (4.0, ClipSpan(3.0, 12.0), 4.0),
        (0.0, None, 0.0),
    ],
)
def test_a_clip_may_end_before_the_wait_does(
    wait: float | None, clip: ClipSpan | None, seconds: float
) -> None:
    assert request.seconds_to_wait(wait, clip) == seconds


def test_a_capture_whose_clip_goes_on_is_not_blamed_on_the_disk_alone() -> None:
    line = request.outcome({"camera": "gate", "id": "an-id", "state": "captured", "reason": ""})

    assert line.startswith("gate: an-id captured, but not stored yet: its clip (AGENT_CLIP)")
