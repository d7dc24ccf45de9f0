"""The frames that the bench sends: JPEG files of a real street, with predictions."""

import json

import cv2

from tests.end_to_end.command import clip

DIFFERENT = 50
BOUNDARY = "bench"
FORM = {
    "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    "X-Requested-With": "bench",
}


def images(size: tuple[int, int] = (1280, 720), *, quality: int = 90) -> list[bytes]:
    """Return different JPEG files of this width and height."""
    reader = cv2.VideoCapture(str(clip()))
    found = []
    for _ in range(DIFFERENT):
        pixels = cv2.resize(reader.read()[1], size)
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        found.append(data.tobytes())
    return found


def predictions(frame: int) -> bytes:
    """Return ten detections that move from frame to frame, as JSON."""
    objects = [
        {
            "label": "car",
            "confidence": 0.9,
            "box": [100 * n + frame % 50, 300, 100 * n + 80 + frame % 50, 360],
        }
        for n in range(10)
    ]
    return json.dumps(
        {"model": {"name": "bench", "labels": ["car"]}, "detections": objects}
    ).encode()


def form(image: bytes, frame: int) -> bytes:
    """Return the body of a request."""
    begin = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    return b"".join(
        (
            f'{begin}"image"; filename="frame.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'.encode(),
            image,
            f'\r\n{begin}"predictions"\r\nContent-Type: application/json\r\n\r\n'.encode(),
            predictions(frame),
            f"\r\n--{BOUNDARY}--\r\n".encode(),
        )
    )
