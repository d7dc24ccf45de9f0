"""A camera whose frames tell their number, so that a stored image can be matched to a seen one."""

import threading
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from agent.domain import Pixels
from tests.camera.http_camera import HttpCamera, Page, multipart

WIDTH, HEIGHT = 640, 360
BITS = 16
SQUARE = WIDTH // BITS
FRAMES_PER_SECOND = 10
PATH = "/video"


def numbered(number: int) -> Pixels:
    """Return a frame that shows `number` as two rows of squares: its bits, and their opposites."""
    rise = np.linspace(60, 180, WIDTH, dtype=np.uint8)
    pixels = np.repeat(np.tile(rise, (HEIGHT, 1))[..., None], 3, axis=2)
    cv2.putText(pixels, str(number), (40, 200), cv2.FONT_HERSHEY_SIMPLEX, 3, (250, 250, 250), 8)
    for bit in range(BITS):
        level = 255 * (number >> bit & 1)
        across = slice(bit * SQUARE, (bit + 1) * SQUARE)
        pixels[-2 * SQUARE : -SQUARE, across] = level
        pixels[-SQUARE:, across] = 255 - level
    return pixels


def number_in(pixels: Pixels) -> int | None:
    """Return the number that an image shows, whatever its size; None if it shows none."""
    scaled = cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    centres = scaled[:, SQUARE // 2 :: SQUARE].max(axis=2)
    bits = centres[-SQUARE * 3 // 2] > 127
    opposites = centres[-SQUARE // 2] > 127
    if (bits == opposites).any():
        return None
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def number_in_jpeg(data: bytes) -> int | None:
    return number_in(np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)))


NUMBER_IN_PAGE = """
const [WIDTH, HEIGHT, BITS] = [640, 360, 16];
const square = WIDTH / BITS;
function numberIn(image) {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(image, 0, 0, WIDTH, HEIGHT);
  const isBright = (x, y) => context.getImageData(x, y, 1, 1).data[1] > 127;
  let number = 0;
  for (let bit = 0; bit < BITS; bit++) {
    const x = (bit + 0.5) * square;
    const one = isBright(x, HEIGHT - 1.5 * square);
    if (one === isBright(x, HEIGHT - 0.5 * square)) return null;
    number += one * 2 ** bit;
  }
  return number;
}
"""
"""The same as `number_in`, for an `<img>` or a `<canvas>` of the page."""


class StreamCamera:
    """An MJPEG stream over HTTP; the numbers of its frames go on over all connections."""

    def __init__(self, image_of: Callable[[int], Pixels] = numbered) -> None:
        self.number = 0  # of the last frame that was sent
        self._image_of = image_of
        self._stopping = threading.Event()
        self._server = HttpCamera({PATH: self._stream})
        self.url = self._server.url(PATH)

    def stop(self) -> None:
        self._stopping.set()
        self._server.stop()

    def _stream(self, headers: object) -> Page:
        kind = "multipart/x-mixed-replace; boundary=frame"
        return Page(kind=kind, parts=multipart(self._images()))

    def _images(self) -> Iterator[bytes]:
        while not self._stopping.wait(1 / FRAMES_PER_SECOND):
            self.number = (self.number + 1) % 2**BITS
            yield bytes(cv2.imencode(".jpg", self._image_of(self.number))[1])
