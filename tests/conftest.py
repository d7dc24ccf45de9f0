"""What holds for all tests."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from agent.camera.opencv import prepare
from tests.search import examples

# Machines differ in speed, and a slow one is no bug of the code.
settings.register_profile("any machine", deadline=None, max_examples=examples(100))
settings.load_profile("any machine")

# OpenCV reads its switches once, before the first video that any test opens or writes.
prepare()


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    """A command that is called in this process makes its own."""
    before = os.umask(0o022)
    yield
    os.umask(before)
