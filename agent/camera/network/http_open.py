"""Opens an HTTP camera as what its response says it is."""

from agent.camera.connection import Connection
from agent.camera.network.http_client import HttpClient
from agent.camera.network.http_frames import MjpegParts, StillImages, is_mjpeg, is_still
from agent.errors import CameraLost
from agent.ports import Clock
from agent.printable import printable


def open_http(url: str, *, fps: float, open_s: float, read_s: float, clock: Clock) -> Connection:
    """Open an HTTP camera: MJPEG, a still image, or a video.

    Args:
        url: Its address.
        fps: Requests per second for still images.
        open_s: Seconds for the header of a response.
        read_s: Seconds for each frame.
        clock: For the timeouts.

    Raises:
        CameraLost: It cannot be opened; the message is the reason alone.
    """
    client = HttpClient(url, timeout=open_s, clock=clock)
    try:
        response = client.get()
        if is_mjpeg(response):
            return MjpegParts(response, client, timeout=read_s)
        if is_still(response):
            return StillImages(response, client, fps=fps, timeout=read_s, clock=clock)
        from agent.camera.video.stream import open_http_video

        return open_http_video(response, client, open_s=open_s, read_s=read_s)
    except OSError as error:
        client.close()
        raise CameraLost(f"it sends nothing ({printable(error)}). Restart the camera") from error
    except CameraLost:
        client.close()
        raise
