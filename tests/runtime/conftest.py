"""Steps that wait for nothing, and a real spool."""

import pytest

from tests.runtime.spool_fixtures import clock, log, spool

__all__ = ["clock", "log", "spool"]


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that finds nothing to do answers at once."""
    monkeypatch.setattr("agent.runtime.uploader.IDLE_S", 0.0)
    monkeypatch.setattr("agent.runtime.inference.TAKE_TIMEOUT_S", 0.0)
    monkeypatch.setattr("agent.runtime.writer.GATHER_S", 0.01)
