"""A dataset folder, its desk, and a real server for it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.dataset.reviewed import ReviewedDataset
from agent.files import Disk
from agent.review.desk import ReviewDesk
from agent.review.other_desks import OtherDesks
from tests.fakes.api import ApiClient
from tests.fakes.clock import ManualClock
from tests.review.review_folder import ReviewFolder, served_folder

Serve = Callable[..., ApiClient]


@pytest.fixture
def folder(tmp_path: Path) -> ReviewFolder:
    return ReviewFolder(tmp_path / "dataset")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def desk_of(clock: ManualClock) -> Iterator[Callable[[ReviewFolder], ReviewDesk]]:
    """`desk_of(folder)` opens the folder as it is now, as one more desk."""
    with contextlib.ExitStack() as stack:

        def desk(folder: ReviewFolder) -> ReviewDesk:
            return stack.enter_context(opened_desk(folder, clock))

        yield desk


@contextlib.contextmanager
def opened_desk(folder: ReviewFolder, clock: ManualClock) -> Iterator[ReviewDesk]:
    """Open a folder as a process does, and end as it does."""
    disk = Disk(inside=folder.path)
    others = OtherDesks(folder.path, disk, clock)
    with others.opened():
        yield ReviewDesk(ReviewedDataset(folder.path, disk), others, clock)


@pytest.fixture
def serve(clock: ManualClock) -> Iterator[Serve]:
    """`serve(folder, ...)` starts a real server, which ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(folder: ReviewFolder, **how: Any) -> ApiClient:
            return stack.enter_context(served_folder(folder.path, **{"clock": clock, **how}))

        yield start
