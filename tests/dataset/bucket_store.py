"""Captures in a real S3 store, as devices deliver them."""

import pytest

from agent.domain import StoredCapture
from agent.upload.targets.s3 import S3Target
from tests.fakes.clock import ManualClock
from tests.upload.s3_store import ENVIRONMENT, S3Store


def emptied(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A running store without objects or faults; the environment names it."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": store.endpoint}.items():
        monkeypatch.setenv(name, value)
    store.failure = None
    store.faults.clear()
    store.denied = ()
    store.is_silent.clear()
    store.release.clear()
    for key in store.stored():
        store.delete(key)
    store.requests.clear()
    return store


def delivered(store: S3Store, *captures: StoredCapture) -> None:
    """Deliver captures with the agent's own target."""
    with S3Target(store.url, clock=ManualClock()) as target:
        for capture in captures:
            target.send(capture)
    store.requests.clear()
