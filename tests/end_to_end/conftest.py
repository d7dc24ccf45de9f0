"""One endpoint per test, stopped afterwards; and signals as in a foreground shell."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.endpoint import LocalEndpoint


@pytest.fixture(autouse=True)
def interrupt_is_not_ignored() -> Iterator[None]:
    """Give child processes the default SIGINT: a background shell starts us with it ignored.

    A process inherits ignored signals, and Python then raises no `KeyboardInterrupt`.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Callable[..., LocalEndpoint]]:
    """Makes a receiver into `tmp_path/dataset`."""
    made: list[LocalEndpoint] = []

    def make(*, token: str | None = None, up: bool = True) -> LocalEndpoint:
        made.append(LocalEndpoint(tmp_path / "dataset", token=token, up=up))
        return made[-1]

    yield make
    for each in made:
        each.stop()
