"""Feedback files of a few groups."""

from dataclasses import replace

from agent.domain import ModelInfo, Task, Thresholds
from agent.selection.feedback import ClassFeedback, Feedback, Side, SuspectFactor

MODEL = ModelInfo("nano", "ab" * 32, Task.DETECT, "CPUExecutionProvider", ("car", "person"))


def factor(
    rule: str,
    side: Side,
    factor: float,
    *,
    label: str | None = None,
    camera: str | None = None,
    reviewed: float = 40,
) -> SuspectFactor:
    """Return what reviews said of one group; its failures agree with the factor."""
    expected = reviewed / 4
    return SuspectFactor(rule, side, label, camera, reviewed, expected * factor, expected, factor)


def feedback(*groups: SuspectFactor, weights: dict[str, float] | None = None) -> Feedback:
    """Return the feedback of 41 captures of `MODEL`, at the threshold of 0.5."""
    classes = tuple(
        ClassFeedback(label, None, 0, 0, weight, None) for label, weight in (weights or {}).items()
    )
    return Feedback(
        "2026-11-29T12:00:00.000Z",
        "0.1.0",
        MODEL.name,
        MODEL.sha256,
        41,
        groups,
        classes,
        Thresholds(0.5),
    )


def of_another_model(given: Feedback) -> Feedback:
    """Return the same reviews, of another model's captures."""
    return replace(given, model_name="older", model_sha256="cd" * 32)
