"""The cameras of the settings, their masks painted over."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.system import boot_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.camera.address import CameraAddress
    from agent.camera.masks import CameraMask
    from agent.camera.push.door import PushDoor
    from agent.camera.push.intake import PushIntake
    from agent.domain import ModelInfo
    from agent.logs import Log
    from agent.ports import Clock, FrameSource
    from agent.settings.declarations import Settings


def push_intake(
    settings: Settings, model: Callable[[], ModelInfo], *, clock: Clock
) -> PushIntake | None:
    """Return what takes the frames of `push:` cameras; None if there are none.

    `model` returns the agent's model in use.
    """
    from agent.camera.address import SourceKind
    from agent.camera.push.door import PushDoor
    from agent.camera.push.intake import PushCamera, PushIntake

    pushed = [each for each in settings.cameras if each.kind is SourceKind.PUSH]
    if not pushed:
        return None
    return PushIntake(
        [
            PushCamera(PushDoor(each.name, fps=settings.fps, clock=clock), each.task)
            for each in pushed
        ],
        others=[each.name for each in settings.cameras if each.kind is not SourceKind.PUSH],
        floor=settings.floor,
        redact=settings.redact,
        model=model,
    )


def frame_source(
    camera: CameraAddress,
    settings: Settings,
    *,
    fps: float,
    clock: Clock,
    log: Log | None = None,
    door: PushDoor | None = None,
) -> FrameSource:
    """The source of one camera, thinned to `fps`, with its masks painted over.

    `log` gets masks that do not fit the frames, and what a driver or program says; through `door`
    come the frames of a `push:` camera.
    """
    from agent.camera.masks import masks_of
    from agent.camera.open import make_source

    source = make_source(
        camera,
        fps=fps,
        stall=settings.camera_stall,
        clock=clock,
        boot_id=boot_id(),
        log=log,
        door=door,
    )
    masks = masks_of(settings.masks, camera.name)
    if not masks:
        return source
    from agent.camera.masked import MaskedSource

    if log is None:
        return MaskedSource(source, masks)
    return MaskedSource(source, masks, changed=partial(_log_misfit, log, camera.name))


def _log_misfit(log: Log, camera: str, misfit: str) -> None:
    if misfit:
        log.warning("mask misfit", camera=camera, error=misfit)
    else:
        log.warning("mask fits", camera=camera)


def masks_of_recording(recording: CameraAddress, settings: Settings) -> tuple[CameraMask, ...]:
    """Return the masks of the camera that a recording is of.

    It is the camera whose source in AGENT_CAMERAS is this recording, or whose name the recording
    has, or the only one. Raises `ConfigurationError` where it may be of a camera with masks, and
    nobody knows of which.
    """
    from agent.camera.masks import masks_of

    by_path = {
        Path(camera.source).absolute(): camera.name
        for camera in settings.cameras
        if not camera.live
    }
    names = {camera.name for camera in settings.cameras} | {m.camera for m in settings.masks} - {""}
    name = by_path.get(Path(recording.source).absolute())
    if name is None and recording.name in names:
        name = recording.name
    if name is None and len(names) <= 1:
        return settings.masks
    if name is not None or not settings.masks:
        return masks_of(settings.masks, name or "")
    masked = list(dict.fromkeys(mask.camera for mask in settings.masks))
    raise ConfigurationError(
        f"cannot use {recording.shown}: AGENT_MASKS hides parts of {' and '.join(masked)}, and "
        "nothing says which camera this recording is of. Name it in AGENT_CAMERAS, such as "
        f"{masked[0]}={recording.shown}, or unset AGENT_MASKS"
    )
