"""Feedback: what reviews said of the agent's suspects, as one small file for the devices.

A desk writes it and a device reads it, so its form is here, below both. The file is canonical JSON;
its field `sha256` is the hash of the rest, so that a torn or edited file is refused, and a record
can name the feedback that it was made with.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from agent.domain import ModelInfo, Thresholds
from agent.record.verdicts import is_time

SCHEMA = 1
LONGEST = 4_000_000
"""Bytes of a feedback file; those of a fleet of a hundred cameras have some 200,000."""

FACTOR_MAX = 20.0
"""The most by which reviews multiply a rule's `p`, which stays at most 1."""

WEIGHT_MIN, WEIGHT_MAX = 0.5, 2.0
"""Bounds of a class's weight, so that no class takes all credits."""


SAME_THRESHOLD = 0.02
"""Thresholds that differ by more turn the doubtful side: factors of such a label are ignored."""


class Side(StrEnum):
    """Where a suspect is, relative to its label's threshold."""

    ABOVE = "above"  # reported to the application: perhaps false
    BELOW = "below"  # not reported: perhaps missing
    FRAME = "frame"  # a suspect without a place


@dataclass(frozen=True, slots=True)
class SuspectFactor:
    """How often suspects of one group were failures, against what their rule expected."""

    rule: str
    side: Side
    label: str | None  # None: of all labels
    camera: str | None  # None: of all cameras
    reviewed: float  # suspects of which the outcome is known
    failures: float  # of them; fractions where a person said only that the frame is wrong
    expected: float  # the sum of their `p` by the rule alone
    factor: float  # what the rule's `p` is multiplied by, 0 to `FACTOR_MAX`


@dataclass(frozen=True, slots=True)
class Trust:
    """What random captures promise of a class from one confidence on."""

    confidence: float  # 0 to 1
    precision_low: float  # lower bound of the precision from it on, 95 % confidence
    reviewed: int  # boxes from it on


@dataclass(frozen=True, slots=True)
class ClassFeedback:
    """What reviews said of one class."""

    label: str
    ap50: float | None  # None: no reviewed random capture has an object of it
    objects: int  # in reviewed captures
    deficit: int  # objects that the dataset lacks
    weight: float  # what a failure of it is worth, about 1
    best_threshold: float | None  # of the best F1; proposed only
    trust: tuple[Trust, ...] = ()  # by confidence, rising


@dataclass(frozen=True, slots=True)
class Feedback:
    """The content of a feedback file."""

    made_at: str  # RFC 3339
    agent: str  # version that made it
    model_name: str
    model_sha256: str
    captures: int  # reviewed captures that it is made from
    suspects: tuple[SuspectFactor, ...] = ()
    classes: tuple[ClassFeedback, ...] = ()
    thresholds: Thresholds | None = None  # of the reviewed captures: they say which side is which

    @property
    def sha256(self) -> str:
        """The hash that names this feedback in records."""
        return _hash(_content(self))

    @property
    def labels(self) -> frozenset[str]:
        """All labels of which it says something."""
        named = {each.label for each in self.suspects if each.label}
        return frozenset(named | {each.label for each in self.classes})

    def is_of_other_model(self, model: ModelInfo) -> bool:
        """Whether the reviews were of captures of another model: then factors count half."""
        return model.sha256 != self.model_sha256

    def trusted_confidence(self, label: str, precision: float) -> float | None:
        """Return the lowest confidence from which a class is as precise as that; None if none is.

        `precision`: the lower bound must reach it, 0 to 1.
        """
        for each in self.classes:
            if each.label == label:
                reached = (t.confidence for t in each.trust if t.precision_low >= precision)
                return min(reached, default=None)
        return None


Groups = Mapping[tuple[str, Side, str | None, str | None], float]
"""Factors by rule, side, label and camera; None stands for all."""


