"""Settings: how captures are stored, and where."""

from pathlib import Path
from typing import Annotated

from pydantic import ByteSize, Field, ValidationInfo, field_validator

from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import GB, MB, PB, SettingsGroup, Size


class StorageSettings(SettingsGroup):
    """How captures are stored, and where."""

    jpeg_quality: Annotated[
        int,
        SettingDoc(
            meaning="JPEG quality of stored images that the agent encodes.",
            example="80",
            effect=(
                "Lower makes smaller images with visible compression. Above 80 it does not "
                "affect labelling. A camera's own JPEG is kept as it is, where nothing is hidden "
                "in it and it need not be made smaller: set the quality in the camera then."
            ),
            group="Storage",
        ),
    ] = Field(90, ge=1, le=100)
    max_side: Annotated[
        int,
        SettingDoc(
            meaning="Longest side of a stored image, in pixels; `0` = as read.",
            example="1280",
            effect=(
                "Larger frames are scaled down before they are stored, and their boxes with "
                "them: captures take less space and time. The model still gets the frame as "
                "read."
            ),
        ),
    ] = Field(0, ge=0)
    spool_dir: Annotated[
        Path,
        SettingDoc(
            meaning="Where captures wait. One daemon owns the folder.",
            example="/mnt/ssd/spool",
            effect=(
                "Another disk than the system's, for wear or space. The service's user must "
                "own the folder, and the sandbox must allow writing there: see "
                "docs/operating.md. Captures that wait in the old folder stay there."
            ),
            default="`$STATE_DIRECTORY/spool`, else `./capture-agent-state/spool`",
        ),
    ] = Field(default_factory=lambda: Path("capture-agent-state", "spool").absolute())
    state_dir: Annotated[
        Path,
        SettingDoc(
            meaning=(
                "Where the known-good model and engines built for a GPU are kept; they can be "
                "made again."
            ),
            example="/mnt/ssd/state",
            effect=(
                "Another disk than the system's. Daemons may share it: each spool has a "
                "known-good model of its own."
            ),
            default="`$STATE_DIRECTORY`, else the folder that holds the spool",
        ),
    ] = Field(Path(), validate_default=True)
    spool_max: Annotated[
        Size,
        SettingDoc(
            meaning="Disk budget of the spool, in bytes on disk.",
            example="8GB",
            effect=(
                "How long a device can be offline before captures compete for space: "
                "docs/operating.md has the calculation. A value below what is stored evicts "
                "the lowest values at the next capture."
            ),
        ),
    ] = Field(ByteSize(2 * GB), ge=10 * MB, le=PB)
    spool_min_free: Annotated[
        Size,
        SettingDoc(
            meaning="Disk space that stays free for other programs.",
            example="1GB",
            effect=(
                "Space for logs, updates and other programs. When less is free, only "
                "captures of higher value replace stored ones."
            ),
        ),
    ] = Field(ByteSize(512 * MB), ge=0, le=PB)

    @field_validator("spool_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.absolute()

    @field_validator("state_dir")
    @classmethod
    def _beside_the_spool(cls, value: Path, others: ValidationInfo) -> Path:
        if value == Path() and "spool_dir" in others.data:
            return Path(others.data["spool_dir"]).parent
        return value.absolute()
