"""One browser for all tests of a process; each begins with an empty tab."""

import os
from collections.abc import Iterator

import pytest

from tests.browser.chromium import Browser, axe_source, why_not


@pytest.fixture(scope="session")
def running_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Skip on a computer without Chromium; under CI that is a failure."""
    reason = why_not()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(running_browser: Browser) -> Browser:
    running_browser.reset()
    return running_browser


@pytest.fixture(scope="session")
def axe() -> str:
    return axe_source()
