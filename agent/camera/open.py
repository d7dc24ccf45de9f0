"""Makes the frame source for a camera address."""

from agent.camera.address import CameraAddress, SourceKind
from agent.camera.live import LiveCamera
from agent.camera.push.door import PushDoor
from agent.camera.push.source import PushSource
from agent.camera.recording import Recording
from agent.logs import Log
from agent.ports import Clock, FrameSource


def make_source(
    address: CameraAddress,
    *,
    fps: float,
    stall: float,
    clock: Clock,
    boot_id: str,
    log: Log | None = None,
    door: PushDoor | None = None,
) -> FrameSource:
    """Return the source of `address`; its first `read` opens it.

    Args:
        address: The camera or recording.
        fps: Frames per second to return, at most; 0 for every frame.
        stall: Seconds without a new frame after which a camera is lost; above 0.
        clock: The time of the frames.
        boot_id: Identifies the monotonic clock; becomes `Frame.stream` of a camera.
        log: Gets what a driver or a program says; None for nowhere.
        door: Where an application puts the frames of a `push:` camera, thinned there; None where
            none will come.
    """
    if address.kind is SourceKind.PUSH:
        door = door or PushDoor(address.name, fps=fps, clock=clock)
        return PushSource(door, stall=stall, clock=clock, boot_id=boot_id)
    if address.live:
        return LiveCamera(address, fps=fps, stall=stall, clock=clock, boot_id=boot_id, log=log)
    return Recording(address, fps=fps, clock=clock)
