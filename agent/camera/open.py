"""From an address to the source that fits it."""

from agent.camera.address import CameraAddress
from agent.camera.live import LiveCamera
from agent.camera.recording import Recording
from agent.ports import Clock, FrameSource


def make_source(
    address: CameraAddress, *, fps: float, stall: float, clock: Clock, boot_id: str
) -> FrameSource:
    """Return the source of `address`; it opens at its first `read`.

    Args:
        address: What to read.
        fps: Frames per second to return, at most; 0 for each frame.
        stall: Seconds without a fresh frame after which a camera counts as lost; above 0.
        clock: Stamps the frames.
        boot_id: Names the monotonic clock, as `Frame.stream` of a camera.
    """
    if address.live:
        return LiveCamera(address, fps=fps, stall=stall, clock=clock, boot_id=boot_id)
    return Recording(address, fps=fps, clock=clock)
