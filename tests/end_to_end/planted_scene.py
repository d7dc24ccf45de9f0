"""A scene with planted colours, a model that sees two objects in it, and a search for them.

Colours are planted as a pattern of squares, so that they can be told from their mean: magenta and
yellow where a mask will be, cyan and red where a person is.
"""

import base64
import binascii
import re
import socket
import socketserver
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np

from agent.domain import Pixels
from agent.selection.similarity import COARSE_SIDE, CROP_SIDE
from tests.detector.planted_models import fixed_model

WIDTH, HEIGHT = 320, 240
MASK = "scene:0.5,0 1,0 1,0.3334 0.5,0.3334"
REGION = (160, 0, 320, 80)
PERSON = (40, 90, 120, 230)
CAR = (190, 15, 290, 65)  # within the region, with the surroundings that a crop shows
COLOURS = {
    "magenta": (255, 0, 255),
    "yellow": (0, 255, 255),
    "cyan": (255, 255, 0),
    "red": (0, 0, 255),
}
IN_REGION, IN_PERSON = ("magenta", "yellow"), ("cyan", "red")
FRAMES = 24

_SQUARE = 10  # pixels
_NEAR = 70  # levels of each channel
_CORE = np.ones((6, 6), np.uint8)  # pixels that must have the colour: more than a drawn line
_MEDIA = re.compile(rb"[A-Za-z0-9+/]{400,}={0,2}")
_CROP = re.compile(r'"([0-9A-Za-z!#$%&()*+\-;<=>?@^_`{|}~]{180})"')


def planted_frames(folder: Path) -> Path:
    """Write images whose background changes, with the planted patterns."""
    folder.mkdir()
    random = np.random.default_rng(4)
    for number in range(FRAMES):
        coarse = random.integers(40, 160, (HEIGHT // 8, WIDTH // 8, 1), np.uint8)
        pixels = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        image = np.repeat(pixels[:, :, None], 3, axis=2)
        _plant(image, REGION, IN_REGION)
        _plant(image, PERSON, IN_PERSON)
        cv2.imwrite(str(folder / f"{number:03}.png"), image)
    return folder


def _plant(image: Pixels, box: tuple[int, int, int, int], names: tuple[str, str]) -> None:
    left, top, right, bottom = box
    rows, columns = np.ogrid[: bottom - top, : right - left]
    odd = (rows // _SQUARE + columns // _SQUARE) % 2 == 1
    image[top:bottom, left:right] = np.where(odd[:, :, None], *(COLOURS[name] for name in names))


def planted_model(path: Path) -> Path:
    """Write a model that sees the person and the car in each frame, both below the threshold."""
    rows = np.zeros((6, 2), np.float32)
    for n, (left, top, right, bottom) in enumerate((PERSON, CAR)):
        centre = (left + right, top + bottom + 80)  # twice as large, 80 pixels of padding above
        rows[:4, n] = *centre, 2 * (right - left), 2 * (bottom - top)
        rows[4 + n, n] = 0.42
    names = {"task": "detect", "names": "{0: 'person', 1: 'car'}", "stride": "32"}
    return fixed_model(path, rows, metadata=names)


def colours_in(data: bytes) -> set[str]:
    """Return the planted colours in these bytes: in each JPEG and PNG, also as text, and raw."""
    found = {name for name, level in COLOURS.items() if bytes(level) * 6 in data}
    for image in _images(data):
        found |= shown_colours(image)
    for text in _MEDIA.findall(data):
        with suppress(binascii.Error):
            found |= colours_in(base64.b64decode(text[: len(text) // 4 * 4]))
    return found


def _images(data: bytes) -> Iterator[Pixels]:
    for mark in (b"\xff\xd8\xff", b"\x89PNG\r\n"):
        at = data.find(mark)
        while at >= 0:
            decoded = cv2.imdecode(np.frombuffer(data[at:], np.uint8), cv2.IMREAD_COLOR)
            if decoded is not None:
                yield np.asarray(decoded, np.uint8)
            at = data.find(mark, at + 1)


def shown_colours(image: Pixels) -> set[str]:
    """Return the planted colours that an area of the image has."""
    found = set()
    for name, level in COLOURS.items():
        near = (np.abs(image.astype(np.int16) - level) <= _NEAR).all(axis=2).astype(np.uint8)
        if cv2.erode(near, _CORE).any():
            found.add(name)
    return found


def search(folder: Path, *, without: set[str]) -> dict[str, set[str]]:
    """Return the planted colours in each file below a folder, by path; `without`: its inputs."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and name.split("/", maxsplit=1)[0] not in without:
            colours = colours_in(path.read_bytes())
            if colours:
                found[name] = colours
    return found


def fine_crops(folder: Path) -> list[str]:
    """Return the databases that hold a grey crop with more detail than coarse blocks have."""
    found = []
    for path in folder.rglob("*.db"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            tables = [
                row[0]
                for row in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            texts = [
                str(value)
                for table in tables
                for row in database.execute(f'SELECT * FROM "{table}"')
                for value in row
            ]
        found += [str(path)] * sum(map(_has_fine_crop, texts))
    return found


def _has_fine_crop(text: str) -> bool:
    crops = [base64.b85decode(code) for code in _CROP.findall(text.replace('\\"', '"'))]
    return any(len(crop) == CROP_SIDE**2 and len(set(crop)) > COARSE_SIDE**2 for crop in crops)


class ListeningProxy:
    """Passes connections on to an endpoint, and keeps each byte that is sent to it."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self.sent = bytearray()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((target.hostname, target.port)) as there:
                    back = threading.Thread(target=_pump, args=(there, self.request, None))
                    back.start()
                    _pump(self.request, there, outer.sent)
                    with suppress(OSError):
                        there.shutdown(socket.SHUT_WR)
                    back.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{target.path}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if kept is not None:
                kept += data
            sink.sendall(data)
