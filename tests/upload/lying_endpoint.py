"""An endpoint that remembers what it stored, behind servers and a network that lie about it."""

import hashlib
import json
import socket
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from random import Random
from threading import Event, Lock

from tests.fakes import captures
from tests.fakes.clock import ManualClock
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import Behaviour, FaultyServer, Request, response

RETRY = (408, 425, 429, 500, 502, 503, 504, 507, 599)
HOLD = (301, 302, 307, 401, 402, 403, 404, 405, 407, 410, 418, 421, 423, 426, 501, 511)
REJECT = (400, 413, 414, 415, 422, 431)
PORTAL = b"<!doctype html><html><body>Please log in</body></html>"


class Silence(Event):
    """What a behaviour waits for that is silent: the time of its request is over once it waits."""

    def __init__(self, stopping: Event, end: Callable[[], None]) -> None:
        super().__init__()
        self._stopping = stopping
        self._end: Callable[[], None] | None = end

    def wait(self, timeout: float | None = None) -> bool:
        end, self._end = self._end, None
        if end is not None:
            end()
        return self._stopping.wait(timeout)


class Endpoint:
    """What is stored, and the lies that are told about it.

    Some captures it will never take, and some it cannot take as long as it is not `is_truthful`.
    `delivered` is filled by the test: what the sender let go. `end_request` ends the time that the
    request with a capture has; the endpoint calls it instead of being silent for so long.
    """

    def __init__(
        self, random: Random, clock: ManualClock, end_request: Callable[[str], None]
    ) -> None:
        self.is_truthful = False
        self.stored: dict[str, str] = {}
        self.refusals: Counter[str] = Counter()
        self.unwanted: set[str] = set()
        self.unlucky: set[str] = set()
        self.delivered: set[str] = set()
        self.broken: list[str] = []
        self.told: Counter[str] = Counter()
        self.requests = 0
        self.round = 0
        self._asked: dict[str, float] = {}  # by capture: until when its sender was told to wait
        self._quiet: tuple[float, int] = (0.0, 0)  # until when, received in which round
        self._random = random
        self._clock = clock
        self._end_request = end_request
        self._lock = Lock()
        self._lies: list[Callable[[Request, str, str], Behaviour]] = []
        self.change_mood()

    def change_mood(self) -> None:
        """Choose which few faults are about for a while, and how often."""
        everything = [
            self._retry,
            self._hold,
            self._reject,
            self._in_progress,
            self._pause_in_seconds,
            self._pause_until_a_date,
            self._portal,
            self._empty,
            self._truncated,
            self._another_id,
            self._another_image,
            self._lost,
            self._stored_and_lost,
            self._cut_answer,
            self._silent,
        ]
        self._lies = self._random.sample(everything, 4)
        self._truth_rate = self._random.choice([0.1, 0.5, 0.9])

    def response_received(self, capture_id: str) -> None:
        """The sender got the response for a capture: a pause that it asks for counts from now."""
        with self._lock:
            until = self._asked.pop(capture_id, 0.0)
            self._quiet = max(self._quiet, (until, self.round))

    def forget_pause(self) -> None:
        """The sender restarted: attempts are not worth a write to flash, so it does not know."""
        self._quiet = (0.0, 0)

    def behave(self, stream: socket.socket, request: Request, stopping: Event) -> None:
        with self._lock:
            self.requests += 1
            capture_id, sha256 = self._look_at(request)
            if capture_id in self.unwanted:
                behaviour = self._reject(request, capture_id, sha256)
            elif capture_id in self.unlucky and not self.is_truthful:
                behaviour = self._retry(request, capture_id, sha256)
            elif self.is_truthful or self._random.random() < self._truth_rate:
                behaviour = self._store(request, capture_id, sha256)
            else:
                lie = self._random.choice(self._lies)
                self.told[lie.__name__] += 1
                behaviour = lie(request, capture_id, sha256)
        behaviour(stream, request, stopping)

    def cuts_body(self) -> bool:
        """Whether the connection breaks before the next request is whole."""
        with self._lock:
            return not self.is_truthful and self._random.random() < 0.03

    def _look_at(self, request: Request) -> tuple[str, str]:
        proof = json.loads(request.proof)
        capture_id, sha256 = proof["id"], proof["sha256"]
        self._asked.pop(capture_id, None)
        if capture_id in self.delivered:
            self.broken.append(f"{capture_id} came again after its delivery")
        until, asked_in = self._quiet
        if self._clock.now < until and self.round > asked_in:
            self.broken.append(f"{capture_id} came {until - self._clock.now} s early")
        image = request.body.split(b"image/jpeg\r\n\r\n")[1].rpartition(b"\r\n--")[0]
        image = image.partition(b"\r\n--")[0]
        if hashlib.sha256(image).hexdigest() != sha256:
            self.broken.append(f"{capture_id} came damaged")
        if request.headers["idempotency-key"] != f'"{capture_id}"':
            self.broken.append(f"{capture_id} came with another key")
        return capture_id, sha256

    def _keep(self, capture_id: str, sha256: str) -> bool:
        is_new = capture_id not in self.stored
        if self.stored.setdefault(capture_id, sha256) != sha256:
            self.broken.append(f"{capture_id} came with two images")
        return is_new

    def _receipt(self, capture_id: str, sha256: str) -> bytes:
        return json.dumps({"id": capture_id, "sha256": sha256}).encode()

    def _store(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        is_new = self._keep(capture_id, sha256)
        status = 201 if is_new else self._random.choice([200, 409])
        return response(status, self._receipt(capture_id, sha256))

    # False responses, and true failures

    def _retry(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        if self._random.random() < 0.3:
            self._keep(capture_id, sha256)
        return response(self._random.choice(RETRY), b'{"error": "later"}')

    def _hold(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        headers = {"Location": "http://portal.example/login"}
        return response(self._random.choice(HOLD), PORTAL, headers)

    def _reject(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        self.refusals[capture_id] += 1
        return response(self._random.choice(REJECT), b'{"error": "not this one"}')

    def _in_progress(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return response(409, b'{"error": "in progress"}')

    def _pause_in_seconds(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        seconds = self._random.choice([5, 60, 600])
        self._asked[capture_id] = self._clock.now + seconds
        return response(self._random.choice([429, 503]), b"", {"Retry-After": str(seconds)})

    def _pause_until_a_date(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        """By the server's clock, which is right; ours is decades away."""
        seconds = self._random.choice([30, 300])
        self._asked[capture_id] = self._clock.now + seconds
        wall = 1_780_000_000 + int(self._clock.now)
        headers = {
            "Retry-After": formatdate(wall + seconds, usegmt=True),
            "Date": formatdate(wall, usegmt=True),
        }
        return response(503, b"", headers)

    def _portal(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return response(200, PORTAL, {"Content-Type": "text/html"})

    def _empty(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return response(self._random.choice([200, 201, 202]))

    def _truncated(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        self._keep(capture_id, sha256)
        return response(201, self._receipt(capture_id, sha256)[: self._random.randint(1, 60)])

    def _another_id(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return response(201, self._receipt(captures.capture_id(999_999), sha256))

    def _another_image(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return response(self._random.choice([200, 409]), self._receipt(capture_id, "0" * 64))

    def _lost(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return faults.drop

    def _stored_and_lost(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        self._keep(capture_id, sha256)
        return faults.drop

    def _cut_answer(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        self._keep(capture_id, sha256)
        return faults.cut_answer

    def _silent(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        if self._random.random() < 0.5:
            self._keep(capture_id, sha256)
        way = self._random.choice([faults.silent, faults.trickle_header, faults.trickle_body])

        def behave(stream: socket.socket, request: Request, stopping: Event) -> None:
            way(stream, request, Silence(stopping, partial(self._end_request, capture_id)))

        return behave


class CuttingServer(FaultyServer):
    """Now and then breaks the connection in the middle of a request."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.behave)
        self._endpoint = endpoint

    def _receive(self, stream: socket.socket) -> bytes:
        piece = super()._receive(stream)
        return b"" if piece and self._endpoint.cuts_body() else piece
