"""A random schedule of everything that goes wrong between a spool and an endpoint.

The real spool, uploader, pace and HTTP target on one side; on the other an endpoint that remembers
what it really stored, behind a network and servers that lie about it. Time is virtual: only silence
of the far side is waited for. Everything is drawn from one seed.
"""

import hashlib
import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path
from random import Random
from threading import Event, Lock
from typing import Any

import faulty_server as faults
import structlog
from faulty_server import Behaviour, FaultyServer, Request, answer
from structlog.testing import LogCapture
from upload_builders import identity, record_of

from agent.domain import Lane, Receipt, StoredCapture
from agent.errors import TargetUnavailable
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.spool.drafts import Draft, Limits
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.upload.http import HttpTarget
from agent.upload.network import Network
from agent.upload.pace import STRIKES, Pace

WORKERS = 3
CAPTURES = 40
ROOM = 12  # captures that the budget of the spool holds
LIES = 40
FAULTY_ROUNDS = 900
HONEST_ROUNDS = 1500  # more than any pause or hold takes
IDLE_S = 5.0  # what passes while nothing can be done
TIMEOUT = 0.3

RETRY = (408, 425, 429, 500, 502, 503, 504, 507, 599)
HOLD = (301, 302, 307, 401, 402, 403, 404, 405, 407, 410, 418, 421, 423, 426, 501, 511)
REJECT = (400, 413, 414, 415, 422, 431)
PORTAL = b"<!doctype html><html><body>Please log in</body></html>"


class BrokenPromiseError(AssertionError):
    """Something was lost, delivered twice, or let go without proof."""


def promise(kept: bool, text: str, *facts: object) -> None:
    if not kept:
        raise BrokenPromiseError(f"{text}: {facts}" if facts else text)


