"""Decodes an image file that a camera sent, and keeps its bytes where they are its pixels."""

from agent.camera.connection import CameraImage
from agent.camera.images.file import decode_image
from agent.camera.images.header import ImageFormat, read_header
from agent.camera.images.own_jpeg import check_complete, keepable


def decode_camera_image(data: bytes) -> CameraImage:
    """Decode an image that a camera sent.

    Where the file can be kept, it is decoded as it is kept, without its metadata: then no reading
    of its EXIF, by which decoders differ, can make the pixels others than those of the kept file.

    Raises:
        UnusableImage: As `ImageDecoder.decode`, or it is a JPEG without its end, of which the
            decoder would return a part.
    """
    check_complete(data)
    header = read_header(data)
    kept = None
    if header.format is ImageFormat.JPEG and header.tags.orientation == 1:
        kept = keepable(data, width=header.width, height=header.height)
    return CameraImage(decode_image(data if kept is None else kept), kept)
