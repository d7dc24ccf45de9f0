"""The files of the pages as they are served."""

import re
from itertools import accumulate

import pytest

from agent.api import live_page
from agent.review import routes
from agent.web.page_files import PageFiles, media_type

PAGES = {"live": live_page.page_files, "review": routes.page_files}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> PageFiles:
    return PAGES[request.param]()


def test_every_module_that_is_imported_is_served(page: PageFiles) -> None:
    for name, data in page.static.items():
        for imported in re.findall(r'from "\./([^"]+)"', data.decode()):
            assert imported in page.static, name


def test_every_rule_of_a_style_sheet_is_closed(page: PageFiles) -> None:
    """A browser leaves out the rule after a bracket too many, and says nothing."""
    for name, data in page.static.items():
        if media_type(name) == "text/css":
            steps = [1 if mark == "{" else -1 for mark in data.decode() if mark in "{}"]
            depths = list(accumulate(steps))
            assert min(depths) >= 0, name
            assert depths[-1] == 0, name
