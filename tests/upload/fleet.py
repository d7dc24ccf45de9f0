"""Many devices against one endpoint of limited capacity, in virtual time, with the real pace."""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from random import Random

from agent.ports import Jitter
from agent.upload.backoff import FIRST_BOUND, Backoff

LONGEST_NAP = 30.0  # as a worker of the uploader
IDLE = 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What comes back at once, and what it meets."""

    name: str
    devices: int = 1000
    workers: int = 4  # connections of a device
    backlog: int = 20  # captures of a device
    outage: float = 0.0  # seconds that the devices run before the endpoint can be reached
    capacity: float = 200.0  # requests per second that the endpoint serves
    latency: float = 0.2  # seconds from a request to its response
    retry_after: float | None = None  # what it tells those whom it turns away

    @property
    def ideal(self) -> float:
        """Seconds to drain at full capacity throughout."""
        return self.devices * self.backlog / self.capacity


@dataclass(slots=True)
class Figures:
    """How it went."""

    peak: int = 0  # requests in the busiest second, from the return of the endpoint on
    drained: float = 0.0  # seconds from the return of the endpoint until nothing waits
    turned_away: int = 0
    left: int = 0  # captures that were not delivered when the simulation ended


@dataclass(slots=True)
class _Device:
    pace: Backoff
    waiting: int


@dataclass(slots=True)
class _Endpoint:
    scenario: Scenario
    tokens: float = 0.0
    at: float = 0.0
    arrivals: Counter[int] = field(default_factory=Counter)

    def serves(self, now: float) -> bool:
        """Whether a request is served; one second's worth of them may queue."""
        capacity = self.scenario.capacity
        self.tokens = min(self.tokens + (now - self.at) * capacity, capacity)
        self.at = now
        self.arrivals[int(now)] += 1
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def full_jitter(seed: int) -> Jitter:
    """As in production, drawn from a seed."""
    random = Random(seed)
    return lambda bound: random.uniform(0.0, bound)


def no_jitter(bound: float) -> float:
    """Everybody waits exactly as long as anybody."""
    return bound


def simulate(
    scenario: Scenario, jitter: Jitter, *, first_bound: float = FIRST_BOUND, give_up: float = 7200.0
) -> Figures:
    """Let all devices start in the same instant; answers when nothing waits, or after `give_up`."""
    order = count()
    endpoint = _Endpoint(scenario, at=scenario.outage, tokens=scenario.capacity)
    devices = [
        _Device(Backoff(jitter, first_bound=first_bound), scenario.backlog)
        for _ in range(scenario.devices)
    ]
    events: list[tuple[float, int, _Device, bool | None]] = [
        (0.0, next(order), device, None) for device in devices for _ in range(scenario.workers)
    ]
    figures = Figures()
    left = scenario.devices * scenario.backlog
    now = 0.0
    while left and now < scenario.outage + give_up:
        now, _, device, served = heapq.heappop(events)
        if served is not None:
            left -= served
            _answer(device, now, scenario, served=served)
        wait = device.pace.admit(now)
        if wait > 0:
            heapq.heappush(events, (now + min(wait, LONGEST_NAP), next(order), device, None))
        elif not device.waiting:
            device.pace.abandon()
            heapq.heappush(events, (now + IDLE, next(order), device, None))
        else:
            device.waiting -= 1
            is_up = now >= scenario.outage
            is_served = is_up and endpoint.serves(now)
            figures.turned_away += is_up and not is_served
            heapq.heappush(events, (now + scenario.latency, next(order), device, is_served))
    figures.peak = max(endpoint.arrivals.values())
    figures.left = left
    figures.drained = now - scenario.outage
    return figures


def _answer(device: _Device, now: float, scenario: Scenario, *, served: bool) -> None:
    if served:
        device.pace.delivered(now)
        return
    device.waiting += 1
    # What never reached the endpoint was told nothing.
    is_told = now - scenario.latency >= scenario.outage
    device.pace.unavailable(now, scenario.retry_after if is_told else None, reached=is_told)
