"""The one reader of image files: folders, still images of cameras, images of datasets.

A file is refused before it is decoded if it is not a regular file, not an image of a supported
format, or states too many pixels. The memory that decoding takes is then bounded: about 10 bytes
for each accepted pixel, at most `frame_checks.MAX_PIXELS` of them, plus the file itself.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.camera.frame_checks import checked
from agent.camera.images import tiff_tags
from agent.camera.images.header import ImageFormat, ImageHeader, read_header
from agent.camera.opencv import prepare
from agent.domain import Pixels
from agent.errors import UnusableImage
from agent.files import open_regular, read_regular_file

FILE_MAX = 256_000_000
"""Bytes of the largest image file that is read: uncompressed, `MAX_PIXELS` take 192 MB."""

BACKGROUND = 114
"""The grey behind transparent pixels: neither dark nor overexposed, and what letterboxes use."""

_COLOURS, _ALPHA = 3, 4  # channels
_DEPTHS = (8, 10, 12, 14, 16)  # bits that sensors have
_BYTE_MAX = 255
_BAND_PIXELS = 1_000_000

_WITHOUT_ALPHA = frozenset({ImageFormat.JPEG, ImageFormat.BMP})
"""Formats that OpenCV decodes to BGR of three channels, whatever the file holds: CMYK, grey or a
palette. A BMP may have a fourth byte for each pixel, but few programs use it as alpha."""

_TURNED_BY_OPENCV = frozenset({ImageFormat.JPEG, ImageFormat.TIFF})

_TURNS = {  # EXIF orientation: whether to mirror left to right after how many right angles
    2: (True, None),
    3: (False, cv2.ROTATE_180),
    4: (True, cv2.ROTATE_180),
    5: (True, cv2.ROTATE_90_CLOCKWISE),
    6: (False, cv2.ROTATE_90_CLOCKWISE),
    7: (True, cv2.ROTATE_90_COUNTERCLOCKWISE),
    8: (False, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """An image file's pixels, and what the file states."""

    header: ImageHeader
    pixels: Pixels


