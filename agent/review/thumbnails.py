"""Small images for lists: each is made once, and kept beside the captures."""

from pathlib import Path

import cv2

from agent.camera.images.file import read_image, read_image_bytes
from agent.camera.images.header import ImageFormat, read_header
from agent.dataset.captures import DatasetCapture
from agent.errors import UnusableImage
from agent.files import Disk

FOLDER = ".thumbnails"
"""In the dataset folder. It can be deleted at any time."""

SIDE = 256  # pixels of the longer side
_QUALITY = 72
_LARGEST = 64_000  # bytes; a thumbnail of noise has less
_FREE_MIN = 200_000_000  # bytes that are left free on the disk
IMAGE_MAX = 64_000_000
"""Bytes of an image that is shown."""

_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"  # of a whole JPEG


class Thumbnails:
    """The thumbnails of one dataset. Thread-safe: two that make the same write the same."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        """`directory`: of the dataset, absolute."""
        self._folder = directory / FOLDER
        self._disk = disk

    def get(self, capture: DatasetCapture) -> bytes:
        """Return the thumbnail of a capture as JPEG. Raises `UnusableImage`, `OSError`."""
        # The first digits of an id are its time: the last ones share captures out evenly.
        path = self._folder / capture.id[-2:] / f"{capture.id}.jpg"
        try:
            data, size = self._disk.beginning(path, _LARGEST)
        except OSError:
            data, size = b"", 0
        # Not synced: after a power cut a file may be empty, and is made again.
        if 0 < size <= _LARGEST and data.startswith(_BEGIN) and data.endswith(_END):
            return data
        data = _small(capture.image_path)
        self._keep(path, data)
        return data

    def _keep(self, path: Path, data: bytes) -> None:
        """Store a thumbnail if there is room; without one it is made again."""
        try:
            self._disk.make_directory(path.parent)
            if self._disk.free_bytes(path.parent) > _FREE_MIN:
                self._disk.write(path, data)
        except OSError:
            pass  # the page shows it all the same


def _small(path: Path) -> bytes:
    pixels = read_image(path)
    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()


def image_bytes(capture: DatasetCapture) -> bytes:
    """Return the image of a capture as it is stored; a browser may decode it.

    Raises `UnusableImage` for what is no JPEG, states too many pixels or lacks its end, `OSError`.
    """
    data = read_image_bytes(capture.image_path, IMAGE_MAX)
    if read_header(data).format is not ImageFormat.JPEG:
        raise UnusableImage("cannot use the image: it is not a JPEG")
    if _END not in data:  # a browser shows the part that is there as if it were the whole image
        raise UnusableImage(
            f"cannot use the image: it is not complete; its end is missing after {len(data)} bytes"
        )
    return data
