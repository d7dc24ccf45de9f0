"""What tests of dataset folders share."""

import os

import pytest

from agent.dataset import class_list, verdicts
from tests.limits import LIMIT_S


@pytest.fixture
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is synced: no power is cut here, and folders of many files take seconds."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def patient_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of many writers gets its turn, however slow the others are."""
    for module in (class_list, verdicts):
        monkeypatch.setattr(module, "_LOCK_WAIT_S", LIMIT_S)
