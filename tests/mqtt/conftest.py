"""A broker, what listens there, and a daemon's doors without the daemon."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.command import until
from tests.fakes.log import Recorder
from tests.mqtt.door import Door
from tests.mqtt.mosquitto import ANYBODY, PROGRAM, Mosquitto, Watcher


@pytest.fixture
def log() -> Recorder:
    return Recorder()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Starts brokers with lines of configuration."""
    if not Path(PROGRAM).exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{PROGRAM} is missing; install the package mosquitto")
        pytest.skip(f"{PROGRAM} is not installed")
    brokers = []

    def make(*lines: str) -> Mosquitto:
        brokers.append(Mosquitto(tmp_path, lines or ANYBODY))
        return brokers[-1]

    yield make
    for each in brokers:
        each.stop()


@pytest.fixture
def broker(start: Callable[..., Mosquitto]) -> Mosquitto:
    """One that lets everybody in."""
    return start()


@pytest.fixture
def watcher(broker: Mosquitto) -> Iterator[Watcher]:
    """Sees all messages of `broker`."""
    watcher = Watcher(broker.port)
    yield watcher
    watcher.close()


@pytest.fixture
def door(log: Recorder) -> Iterator[Callable[..., Door]]:
    """Connects doors to the broker of an address."""
    doors = []

    def make(url: str, **more: Any) -> Door:
        doors.append(Door(url, log, **more))
        return doors[-1]

    yield make
    for each in doors:
        each.stop()
    until(lambda: not any(each.is_running for each in doors))
