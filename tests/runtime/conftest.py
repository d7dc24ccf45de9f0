"""The endpoint in memory comes from the upload tests: a fake has one home."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.spool.spool import Spool
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import open_test_spool


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that finds nothing to do answers at once."""
    monkeypatch.setattr("agent.runtime.uploader.IDLE_S", 0.0)
    monkeypatch.setattr("agent.runtime.inference.TAKE_TIMEOUT_S", 0.0)
    monkeypatch.setattr("agent.runtime.writer.GATHER_S", 0.01)


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
