"""Fixtures that the tests of the spool share."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.spool.proofs import MakeMachine
from tests.spool.spool_builders import Machine


@pytest.fixture
def make_machine(tmp_path: Path) -> MakeMachine:
    """Make machines, each with its own disk."""
    numbers = count()

    def make(**keywords: Any) -> Machine:
        return Machine(tmp_path / f"computer{next(numbers)}", **keywords)

    return make