def factor_of(groups: Groups, rule: str, side: Side, *, label: str, camera: str) -> float:
    """Return the factor of a suspect: that of the most specific group with reviews, else 1.

    Where label and camera have factors of their own, and their combination has none, both count,
    as effects that multiply: label x camera / (rule and side).
    """
    own = groups.get((rule, side, label, camera))
    if own is not None:
        return own
    base = groups.get((rule, side, None, None), 1.0)
    of_label = groups.get((rule, side, label, None), base)
    of_camera = groups.get((rule, side, None, camera), base)
    return min(FACTOR_MAX, of_label * of_camera / base) if base > 0 else 0.0


def feedback_bytes(feedback: Feedback) -> bytes:
    """Return the file of a feedback."""
    content = _content(feedback)
    return json.dumps({**content, "sha256": _hash(content)}, indent=1).encode() + b"\n"


def parse_feedback(data: bytes) -> Feedback:
    """Return the content of a feedback file; raise `ValueError`, with the reason, for any other."""
    if len(data) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} bytes")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is not valid JSON") from None
    if not isinstance(content, dict) or "sha256" not in content:
        raise ValueError("it is no feedback file: it has no `sha256`")
    stated = content.pop("sha256")
    if content.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {content.get('schema')!r}; this agent reads {SCHEMA}")
    if _hash(content) != stated:
        raise ValueError("it is damaged or was edited: its content has another hash than `sha256`")
    try:
        return _parsed(content)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"it lacks a field, or has one of another type: {error}") from None


def _content(feedback: Feedback) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "made_at": feedback.made_at,
        "agent": feedback.agent,
        "model": {"name": feedback.model_name, "sha256": feedback.model_sha256},
        "captures": feedback.captures,
        "thresholds": _thresholds(feedback.thresholds),
        "suspects": [asdict(each) for each in feedback.suspects],
        "classes": [
            {**asdict(each), "trust": [asdict(t) for t in each.trust]} for each in feedback.classes
        ],
    }


def _thresholds(thresholds: Thresholds | None) -> dict[str, Any] | None:
    if thresholds is None:
        return None
    return {"default": thresholds.default, "labels": dict(thresholds.labels)}


def _hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _parsed(content: Mapping[str, Any]) -> Feedback:
    if not is_time(content["made_at"]):
        raise ValueError("its `made_at` is no time")
    return Feedback(
        content["made_at"],
        _text(content["agent"]),
        _text(content["model"]["name"]),
        _text(content["model"]["sha256"]),
        int(_number(content["captures"])),
        tuple(_factor(each) for each in content["suspects"]),
        tuple(_class(each) for each in content["classes"]),
        _read_thresholds(content.get("thresholds")),
    )


def _read_thresholds(content: Mapping[str, Any] | None) -> Thresholds | None:
    if content is None:
        return None
    labels = {_text(name): _number(value, 1.0) for name, value in content["labels"].items()}
    return Thresholds(_number(content["default"], 1.0), labels)


def _factor(each: Mapping[str, Any]) -> SuspectFactor:
    return SuspectFactor(
        _text(each["rule"]),
        Side(each["side"]),
        None if each["label"] is None else _text(each["label"]),
        None if each["camera"] is None else _text(each["camera"]),
        _number(each["reviewed"]),
        _number(each["failures"]),
        _number(each["expected"]),
        _number(each["factor"], FACTOR_MAX),
    )


def _class(each: Mapping[str, Any]) -> ClassFeedback:
    return ClassFeedback(
        _text(each["label"]),
        None if each["ap50"] is None else _number(each["ap50"], 1.0),
        int(_number(each["objects"])),
        int(_number(each["deficit"])),
        _number(each["weight"], WEIGHT_MAX),
        None if each["best_threshold"] is None else _number(each["best_threshold"], 1.0),
        tuple(
            Trust(
                _number(t["confidence"], 1.0),
                _number(t["precision_low"], 1.0),
                int(_number(t["reviewed"])),
            )
            for t in each["trust"]
        ),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object, most: float = 1e9) -> float:
    """Return a number from 0 to `most`; raise `ValueError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    if not math.isfinite(value) or not 0 <= value <= most:
        raise ValueError(f"{value!r} is not a number from 0 to {most:g}")
    return value  # an integer stays one: the hash is that of the text
