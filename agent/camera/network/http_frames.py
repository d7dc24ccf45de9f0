"""HTTP cameras that send JPEG files: MJPEG (one response of many parts), and still images."""

import re
import zlib

from agent.camera.connection import CameraImage
from agent.camera.images.camera_image import decode_camera_image
from agent.camera.images.own_jpeg import BEGIN, MOST_BYTES
from agent.camera.network.http_client import HttpClient, Response
from agent.errors import CameraLost
from agent.ports import Clock
from agent.printable import printable

STILL_FPS = 5.0
"""Requests per second to a still-image address if every frame is requested."""

_MOST_HEADER = 16_384  # bytes of one part's header
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,8})[ \t]*\r?$")


class MjpegParts:
    """A `multipart/x-mixed-replace` response: each part is one JPEG file."""

    paced = False
    fresh = True

    def __init__(self, response: Response, client: HttpClient, *, timeout: float) -> None:
        """`timeout`: seconds for one frame."""
        self._client = client
        self._body = response.body
        self._timeout = timeout
        boundary = response.headers.get_param("boundary")
        self._delimiter = _delimiter(boundary if isinstance(boundary, str) else "")
        self._image = b""
        self._found = False  # the delimiter before the next part has been read

    def due_in(self) -> float:
        """See `Connection`."""
        return 0.0

    def grab(self) -> bool:
        """See `Connection`."""
        self._body.allow(self._timeout)
        try:
            image = self._part()
        except TimeoutError:
            raise CameraLost(f"no new frame for {self._timeout:.1f} s") from None
        except OSError as error:
            raise CameraLost(f"it stopped sending frames ({printable(error)})") from error
        if image is None:
            return False
        self._image = image
        return True

    def retrieve(self) -> CameraImage:
        """See `Connection`."""
        return decode_camera_image(self._image)

    def close(self) -> None:
        """See `Connection`."""
        self._client.close()

    def _part(self) -> bytes | None:
        """Return the data of the next part; None at the end."""
        if not self._delimiter:
            first = self._line(_MOST_HEADER)
            while first == b"":
                first = self._line(_MOST_HEADER)
            if first is None:
                return None
            self._delimiter, self._found = first, True
        if not self._found and self._body.until(self._delimiter, MOST_BYTES) is None:
            return None
        header = bytearray()
        while (line := self._line(_MOST_HEADER)) != b"" or not header:
            if line is None:
                return None
            header += line + b"\n"
            if len(header) > _MOST_HEADER or line == b"--":
                return None
        self._found = False
        length = _LENGTH.search(header)
        if length is not None and 0 < int(length[1]) <= MOST_BYTES:
            return self._body.exactly(int(length[1]))
        self._found = True
        data = self._body.until(self._delimiter, MOST_BYTES)
        return None if data is None else data.rstrip(b"\r\n")

    def _line(self, limit: int) -> bytes | None:
        line = self._body.until(b"\n", limit)
        return None if line is None else line.rstrip(b"\r")


class StillImages:
    """An address that gives one image: it is requested again and again, at the rate of `fps`.

    An image that the camera has not renewed, or that did not arrive, is no new frame: `fresh` is
    False.
    """

    paced = True

    def __init__(
        self,
        response: Response,
        client: HttpClient,
        *,
        fps: float,
        timeout: float,
        clock: Clock,
    ) -> None:
        """`timeout`: seconds without an image after which the camera is lost."""
        self._client = client
        self._timeout = timeout
        self._step = 1.0 / (fps or STILL_FPS)
        self._clock = clock
        self._first: Response | None = response
        self._due = clock.monotonic()
        self._answered = self._due  # when the last image arrived
        self._validators: dict[str, str] = {}
        self._image = b""
        self._hash = 0
        self.fresh = True
        """Whether the grabbed image differs from the one before."""

    def due_in(self) -> float:
        """See `Connection`."""
        return self._due - self._clock.monotonic()

    def grab(self) -> bool:
        """See `Connection`."""
        # A slow camera is asked again at once; the missed requests are not made up.
        self._due = max(self._due + self._step, self._clock.monotonic())
        try:
            self._request()
        except CameraLost:
            if self._clock.monotonic() - self._answered >= self._timeout:
                raise
            self.fresh = False
        else:
            self._answered = self._clock.monotonic()
        return True

    def retrieve(self) -> CameraImage:
        """See `Connection`."""
        return decode_camera_image(self._image)

    def close(self) -> None:
        """See `Connection`."""
        self._client.close()

    def _request(self) -> None:
        response, self._first = self._first, None
        if response is None:
            response = self._client.get(headers=self._validators)
        try:
            response.body.allow(self._timeout)
            data = response.body.rest(MOST_BYTES)
        except OSError as error:
            self._client.close()
            raise CameraLost(f"the image did not arrive ({printable(error)})") from error
        if not response.changed:
            self.fresh = False
            return
        self._validators = {
            ask: response.headers[given]
            for ask, given in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
            if given in response.headers
        }
        before, self._hash = self._hash, zlib.crc32(data)
        self.fresh = not self._image or self._hash != before
        self._image = data


def is_still(response: Response) -> bool:
    """Whether a response is one image, rather than a stream."""
    beginning = response.body.peek(len(BEGIN))
    finite = "Content-Length" in response.headers or response.media_type.startswith("image/")
    return finite and (beginning == BEGIN or response.media_type.startswith("image/"))


def is_mjpeg(response: Response) -> bool:
    """Whether a response consists of parts."""
    return response.media_type.startswith("multipart/") or response.body.peek(2) == b"--"


def _delimiter(boundary: str) -> bytes:
    """Return what separates parts; many cameras put the dashes into the boundary as well."""
    boundary = boundary.strip().strip('"')
    if not boundary:
        return b""
    return (
        boundary.encode("latin-1", "replace")
        if boundary.startswith("--")
        else f"--{boundary}".encode("latin-1", "replace")
    )
