"""Decodes an image file that a camera sent, and keeps its bytes where they are its pixels."""

from agent.camera.connection import CameraImage
from agent.camera.images import tiff_tags
from agent.camera.images.file import DecodedImage, ImageDecoder
from agent.camera.images.header import ImageFormat
from agent.camera.images.own_jpeg import check_complete, keepable

_EXIF = b"Exif\0\0"


def decode_camera_image(data: bytes) -> CameraImage:
    """Decode an image that a camera sent.

    Raises:
        UnusableImage: As `ImageDecoder.decode`, or it is a JPEG without its end, of which the
            decoder would return a part.
    """
    check_complete(data)
    decoded = ImageDecoder().decode(data)
    return CameraImage(decoded.pixels, _own_jpeg(data, decoded))


def _own_jpeg(data: bytes, decoded: DecodedImage) -> bytes | None:
    """Return the file as `keepable`, unless the decoder may have turned its pixels."""
    header = decoded.header
    if header.format is not ImageFormat.JPEG or header.tags.orientation != 1:
        return None
    if header.tags == tiff_tags.Directory() and _EXIF in data:
        return None  # EXIF that cannot be read here; the decoder may read an orientation in it
    height, width = decoded.pixels.shape[:2]
    return keepable(data, width=width, height=height)
