"""One far side a test, put away afterwards. Small disks come from the spool's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.far_side import FarSide


@pytest.fixture
def far_side(tmp_path: Path) -> Iterator[Callable[..., FarSide]]:
    """Makes a receiver into `tmp_path/dataset`."""
    made: list[FarSide] = []

    def make(*, token: str | None = None, up: bool = True) -> FarSide:
        made.append(FarSide(tmp_path / "dataset", token=token, up=up))
        return made[-1]

    yield make
    for each in made:
        each.leave()
