"""The one check of images from outside: every frame passes it before any other part sees it."""

import numpy as np

from agent.camera.source_options import MAX_PIXELS, MAX_SIDE
from agent.domain import Pixels
from agent.errors import UnusableImage

_CHANNELS = 3
_DIMENSIONS = 3


def check_size(width: int, height: int) -> None:
    """Check the size that a file or stream states, in pixels, before it is decoded.

    A few kilobytes can state a size whose pixels take gigabytes.

    Raises:
        UnusableImage: A side is below 1 or above `MAX_SIDE`, or the area is above `MAX_PIXELS`.
    """
    if width < 1 or height < 1:
        raise UnusableImage(f"cannot use an image of {width}x{height} pixels: it is empty")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise UnusableImage(
            f"cannot use an image of {width}x{height} pixels: at most {MAX_SIDE} pixels a side "
            f"and {MAX_PIXELS // 1_000_000} million in all are accepted. Reduce its resolution"
        )


def checked(image: object) -> Pixels:
    """Return `image` as BGR `[height, width, 3]`, 0 to 255, contiguous in memory.

    Raises:
        UnusableImage: It is not an array of that shape and type, or of an accepted size.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise UnusableImage(f"cannot use an image of type {kind}: 8 bits a channel are needed")
    if image.ndim != _DIMENSIONS or image.shape[2] != _CHANNELS:
        raise UnusableImage(
            f"cannot use an image of shape {image.shape}: height, width and 3 channels are needed"
        )
    height, width = image.shape[:2]
    check_size(width, height)
    return np.ascontiguousarray(image)
