"""Settings: the cameras and the device."""

import socket
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from agent.camera.address import CameraAddress, parse_cameras
from agent.settings.describe import OWN_WORDS
from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import Duration, SettingsGroup


class CameraSettings(SettingsGroup):
    """The cameras and the device."""

    cameras: Annotated[
        tuple[CameraAddress, ...],
        NoDecode,
        SettingDoc(
            meaning=(
                "Cameras as space-separated `name=source`; the name may be left out for one. "
                "Sources: `/dev/video0`, `0`, `/dev/v4l/by-id/...`, `rtsp://`, `rtsps://`, "
                "`http(s)://`, `exec:COMMAND` (a program's MJPEG), `push:` (an application's "
                "frames), a video file, a folder of images."
            ),
            example="yard=/dev/video0 gate=rtsp://user:password@10.0.0.7/stream1",
            effect=(
                "All cameras share the model, the budget and the spool. The name is in each "
                "capture and each log line, and what a camera has learnt is stored under it: "
                "a new name starts from nothing. A recording plays once; the daemon ends "
                "when all recordings have ended."
            ),
            default="required",
            placeholder="/dev/video0",
            group="Cameras",
            kind="list of cameras",
        ),
    ] = Field(())
    device_id: Annotated[
        str,
        SettingDoc(
            meaning="Name of this device, stamped on every capture.",
            example="gate-07",
            effect=(
                "Distinguishes the devices of a fleet in records, datasets and tags. It is "
                "also the seed of the random captures."
            ),
            default="host name",
            allowed="1 to 128 characters, but not . or ..",
        ),
    ] = Field(default_factory=socket.gethostname, min_length=1, max_length=128)
    fps: Annotated[
        float,
        SettingDoc(
            meaning=("Frames analysed per second and camera; `0` = as many as arrive."),
            example="2",
            effect=(
                "More frames find more failures and take more processor time. Below 2 a "
                "second the rules that compare neighbouring frames are disabled. With `0` a "
                "recording is read as fast as it is analysed, and no frame is dropped."
            ),
        ),
    ] = Field(5.0, ge=0, le=1000)
    camera_stall: Annotated[
        Duration,
        SettingDoc(
            meaning="Reconnect after this long without a new frame.",
            example="1m",
            effect=(
                "Shorter finds a dead camera sooner; longer tolerates streams that pause. It "
                "is also the timeout for opening and reading a stream, and how long the "
                "image may stay identical."
            ),
        ),
    ] = Field(20.0, ge=1, le=3600)

    @field_validator("device_id")
    @classmethod
    def _require_name(cls, value: str) -> str:
        if value in {".", ".."}:  # folders and addresses have no such segment
            raise ValueError(value)
        return value

    @field_validator("cameras", mode="before")
    @classmethod
    def _parse_cameras(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return parse_cameras(value)
        except ValueError as error:
            raise PydanticCustomError(OWN_WORDS, "{why}", {"why": str(error)}) from None
