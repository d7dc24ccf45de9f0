"""Settings: what came back from reviews, and labels that the agent makes itself."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import SettingsGroup


class FeedbackSettings(SettingsGroup):
    """What came back from reviews, and labels that the agent makes itself."""

    feedback: Annotated[
        Path | None,
        SettingDoc(
            meaning="Feedback file of `capture-agent feedback`.",
            example="/etc/capture-agent/feedback.json",
            effect=(
                "Reviews replace the rules' own chances: credits go to what turned out to be "
                "failures. A reload (SIGHUP) reads it again."
            ),
            group="Feedback",
            default="none",
        ),
    ] = Field(None)
    auto_per_day: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Captures a day that the model labels itself (lane `auto`), beside the budget; "
                "`0` = none."
            ),
            example="20",
            effect=(
                "Frames in which the model is certainly right and that are unlike what was kept "
                "are delivered with its labels. It needs `AGENT_FEEDBACK`."
            ),
        ),
    ] = Field(0, ge=0, le=1_000_000)
    auto_precision: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Precision that a class must have, by the lower bound from reviewed random "
                "captures, for the model to label it itself."
            ),
            example="0.99",
            effect="Higher needs more reviews before a class is trusted.",
        ),
    ] = Field(0.98, ge=0.5, le=0.9999)
