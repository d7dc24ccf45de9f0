"""Which frames the model may label itself: those in which it is certainly right.

A class is trusted from a confidence on if reviews of random captures promise a precision there: the
lower bound of its 95 % interval, not the estimate, must reach `AGENT_AUTO_PRECISION`. A frame is
labelled by the model only if all of its objects are of trusted confidence and nothing in it may be
missing: a label that lacks an object teaches the model not to see it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agent.domain import (
    AutoLabel,
    ClassScore,
    Detection,
    Observation,
    Suspect,
    Thresholds,
    TrustedClass,
)
from agent.selection.feedback import Feedback
from agent.selection.image_quality import ImageQuality
from agent.selection.rules.confidence import LowConfidence
from agent.selection.suspects import LEAST_P, nearness

MOST_EXPECTED = 0.1
"""Failures that a label of the whole frame may be expected to show; more, and a person must look.

So at most one frame in ten has an error, by the rules' own `p`. Faint boxes are most of it: of 0.2,
with a threshold of 0.5, each has 0.027."""


class AutoRefusal(StrEnum):
    """Why a frame is not labelled by the model."""

    NO_FEEDBACK = "no feedback file for this model"
    EMPTY = "no detection reaches its threshold"
    UNTRUSTED = "a class is not trusted"
    BELOW_TRUST = "a detection is below the trusted confidence of its class"
    DOUBTFUL = "something in the frame is doubtful"
    INVALID = "the model's output was incomplete"
    QUALITY = "the image is degraded"
    SHOWN = "all of it is in captures that were kept"
    ANOTHER_IS_BETTER = "another frame shows more that is new"


@dataclass(frozen=True, slots=True)
class AutoTrust:
    """The classes that may be labelled by one model, each from a confidence on."""

    precision: float  # that a class must have, 0 to 1
    model_sha256: str = ""
    classes: Mapping[str, TrustedClass] = field(default_factory=dict)


def trust_in(feedback: Feedback | None, precision: float) -> AutoTrust:
    """Return what a feedback file allows; nothing without one.

    `precision`: what the lower bound of a class must reach, 0 to 1.
    """
    if feedback is None:
        return AutoTrust(precision)
    found = {}
    for each in feedback.classes:
        confidence = feedback.trusted_confidence(each.label, precision)
        if confidence is not None:
            low = next(t.precision_low for t in each.trust if t.confidence == confidence)
            found[each.label] = TrustedClass(each.label, confidence, low)
    return AutoTrust(precision, feedback.model_sha256, found)


def auto_label_of(
    observation: Observation,
    named: Sequence[Suspect],
    quality: ImageQuality,
    *,
    thresholds: Thresholds,
    trust: AutoTrust,
) -> AutoLabel | AutoRefusal:
    """Return why the model's labels of a frame may be trusted, or why not.

    Args:
        observation: The frame and the model's output.
        named: All that the rules name in it.
        quality: Of the image.
        thresholds: From which confidence on a detection counts.
        trust: The classes that are trusted.
    """
    counted = counted_objects(observation, thresholds)
    refusal = _unfit(observation, quality, trust) or _untrusted(counted, trust)
    if refusal is not None:
        return refusal
    if _expected(observation, named, thresholds) > MOST_EXPECTED:
        return AutoRefusal.DOUBTFUL
    labels = dict.fromkeys(each.label for each in counted)
    lowest = min(each.confidence for each in counted)
    return AutoLabel(trust.precision, tuple(trust.classes[label] for label in labels), lowest)


def _unfit(observation: Observation, quality: ImageQuality, trust: AutoTrust) -> AutoRefusal | None:
    """Return why no class of the frame can be trusted; None if it can."""
    model = observation.model
    if not trust.model_sha256 or (model is not None and model.sha256 != trust.model_sha256):
        return AutoRefusal.NO_FEEDBACK
    if observation.invalid:
        return AutoRefusal.INVALID
    return None if quality is ImageQuality.CLEAR else AutoRefusal.QUALITY


def _untrusted(counted: Sequence[Detection | ClassScore], trust: AutoTrust) -> AutoRefusal | None:
    """Return why one of the objects cannot be trusted; None if all can."""
    if not counted:
        return AutoRefusal.EMPTY
    classes = [trust.classes.get(each.label) for each in counted]
    if None in classes:
        return AutoRefusal.UNTRUSTED
    is_below = any(
        one is not None and each.confidence < one.confidence
        for each, one in zip(counted, classes, strict=True)
    )
    return AutoRefusal.BELOW_TRUST if is_below else None


def counted_objects(
    observation: Observation, thresholds: Thresholds
) -> list[Detection] | list[ClassScore]:
    """Return what the frame's label would say: detections, or a classifier's best class.

    Only what reaches its threshold.
    """
    if observation.classes:
        best = observation.classes[0]
        return [best] if best.confidence >= thresholds.of(best.label) else []
    return [each for each in observation.detections if each.confidence >= thresholds.of(each.label)]


def _expected(observation: Observation, named: Sequence[Suspect], thresholds: Thresholds) -> float:
    """Return how many failures a label of the frame is expected to show.

    Of several rules on one track or place the highest `p` counts. That a trusted detection is near
    its threshold does not: reviews say more of it. Faint boxes count whether the rule that names
    them is switched on or not.
    """
    faint = {
        each.box: LowConfidence.prior * nearness(each.confidence, thresholds.of(each.label))
        for each in observation.detections
        if each.confidence < thresholds.of(each.label)
    }
    highest: dict[object, float] = {}
    for suspect in named:
        box = suspect.box
        if suspect.rule == LowConfidence.name:
            if box not in faint:
                continue
            del faint[box]
        key = suspect.rule if box is None else suspect.track if suspect.track is not None else box
        highest[key] = max(highest.get(key, 0.0), suspect.p)
    return sum(highest.values()) + sum(p for p in faint.values() if p >= LEAST_P)