class VirtualClock:
    """Time that the schedule moves; the wall clock is wrong, and jumps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.offset = -1000.0  # it is 1970

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.offset


class Endpoint:
    """What is stored, and the lies that are told about it.

    Some captures it will never take, and some it cannot take as long as it is not `honest`.
    `delivered` is filled by the test: what the sender let go.
    """

    def __init__(self, random: Random, clock: VirtualClock) -> None:
        self.honest = False
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
        self._quiet: tuple[float, int] = (0.0, 0)  # until when, heard in which round
        self._random = random
        self._clock = clock
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
        self._honesty = self._random.choice([0.1, 0.5, 0.9])

    def heard(self, capture_id: str) -> None:
        """The sender got the answer for a capture: a pause that it asks for counts from now."""
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
            elif capture_id in self.unlucky and not self.honest:
                behaviour = self._retry(request, capture_id, sha256)
            elif self.honest or self._random.random() < self._honesty:
                behaviour = self._store(request, capture_id, sha256)
            else:
                lie = self._random.choice(self._lies)
                self.told[lie.__name__] += 1
                behaviour = lie(request, capture_id, sha256)
        behaviour(stream, request, stopping)

    def cuts_body(self) -> bool:
        """Whether the connection breaks before the next request is whole."""
        with self._lock:
            return not self.honest and self._random.random() < 0.03

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
        return answer(status, self._receipt(capture_id, sha256))

    # Lies, and troubles that are true

    def _retry(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        if self._random.random() < 0.3:
            self._keep(capture_id, sha256)
        return answer(self._random.choice(RETRY), b'{"error": "later"}')

    def _hold(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        headers = {"Location": "http://portal.example/login"}
        return answer(self._random.choice(HOLD), PORTAL, headers)

    def _reject(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        self.refusals[capture_id] += 1
        return answer(self._random.choice(REJECT), b'{"error": "not this one"}')

    def _in_progress(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return answer(409, b'{"error": "in progress"}')

    def _pause_in_seconds(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        seconds = self._random.choice([5, 60, 600])
        self._asked[capture_id] = self._clock.now + seconds
        return answer(self._random.choice([429, 503]), b"", {"Retry-After": str(seconds)})

    def _pause_until_a_date(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        """By the server's clock, which is right; ours is decades away."""
        seconds = self._random.choice([30, 300])
        self._asked[capture_id] = self._clock.now + seconds
        wall = 1_780_000_000 + int(self._clock.now)
        headers = {
            "Retry-After": formatdate(wall + seconds, usegmt=True),
            "Date": formatdate(wall, usegmt=True),
        }
        return answer(503, b"", headers)

    def _portal(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return answer(200, PORTAL, {"Content-Type": "text/html"})

    def _empty(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return answer(self._random.choice([200, 201, 202]))

    def _truncated(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        self._keep(capture_id, sha256)
        return answer(201, self._receipt(capture_id, sha256)[: self._random.randint(1, 60)])

    def _another_id(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return answer(201, self._receipt(identity(999_999), sha256))

    def _another_image(self, request: Request, capture_id: str, sha256: str) -> Behaviour:
        return answer(self._random.choice([200, 409]), self._receipt(capture_id, "0" * 64))

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
        ways = [faults.silent, faults.trickle_header, faults.trickle_body]
        return self._random.choice(ways)


class CuttingServer(FaultyServer):
    """Now and then breaks the connection in the middle of a request."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.behave)
        self._endpoint = endpoint

    def _receive(self, stream: socket.socket) -> bytes:
        piece = super()._receive(stream)
        return b"" if piece and self._endpoint.cuts_body() else piece


class Listening:
    """The target, and a word to the endpoint when one of its answers has come through."""

    def __init__(self, target: HttpTarget, endpoint: Endpoint) -> None:
        self.name = target.name
        self.probe = target.probe
        self._target = target
        self._endpoint = endpoint

    def send(self, capture: StoredCapture) -> Receipt:
        try:
            return self._target.send(capture)
        except TargetUnavailable as error:
            if "the endpoint answers" in str(error):
                self._endpoint.heard(capture.id)
            raise


class Schedule:
    """One run. `make_uploader` and `target_kind` are where bugs are planted."""

    def __init__(
        self, seed: int, folder: Path, *, make_uploader: Callable[..., Uploader] = Uploader
    ) -> None:
        self.random = Random(seed)
        self.clock = VirtualClock()
        self.endpoint = Endpoint(self.random, self.clock)
        self.lines = LogCapture()
        self.log: Any = structlog.wrap_logger(None, processors=[self.lines])
        self.evicted: set[str] = set()
        self.put_ids: list[str] = []
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._make_uploader = make_uploader
        self._process = ExitStack()

    def run(self) -> None:
        """Do it all; raises `BrokenPromiseError`."""
        with CuttingServer(self.endpoint) as server:
            self._url = server.url
            try:
                self._start()
                self._go_through()
            finally:
                self._process.close()

    def _go_through(self) -> None:
        for number in range(FAULTY_ROUNDS):
            if self.endpoint.told.total() >= LIES:
                break
            if number % 25 == 0:
                self.endpoint.change_mood()
            if self.random.random() < 0.2:
                self._put()
            if self.random.random() < 0.02:
                self._restart()
            if self.random.random() < 0.05:
                self.clock.offset = self.random.choice([-1000.0, 1.78e9, 3.3e9])
            self._round()
        while len(self.put_ids) < CAPTURES:
            self._put()
        self.endpoint.honest = True
        rounds = 0
        while self.spool.waiting() and rounds < HONEST_ROUNDS:
            if rounds % 50 == 0:
                # While nothing passes, no capture is blamed for it: life must go on.
                self._put(wanted=True)
            self._round()
            rounds += 1
        self._check_end()

    @property
    def delivered(self) -> list[str]:
        return list(self._told("capture delivered"))

    @property
    def set_aside(self) -> set[str]:
        return set(self._told("capture rejected"))

    def _told(self, event: str) -> Iterator[str]:
        return (line["capture"] for line in self.lines.entries if line["event"] == event)

    def _round(self) -> None:
        """Every worker makes one step, at once; then as much time passes as they ask for."""
        self.endpoint.round += 1
        before = self.endpoint.requests
        waits = list(self._pool.map(lambda _: self._uploader.step(), range(WORKERS)))
        self.endpoint.delivered.update(self.delivered)
        is_idle = self.endpoint.requests == before
        self.clock.now += max(min(waits), IDLE_S if is_idle else 0.01)
        self._check_now()

    def _put(self, *, wanted: bool = False) -> None:
        number = len(self.put_ids)
        image = self.random.randbytes(self.random.randint(1, 3000))
        made = record_of(number, image)
        if not wanted:
            fate = self.random.random()
            if fate < 0.1:
                self.endpoint.unwanted.add(made["id"])
            elif fate < 0.2:
                self.endpoint.unlucky.add(made["id"])
        lane = self.random.choice([Lane.SCORE, Lane.SCORE, Lane.REQUESTED])
        value = self.random.random()
        stored = self.spool.put([Draft(made["id"], lane, value, made, image)])
        self.put_ids.append(made["id"])
        self.evicted.update(entry.id for entry in stored.evicted)

    def _restart(self) -> None:
        """As after a crash: what was in memory is gone."""
        self._process.close()
        self.endpoint.forget_pause()
        self._start()

    def _start(self) -> None:
        limits = Limits(10**12)
        if not (self._folder / "spool").exists():
            with open_spool(
                self._folder / "spool", limits, clock=self.clock, log=self.log
            ) as empty:
                self._budget = empty.occupied() + 65_536 + ROOM * 4096
        self._process = ExitStack()
        self.spool: Spool = self._process.enter_context(
            open_spool(self._folder / "spool", Limits(self._budget), clock=self.clock, log=self.log)
        )
        target = self._process.enter_context(
            HttpTarget(
                self._url,
                token="s3cret",
                clock=self.clock,
                network=Network(timeout=TIMEOUT, workers=WORKERS),
            )
        )
        self._pool = self._process.enter_context(ThreadPoolExecutor(WORKERS))
        pace = Pace(lambda bound: self.random.uniform(0, bound))
        self._uploader = self._make_uploader(
            self.spool,
            Listening(target, self.endpoint),
            pace,
            stats=Stats(),
            clock=self.clock,
            log=self.log,
        )

    def _check_now(self) -> None:
        """What must hold at any instant."""
        promise(not self.endpoint.broken, "a promise to the endpoint", self.endpoint.broken)
        unproved = set(self.delivered) - self.endpoint.stored.keys()
        promise(not unproved, "let go without being stored", unproved)
        counts = Counter(self.spool.counts())
        left = sum(count for name, count in counts.items() if name != "stored")
        promise(counts["stored"] == left + self.spool.waiting(), "the law of counts", counts)

    def _check_end(self) -> None:
        promise(self.spool.waiting() == 0, "captures wait for ever", self.spool.waiting())
        delivered = Counter(self.delivered)
        promise(max(delivered.values()) == 1, "delivered twice", delivered.most_common(1))
        owed = set(self.put_ids) - self.evicted - self.set_aside
        promise(delivered.keys() == owed, "history", delivered.keys() ^ owed)
        there = self.endpoint.stored.keys() - self.evicted - self.set_aside
        promise(there == owed, "the endpoint's set is not the spool's history", there ^ owed)
        for capture_id in self.set_aside:
            refusals = self.endpoint.refusals[capture_id]
            promise(refusals >= STRIKES, "set aside without three refusals", capture_id, refusals)
        counts = self.spool.counts()
        promise(counts["stored"] == len(self.put_ids), "stored", counts)
        promise(counts["delivered"] == len(delivered), "delivered", counts)