class ImageDecoder:
    """Decodes the images of one source.

    Files of 16 bits do not say how many of them the sensor used. The least of 8, 10, 12, 14 and 16
    bits that hold the brightest value so far are scaled to 0 to 255, so that the scale of a
    sequence can only grow and its images do not flicker.
    """

    def __init__(self) -> None:
        prepare()
        self._bits = _DEPTHS[0]

    def decode(self, data: bytes | memoryview) -> DecodedImage:
        """Decode the bytes of an image file to BGR `[height, width, 3]`, 0 to 255.

        Transparent pixels show `BACKGROUND`; the orientation in the metadata is applied; of an
        animation the first image is taken.

        Raises:
            UnusableImage: It is not an image of a supported format, is damaged, or is too large.
        """
        header = read_header(data)
        flags = cv2.IMREAD_COLOR if header.format in _WITHOUT_ALPHA else cv2.IMREAD_UNCHANGED
        try:
            decoded: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:
            decoded = None
        if decoded is None:
            raise UnusableImage(
                f"cannot use the image: its {header.format} data is damaged, or of a kind that "
                f"OpenCV {cv2.__version__} does not decode"
            )
        pixels = self.bgr(_with_alpha(decoded, header))
        if header.format not in _TURNED_BY_OPENCV:
            pixels = _upright(pixels, header.tags.orientation)
        return DecodedImage(header, checked(pixels))

    def read(self, path: Path) -> DecodedImage:
        """Read and decode an image file, as `decode`.

        Raises:
            UnusableImage: As `decode`, or the file is not a regular one, or above `FILE_MAX`.
            OSError: The file cannot be read.
        """
        return self.decode(read_image_bytes(path))

    def bgr(self, decoded: Any) -> Pixels:
        """Convert `[height, width, channels]` of grey, or BGR, with or without alpha, to BGR.

        Raises:
            UnusableImage: It has more channels, or values that need more than 16 bits.
        """
        alpha = decoded[:, :, -1] if decoded.shape[2] in (2, _ALPHA) else None
        colours = decoded if alpha is None else decoded[:, :, :-1]
        if colours.shape[2] not in (1, _COLOURS):
            raise UnusableImage(
                f"cannot use an image of {decoded.shape[2]} channels. Convert it to RGB or grey"
            )
        if alpha is None and decoded.dtype == np.uint8 and colours.shape[2] == _COLOURS:
            return np.asarray(decoded)  # as most are: a copy takes a tenth of the decoding
        factor = self._factor(colours)
        height, width = decoded.shape[:2]
        pixels = np.empty((height, width, 3), np.uint8)
        rows = max(1, _BAND_PIXELS // width)
        for top in range(0, height, rows):  # in bands: floats take four times the memory
            band = _bytes(colours[top : top + rows], factor)
            if alpha is not None:
                band = _mixed(band, alpha[top : top + rows])
            pixels[top : top + rows] = band
        return pixels

    def _factor(self, colours: Any) -> float:
        """Return what scales the values to 0 to 255; the brightest value widens the scale."""
        if colours.dtype == np.uint8:
            return 1.0
        highest = max(float(np.nanmax(row, initial=0, where=np.isfinite(row))) for row in colours)
        if np.issubdtype(colours.dtype, np.floating) and highest <= 1:
            return float(_BYTE_MAX)
        needed = next((bits for bits in _DEPTHS if highest < 2**bits), None)
        if needed is None:
            raise UnusableImage(
                f"cannot use an image of values up to {highest:g}: at most 16 bits a channel are "
                "read. Convert it to 8 bits"
            )
        self._bits = max(self._bits, needed)
        return 2.0 ** (_DEPTHS[0] - self._bits)


def decode_image(data: bytes | memoryview) -> Pixels:
    """Decode the bytes of one image file, see `ImageDecoder.decode`."""
    return ImageDecoder().decode(data).pixels


def read_image(path: Path) -> Pixels:
    """Read one image file, see `ImageDecoder.read`."""
    return ImageDecoder().read(path).pixels


def on_background(pixels: Any) -> Pixels:
    """Return `[height, width, 4]`, BGR and alpha of 8 bits, as BGR in front of `BACKGROUND`."""
    return np.asarray(_mixed(pixels[:, :, :3], pixels[:, :, 3]), np.uint8)


def read_image_bytes(path: Path, limit: int = FILE_MAX, *, cut: bool = False) -> bytes:
    """Return the bytes of an image file, or with `cut` its first `limit` bytes.

    Raises:
        UnusableImage: The file is not a regular one, or without `cut` it is longer.
        OSError: The file cannot be read.
    """
    try:
        if not cut:
            return read_regular_file(path, limit)
        with os.fdopen(open_regular(path), "rb") as file:
            return file.read(limit)
    except ValueError as exc:
        raise UnusableImage(f"cannot use the image: {exc}") from exc


def _with_alpha(decoded: Any, header: ImageHeader) -> Any:
    """Return `[height, width, channels]`, with the transparency of grey, which OpenCV ignores."""
    if decoded.ndim == 2:  # noqa: PLR2004 (rows and columns: grey)
        decoded = decoded[:, :, np.newaxis]
    if decoded.shape[2] > 1:
        return decoded
    if header.transparent is not None:
        opaque = (decoded != header.transparent) * np.iinfo(decoded.dtype).max
        return np.concatenate([decoded, opaque.astype(decoded.dtype)], axis=2)
    if header.format is ImageFormat.TIFF and header.tags.number(tiff_tags.CHANNELS, 1) > 1:
        raise UnusableImage(
            "cannot use the image: a grey TIFF with transparency is not supported. "
            "Convert it to PNG"
        )
    return decoded


def _bytes(colours: Any, factor: float) -> Any:
    if colours.dtype == np.uint8:
        return colours
    scaled = np.nan_to_num(colours.astype(np.float32) * np.float32(factor), posinf=_BYTE_MAX)
    return np.clip(scaled, 0, _BYTE_MAX).astype(np.uint8)


def _mixed(colours: Any, alpha: Any) -> Any:
    share = _unit(alpha)[:, :, np.newaxis]
    return np.rint(colours * share + BACKGROUND * (1 - share))


def _unit(alpha: Any) -> Any:
    """Scale alpha of any depth to 0 to 1."""
    if np.issubdtype(alpha.dtype, np.integer):
        return alpha.astype(np.float32) / np.iinfo(alpha.dtype).max
    return np.clip(np.nan_to_num(alpha.astype(np.float32)), 0, 1)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    if orientation not in _TURNS:
        return pixels
    mirrored, turn = _TURNS[orientation]
    turned: Pixels = pixels if turn is None else cv2.rotate(pixels, turn)
    return np.flip(turned, axis=1) if mirrored else turned
