"""Parses the source of a V4L2 device: its path, and what is asked of its driver. Pure."""

import re
from dataclasses import dataclass

from agent.camera.source_options import read_options, read_size

FORMATS = (
    "MJPG", "YUYV", "UYVY", "NV12", "NV21", "YU12", "YV12", "RGB3", "BGR3", "GREY", "JPEG",
)  # fmt: skip
"""The pixel formats that OpenCV converts to BGR, by their V4L2 codes."""

_KEYS = ("size", "fps", "format")
_ALIASES = {"MJPEG": "MJPG", "YUY2": "YUYV", "I420": "YU12", "GRAY": "GREY"}
_FPS = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,3})?")
_MOST_FPS = 1000.0
_FPS_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class DeviceSource:
    """A device and what is asked of its driver; None where the driver decides."""

    path: str
    size: tuple[int, int] | None = None  # width and height in pixels
    fps: float | None = None
    format: str | None = None  # one of `FORMATS`


def parse_device(source: str) -> DeviceSource:
    """Parse `/dev/video0` or `/dev/video0?size=1280x720&fps=10&format=MJPG`.

    Raises:
        ValueError: An option is unknown or its value is not allowed.
    """
    path, question, text = source.partition("?")
    if not question:
        return DeviceSource(path)
    options = read_options(text, _KEYS)
    size = read_size(options["size"]) if "size" in options else None
    fps = None
    if "fps" in options:
        fps = float(options["fps"]) if _FPS.fullmatch(options["fps"]) else 0.0
        if not 0 < fps <= _MOST_FPS:
            raise ValueError(
                f"fps={options['fps']} is not allowed; write a number above 0 and up to "
                f"{_MOST_FPS:g}"
            )
    form = None
    if "format" in options:
        form = options["format"].upper()
        form = _ALIASES.get(form, form)
        if form not in FORMATS:
            raise ValueError(
                f"format={options['format']} is unknown; allowed are {', '.join(FORMATS)}"
            )
    return DeviceSource(path, size, fps, form)


def refused(asked: DeviceSource, given: DeviceSource) -> str:
    """Return what was asked of a driver and not given, such as `size=1280x720 fps=30`."""
    found = []
    if asked.size is not None and given.size not in (None, asked.size):
        found.append(f"size={asked.size[0]}x{asked.size[1]}")
    tolerance = _FPS_TOLERANCE * (asked.fps or 0)
    if asked.fps is not None and abs((given.fps or asked.fps) - asked.fps) > tolerance:
        found.append(f"fps={asked.fps:g}")
    if asked.format is not None and given.format not in (None, asked.format):
        found.append(f"format={asked.format}")
    return " ".join(found)
