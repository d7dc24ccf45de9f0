"""Settings: which frames are captured, and the labelling budget."""

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from agent.domain import Thresholds
from agent.quoted_words import split_words
from agent.selection.rules import RULE_NAMES
from agent.settings.describe import OWN_WORDS
from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import DAY_S, Duration, SettingsGroup, words
from agent.settings.units import one_line


class SelectionSettings(SettingsGroup):
    """Which frames are captured, and the labelling budget."""

    threshold: Annotated[
        float,
        SettingDoc(
            meaning="Confidence at which your application acts.",
            example="0.4",
            effect=(
                "The confidence that your application requires. Rules look near it, on "
                "both sides, so a value other than your application's finds the wrong frames."
            ),
            group="Selection",
        ),
    ] = Field(0.5, ge=0, le=1)
    thresholds: Annotated[
        dict[str, Annotated[float, Ge(0), Le(1)]],
        NoDecode,
        SettingDoc(
            meaning="Thresholds of individual labels.",
            example="car=0.6 'traffic light'=0.4",
            effect="Replaces `AGENT_THRESHOLD` for these labels.",
            default="none",
            allowed=(
                "label=number pairs with numbers between 0 and 1, such as car=0.6 'traffic "
                "light'=0.4"
            ),
            kind="label=number pairs",
        ),
    ] = Field({})
    floor: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Detections below this confidence are discarded. Must not exceed the lowest "
                "threshold."
            ),
            example="0.1",
            effect=(
                "Higher makes records smaller, and the rules no longer see faint boxes; "
                "lower records more noise."
            ),
        ),
    ] = Field(0.05, ge=0, le=1, validate_default=True)
    rules: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(words),
        SettingDoc(
            meaning=(
                "Rules that look for frames where the model is probably wrong; `none` = "
                "random and interval captures only."
            ),
            example="low_confidence flicker",
            effect=(
                "Which kinds of doubt are captured. Fewer rules spend the same budget on "
                "fewer kinds of failure."
            ),
            default="all",
            allowed=f"none, or any of {', '.join(RULE_NAMES)}",
            choices=("none", *RULE_NAMES),
            kind="list of names",
        ),
    ] = Field(RULE_NAMES)
    random_interval: Annotated[
        Annotated[Duration, Ge(0.001), Le(365 * DAY_S)] | Literal["auto", "off"],
        SettingDoc(
            meaning=(
                "Mean time between random captures of one camera; `auto` spreads the random "
                "credits over the day and the cameras (15 min without a budget); `off` "
                "disables."
            ),
            example="30m",
            effect=(
                "Random captures measure the model: more of them give narrower intervals in "
                "`capture-agent evaluate`. An interval shorter than `auto` draws more "
                "captures than the credits can deliver; the disk budget then evicts some at "
                "random."
            ),
            allowed="auto, off, or a duration between 1ms and 365d",
            kind="duration, or a word",
        ),
    ] = Field("auto")
    every_nth_frame: Annotated[
        int,
        SettingDoc(
            meaning="Also capture each nth analysed frame; `0` = off.",
            example="9000",
            effect=(
                "Interval captures, whatever the model reported. They are paid from the "
                "random share, after the random captures."
            ),
        ),
    ] = Field(0, ge=0)

    budget_per_day: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Labelling credits: captures that the whole device may deliver a day; they accrue "
                "evenly. Fractions are allowed: `0.5` is one in two days. `0` = no limit."
            ),
            example="500",
            effect=(
                "What labelling costs a day. Each credit purchases the waiting capture with the "
                "highest value, and none is given before it has accrued. With `0` there is no "
                "competition: each frame whose value reaches `AGENT_MIN_VALUE` is delivered. "
                "Below 1 the part of a credit that has accrued is kept over days and reboots, and "
                "no more than one: 300 devices with `0.333` each deliver about 100 a day."
            ),
        ),
    ] = Field(100, ge=0, le=1_000_000)
    min_value: Annotated[
        float,
        SettingDoc(
            meaning="Least value of a capture, in expected new failures, that is worth a credit.",
            example="0.3",
            effect=(
                "Below it nothing is captured for its value and no credit is spent on it: a scene "
                "in which nothing happens costs next to nothing. Random, interval and requested "
                "captures do not depend on it."
            ),
        ),
    ] = Field(0.1, ge=0, le=100)
    random_share: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Share of the credits for random captures, which come first until they had it; "
                "what they do not need goes to others."
            ),
            example="0.5",
            effect=(
                "A higher share measures the model better; a lower one leaves more credits "
                "to the rules. `0` spends all credits on the rules, `1` all on random "
                "captures."
            ),
        ),
    ] = Field(0.2, ge=0, le=1)
    rule_options: Annotated[
        Mapping[str, Mapping[str, float]],
        NoDecode,
        SettingDoc(
            meaning=(
                "Options of individual rules as `rule.option=number` pairs, such as "
                "`weak_track.least_frames=4`."
            ),
            example="weak_track.least_frames=4 count_change.least_deviation=4",
            effect="Tunes one rule to a camera; docs/selection.md lists the options of each rule.",
            default="none",
            allowed="rule.option=number pairs; docs/selection.md lists them with their bounds",
            kind="rule.option=number pairs",
        ),
    ] = Field({})

    @field_validator("thresholds", mode="before")
    @classmethod
    def _parse_thresholds(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        thresholds: dict[str, str] = {}
        for part in split_words(value):
            label, _, number = part.partition("=")
            if not label or label in thresholds:
                raise ValueError(f"no label, or the label {label!r} twice")
            thresholds[label] = number
        return thresholds

    @field_validator("rule_options", mode="before")
    @classmethod
    def _parse_rule_options(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        from agent.selection.rules.options import parse_rule_options  # imports the rules: numpy

        try:
            return parse_rule_options(value)
        except ValueError as error:
            raise PydanticCustomError(OWN_WORDS, "{why}", {"why": one_line(str(error))}) from None

    @field_validator("floor")
    @classmethod
    def _not_above_a_threshold(cls, value: float, others: ValidationInfo) -> float:
        thresholds = [
            others.data.get("threshold", 1.0),
            *others.data.get("thresholds", {}).values(),
        ]
        if value > min(thresholds):
            context = {
                "why": f"must not be above the lowest threshold, {min(thresholds):g}, "
                f"not {value:g}: detections below the threshold are suspects too"
            }
            raise PydanticCustomError(OWN_WORDS, "{why}", context)
        return value

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("none",):
            return ()
        if not value or not set(value) <= set(RULE_NAMES):
            raise ValueError("not a rule")
        return value

    @property
    def all_thresholds(self) -> Thresholds:
        """Threshold, per-label thresholds and floor as the selection uses them."""
        return Thresholds(self.threshold, self.thresholds, self.floor)
