"""Settings: what nobody may see."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from agent.camera.masks import CameraMask, parse_masks
from agent.quoted_words import split_words
from agent.settings.describe import OWN_WORDS
from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import SettingsGroup
from agent.settings.units import one_line


class PrivacySettings(SettingsGroup):
    """What nobody may see."""

    masks: Annotated[
        tuple[CameraMask, ...],
        NoDecode,
        SettingDoc(
            meaning=(
                "Regions that are painted over in each frame, as `camera:x,y x,y x,y` with three "
                "corners or more; `;` separates several. In pixels of the frame as read, or in "
                "shares of its width and height from 0 to 1. The name may be left out for one "
                "camera."
            ),
            example="gate:0,0 640,0 640,200 0,200; yard:0,0.8 1,0.8 1,1 0,1",
            effect=(
                "Nothing of a region is analysed, stored, sent or shown, so the model reports "
                "nothing there either. Masks in pixels hold for frames of one size; at another "
                "size, or where one lies outside of the image, the whole image is hidden. "
                "docs/cameras.md has the details."
            ),
            default="none",
            allowed="polygons such as gate:0,0 640,0 640,200 0,200",
            group="Privacy",
            kind="polygons",
        ),
    ] = Field(())
    redact: Annotated[
        tuple[str, ...],
        NoDecode,
        SettingDoc(
            meaning=(
                "Labels whose boxes are pixelated before an image is stored, sent or shown; quote "
                "a label that contains spaces."
            ),
            example="person 'license plate'",
            effect=(
                "Each box of these labels at or above `AGENT_FLOOR` is made unrecognizable in the "
                "image; the model still gets the frame as read. What the model misses stays "
                "visible: where that must not happen, use `AGENT_MASKS`. The model must have each "
                "label."
            ),
            default="none",
            allowed="labels of the model, such as person 'license plate'",
            kind="list of labels",
        ),
    ] = Field(())

    @field_validator("masks", mode="before")
    @classmethod
    def _parse_masks(cls, value: object, others: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        cameras = [camera.name for camera in others.data.get("cameras", ())]
        try:
            return parse_masks(value, cameras)
        except ValueError as error:
            raise PydanticCustomError(OWN_WORDS, "{why}", {"why": one_line(str(error))}) from None

    @field_validator("redact", mode="before")
    @classmethod
    def _parse_redact(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        has_quotes = "'" in value or '"' in value
        return tuple(dict.fromkeys(split_words(value if has_quotes else value.replace(",", " "))))
