"""A random schedule of everything that goes wrong between a spool and an endpoint.

The real spool, uploader, pace and HTTP target on one side; on the other the lying endpoint. Time is
virtual: the time of a request is over when the endpoint is silent. Everything is drawn from a seed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from math import inf
from pathlib import Path
from random import Random
from threading import local

from agent.domain import Lane, Receipt, StoredCapture
from agent.errors import TargetUnavailable
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.spool.types import NewCapture, SpoolLimits
from agent.upload.backoff import REJECTIONS_MAX, Backoff
from agent.upload.http.options import HttpOptions
from agent.upload.http.timer_thread import Timer, TimerThread
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import record_of
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S
from tests.upload.lying_endpoint import CuttingServer, Endpoint

WORKERS = 3
CAPTURES = 40
ROOM = 12  # captures that the budget of the spool holds
LIES = 40
FAULTY_ROUNDS = 900
RECOVERY_ROUNDS = 1500  # more than any pause or hold takes
IDLE_S = 5.0  # what passes while nothing can be done


class BrokenPromiseError(AssertionError):
    """Something was lost, delivered twice, or let go without proof."""


def promise(kept: bool, text: str, *facts: object) -> None:
    if not kept:
        raise BrokenPromiseError(f"{text}: {facts}" if facts else text)


class Timers(TimerThread):
    """Timers of requests that end when the test says so.

    By real time a slow endpoint would get a request after the sender has given it up, and the
    capture was delivered by another.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sender = local()
        self._calls: dict[str, Callable[[], None]] = {}

    def sending(self, capture_id: str) -> None:
        """The next timer of this thread is for the request with this capture."""
        self._sender.capture_id = capture_id

    def set(self, seconds: float, call: Callable[[], None]) -> Timer:
        del seconds
        self._calls[self._sender.capture_id] = call
        return Timer(inf, call)

    def end(self, capture_id: str) -> None:
        """The time of the request with this capture is over."""
        self._calls[capture_id]()


class Listening:
    """The target, and a word to the endpoint when one of its answers has come through."""

    def __init__(self, target: EndpointTarget, endpoint: Endpoint, timers: Timers) -> None:
        self.name = target.name
        self.probe = target.probe
        self._target = target
        self._endpoint = endpoint
        self._timers = timers
        target._client._transport._timers = timers

    def send(self, capture: StoredCapture) -> Receipt:
        self._timers.sending(capture.id)
        try:
            return self._target.send(capture)
        except TargetUnavailable as error:
            if "the endpoint answers" in str(error):
                self._endpoint.response_received(capture.id)
            raise


class Schedule:
    """One run. `make_uploader` and `target_kind` are where bugs are planted."""

    def __init__(
        self, seed: int, folder: Path, *, make_uploader: Callable[..., Uploader] = Uploader
    ) -> None:
        self.random = Random(seed)
        self.clock = ManualClock(wall=0.0)
        self._timers = Timers()
        self.endpoint = Endpoint(self.random, self.clock, self._timers.end)
        self.log = Recorder()
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
                self.clock.wall_offset = self.random.choice([-1000.0, 1.78e9, 3.3e9])
            self._round()
        while len(self.put_ids) < CAPTURES:
            self._put()
        self.endpoint.is_truthful = True
        rounds = 0
        while self.spool.waiting() and rounds < RECOVERY_ROUNDS:
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
    def rejected_ids(self) -> set[str]:
        return set(self._told("capture rejected"))

    def _told(self, event: str) -> Iterator[str]:
        return (line["capture"] for line in self.log.lines if line["event"] == event)

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
        stored = self.spool.put([NewCapture(made["id"], lane, value, made, image)])
        self.put_ids.append(made["id"])
        self.evicted.update(entry.id for entry in stored.evicted)

    def _restart(self) -> None:
        """As after a crash: what was in memory is gone."""
        self._process.close()
        self.endpoint.forget_pause()
        self._start()

    def _start(self) -> None:
        limits = SpoolLimits(10**12)
        if not (self._folder / "spool").exists():
            with open_spool(
                self._folder / "spool", limits, clock=self.clock, log=self.log.log
            ) as empty:
                self._budget = empty.occupied() + 65_536 + ROOM * 4096
        self._process = ExitStack()
        self.spool: Spool = self._process.enter_context(
            open_spool(
                self._folder / "spool",
                SpoolLimits(self._budget),
                clock=self.clock,
                log=self.log.log,
            )
        )
        target = self._process.enter_context(
            EndpointTarget(
                self._url,
                token="s3cret",
                clock=self.clock,
                network=HttpOptions(timeout=LIMIT_S, workers=WORKERS),
            )
        )
        self._pool = self._process.enter_context(ThreadPoolExecutor(WORKERS))
        pace = Backoff(lambda bound: self.random.uniform(0, bound))
        self._uploader = self._make_uploader(
            self.spool,
            Listening(target, self.endpoint, self._timers),
            pace,
            stats=Stats(),
            clock=self.clock,
            log=self.log.log,
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
        owed = set(self.put_ids) - self.evicted - self.rejected_ids
        promise(delivered.keys() == owed, "history", delivered.keys() ^ owed)
        there = self.endpoint.stored.keys() - self.evicted - self.rejected_ids
        promise(there == owed, "the endpoint's set is not the spool's history", there ^ owed)
        for capture_id in self.rejected_ids:
            refusals = self.endpoint.refusals[capture_id]
            promise(
                refusals >= REJECTIONS_MAX, "rejected without three refusals", capture_id, refusals
            )
        counts = self.spool.counts()
        promise(counts["stored"] == len(self.put_ids), "stored", counts)
        promise(counts["delivered"] == len(delivered), "delivered", counts)
