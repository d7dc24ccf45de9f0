"""What holds for all tests."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from agent.camera.opencv import prepare
from tests import ROOT
from tests.search import examples

# Machines differ in speed, and a slow one is no bug of the code.
settings.register_profile("any machine", deadline=None, max_examples=examples(100))
settings.load_profile("any machine")

# OpenCV reads its switches once, before the first video that any test opens or writes.
prepare()


def pytest_collection(session: pytest.Session) -> None:
    """Let each of several processes rewrite the asserts of its share of the files.

    Each of them collects all tests. What another one has rewritten it reads, which is four times
    as fast.
    """
    about = getattr(session.config, "workerinput", None)
    if about is None or session.config.args != session.config.getini("testpaths"):
        return
    sys.dont_write_bytecode = False
    number = int(about["workerid"].removeprefix("gw"))
    for file in sorted((ROOT / "tests").rglob("test_*.py"))[number :: about["workercount"]]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # the collection reports it
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    """A command that is called in this process makes its own."""
    before = os.umask(0o022)
    yield
    os.umask(before)
