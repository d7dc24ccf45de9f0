"""Settings: what was analysed before and after a capture."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from agent.domain import ClipSpan
from agent.record.clips import LONGEST_S, clip_problem
from agent.settings.describe import OWN_WORDS
from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import SettingsGroup
from agent.settings.units import parse_duration

_ALLOWED = "off, or one or two durations between 0s and 60s, not both 0, such as 3s 2s"
_PARTS = 2


class ClipSettings(SettingsGroup):
    """What was analysed before and after a capture."""

    clip: Annotated[
        ClipSpan | None,
        NoDecode,
        SettingDoc(
            meaning=(
                "Clip of each capture: seconds before and after it, such as `3s 2s`; one duration "
                "is the time before; `off` = none."
            ),
            example="3s 2s",
            effect=(
                "Each capture also keeps the frames that were analysed around it, as small JPEGs. "
                "Each analysed frame is then encoded, captures take several times the space and "
                "upload time, and wait in memory for the time after: docs/clips.md. Not every "
                "endpoint takes clips."
            ),
            default="`off`",
            allowed=_ALLOWED,
            choices=("off",),
            kind="one or two durations, or a word",
        ),
    ] = Field(None)

    @field_validator("clip", mode="before")
    @classmethod
    def _parse_clip(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lower() == "off":
            return None
        parts = value.replace(",", " ").split()
        seconds = [parse_duration(part) for part in parts]
        numbers = [each for each in seconds if isinstance(each, float) and 0 <= each <= LONGEST_S]
        if not 1 <= len(parts) <= _PARTS or len(numbers) != len(parts) or not any(numbers):
            raise ValueError(_ALLOWED)
        return ClipSpan(numbers[0], numbers[1] if len(numbers) > 1 else 0.0)

    @field_validator("clip")
    @classmethod
    def _fits_into_memory(cls, value: ClipSpan | None, others: ValidationInfo) -> ClipSpan | None:
        fps = others.data.get("fps")
        if value is None or fps is None:  # an invalid one has its own message
            return value
        cameras = max(1, len(others.data.get("cameras", ())))
        problem = clip_problem(value, fps=fps, cameras=cameras)
        if problem:
            raise PydanticCustomError(OWN_WORDS, "{why}", {"why": problem})
        return value
