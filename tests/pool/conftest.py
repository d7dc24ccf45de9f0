"""What tests of pools share."""

import os

import pytest


@pytest.fixture
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is synced: no power is cut here, and folders of many files take seconds."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
