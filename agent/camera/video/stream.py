"""Streams that FFmpeg decodes: RTSP, and video that a camera sends in an HTTP response."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from io import BytesIO
from typing import Any, BinaryIO, cast

from av.error import FFmpegError, HTTPClientError, HTTPServerError

from agent.camera.connection import CameraImage
from agent.camera.network.http_client import HttpClient, Response
from agent.camera.network.rtsp_client import RtspClient
from agent.camera.video.decoder import FORMATS, NO_DECODER, Video
from agent.errors import CameraLost, UnusableImage
from agent.ports import Clock
from agent.printable import printable
from agent.redaction import redact

_RTSP_OPTIONS = {
    # Over UDP, each lost packet smears the image until the next key frame; some cameras have UDP
    # alone.
    "rtsp_flags": "prefer_tcp",
    "allowed_media_types": "video",
    # Its rate is not used: without these, FFmpeg reads frames for seconds to find it.
    "fpsprobesize": "0",
    "analyzeduration": "1000000",
    "protocol_whitelist": "tcp,tls,udp,rtp",
}
_HTTP_OPTIONS = {
    # What the data refers to is not opened.
    **NO_DECODER,
    "format_whitelist": FORMATS,
    "protocol_whitelist": "none",
}
_PLAYLIST_OPTIONS = {
    **NO_DECODER,
    "format_whitelist": f"hls,{FORMATS}",
    "protocol_whitelist": "http,https",  # all of them are opened by `HttpClient`
    "allowed_extensions": "ALL",
    "extension_picky": "0",
    "http_persistent": "0",
    "http_multiple": "0",
}
_PLAYLIST = b"#EXTM3U"
_PAGE = (b"<!doctype html", b"<html")
_PEEK = 1024
_ANSWER_S = 5.0  # for the description of a stream
_PAUSE_S = 0.5
"""Before the second attempt: a camera needs a moment to give up a connection."""


class Stream:
    """A video that a camera sends, as a `Connection`."""

    paced = False
    fresh = True

    def __init__(self, video: Video, file: "_ResponseFile | None" = None) -> None:
        """`file`: the response that FFmpeg reads; it is closed with the video."""
        self._video = video
        self._file = file

    def due_in(self) -> float:
        """See `Connection`."""
        return 0.0

    def grab(self) -> bool:
        """See `Connection`."""
        try:
            grabbed = self._video.grab()
        except (FFmpegError, OSError, ValueError) as error:
            self._check_playlist()
            raise CameraLost(f"it stopped sending frames ({_reason(error)})") from error
        if not grabbed:
            self._check_playlist()
        return grabbed

    def retrieve(self) -> CameraImage:
        """See `Connection`."""
        if not self._video.intact:
            raise UnusableImage(
                "packets of the stream were lost, and no intact key frame followed. Use a cable "
                "instead of Wi-Fi, or lower the camera's bit rate"
            )
        try:
            return CameraImage(self._video.retrieve())
        except (FFmpegError, ValueError) as error:
            raise UnusableImage(f"cannot use a frame: {_reason(error)}") from error

    def close(self) -> None:
        """See `Connection`."""
        try:
            self._video.close()
        finally:
            if self._file is not None:
                self._file.close()

    def _check_playlist(self) -> None:
        if self._file is not None and self._file.failure is not None:
            raise self._file.failure


def open_rtsp(
    url: str,
    *,
    open_s: float,
    read_s: float,
    clock: Clock,
    wait: Callable[[float], None] = time.sleep,
) -> Stream:
    """Open an RTSP camera.

    Args:
        url: Its address.
        open_s: Seconds for each of: the description of the stream, and its opening.
        read_s: Seconds for each frame.
        clock: For the timeouts.
        wait: Waits between two attempts.

    Raises:
        CameraLost: It cannot be opened; the message is the reason alone.
    """
    client = RtspClient(url, timeout=_ANSWER_S, clock=clock)
    with closing(client):
        url = client.describe()
        try:
            return _rtsp_stream(url, open_s, read_s)
        except (
            HTTPClientError,
            HTTPServerError,
        ):  # a status of RTSP: there may be one connection too many
            client.close()
        except (FFmpegError, ValueError) as error:  # ValueError: it has no track at all
            raise CameraLost(_rtsp_cause(url, open_s, clock, error)) from error
    wait(_PAUSE_S)
    try:
        return _rtsp_stream(url, open_s, read_s)
    except (FFmpegError, ValueError) as error:
        raise CameraLost(_rtsp_cause(url, open_s, clock, error)) from error


def _rtsp_stream(url: str, open_s: float, read_s: float) -> Stream:
    return Stream(Video(url, options=_RTSP_OPTIONS, timeouts=(open_s, read_s)))


def _rtsp_cause(url: str, open_s: float, clock: Clock, error: Exception) -> str:
    return RtspClient(url, timeout=_ANSWER_S, clock=clock).setup_cause() or (
        f"it describes a stream, but sends no video within {open_s:g} s ({_reason(error)}). "
        "Restart the camera; check that no firewall drops its packets"
    )


def open_http_video(
    response: Response, client: HttpClient, *, open_s: float, read_s: float
) -> Stream:
    """Open the video in a response, as FFmpeg recognizes it.

    Args:
        response: The beginning of the camera's response.
        client: The connection.
        open_s: Seconds for recognizing the video.
        read_s: Seconds for each frame.

    Raises:
        CameraLost: It is no video; the message is the reason alone.
    """
    try:
        beginning = response.body.peek(_PEEK)
    except OSError as error:
        raise CameraLost(f"it sends nothing ({_reason(error)}). Restart the camera") from error
    if beginning.lstrip().lower().startswith(_PAGE) or response.media_type == "text/html":
        raise CameraLost(
            "the address is a web page. Write the address of its stream or image, as the "
            "camera's manual gives it"
        )
    playlist = beginning.startswith(_PLAYLIST)
    file = _ResponseFile(response, client, read_s)
    try:
        video = Video(
            cast("BinaryIO", file),
            options=_PLAYLIST_OPTIONS if playlist else _HTTP_OPTIONS,
            timeouts=(open_s, read_s),
            io_open=file.open_other if playlist else None,
        )
    except (FFmpegError, OSError, ValueError) as error:
        file.close()
        if file.failure is not None:
            raise file.failure from error
        kind = f" of the type {printable(response.media_type)}" if response.media_type else ""
        raise CameraLost(
            f"its response{kind} is neither MJPEG, nor an image, nor a video "
            f"({_reason(error)}). Write the address of such a stream"
        ) from error
    return Stream(video, file)


class _ResponseFile:
    """A response as a file that FFmpeg reads, and the files that it names if it is a playlist."""

    def __init__(self, response: Response, client: HttpClient, timeout: float) -> None:
        self.name = response.url  # FFmpeg resolves the addresses in a playlist by it
        self.failure: CameraLost | None = None
        """Why a file that the playlist names could not be opened."""
        self._body = response.body
        self._client = client
        self._timeout = timeout
        self._others: list[_ResponseFile] = []  # of the playlist

    def read(self, size: int) -> bytes:
        """Return 1 to `size` bytes, or `b""` at the end."""
        self._body.allow(self._timeout)
        return self._body.at_most(size)

    def close(self) -> None:
        """Close the connection, and those of the playlist."""
        self._client.close()
        for other in self._others:
            other.close()
        self._others.clear()

    @property
    def is_open(self) -> bool:
        """Whether the connection is open."""
        return self._client.is_open

    def open_other(self, url: str, flags: int, options: Mapping[str, str]) -> BinaryIO:
        """Open a file that the playlist names, at the camera alone.

        What fails is noted in `failure`, and the file is empty: after an exception in this
        callback FFmpeg frees its memory twice.
        """
        del flags, options
        client = self._client.beside()
        try:
            response = client.get(self._client.allowed(url))
        except CameraLost as error:
            client.close()
            self.failure = error
            return BytesIO()
        # FFmpeg closes a file when it has read it, but not after all errors.
        self._others = [other for other in self._others if other.is_open]
        self._others.append(_ResponseFile(response, client, self._timeout))
        return cast("BinaryIO", self._others[-1])


def _reason(error: Any) -> str:
    text = error.strerror if isinstance(error, OSError | FFmpegError) else str(error)
    return redact(printable(text or type(error).__name__))
