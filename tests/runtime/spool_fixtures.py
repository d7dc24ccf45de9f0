"""Fixtures of a stopped clock, a recorded log and a real spool, for the folders that need them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.spool.spool import Spool
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import open_test_spool


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log() -> Recorder:
    return Recorder()


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock, log: Recorder) -> Iterator[Spool]:
    with open_test_spool(tmp_path, clock, log) as spool:
        log.lines.clear()
        yield spool
