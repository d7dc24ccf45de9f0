"""A camera for the machine inside: shows a clip over HTTP for ever. Run by the agent's own Python.

python camera.py CLIP PORT
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

FRAMES_A_SECOND = 25


def images(clip: str) -> list[bytes]:
    """The clip's frames as JPEG."""
    video, found = cv2.VideoCapture(clip), []
    while (result := video.read())[0]:
        found.append(bytes(cv2.imencode(".jpg", result[1])[1]))
    return found


class Handler(BaseHTTPRequestHandler):
    frames: list[bytes]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        started = time.monotonic()
        number = 0
        try:
            while True:
                data = self.frames[number % len(self.frames)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                number += 1
                time.sleep(max(0.0, started + number / FRAMES_A_SECOND - time.monotonic()))
        except OSError:
            self.close_connection = True  # the reader went away

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    Handler.frames = images(sys.argv[1])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
