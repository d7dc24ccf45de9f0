"""The checks themselves: each finds a fault that is planted in a page."""

from collections.abc import Callable, Iterator

import pytest

from tests.browser.chromium import FOREIGN_NAME, PHONE, Browser, host_of
from tests.camera.http_camera import HttpCamera, Page

pytestmark = pytest.mark.slow

HTML = "text/html; charset=utf-8"
GOOD = (
    "<!doctype html><html lang=en><title>t</title><link rel=icon href=data:,>"
    "<main><h1>Some text</h1></main>"
)

FAULTS: dict[str, tuple[str, Callable[[Browser, str], list[str]]]] = {
    "an error in the console": (
        "<script>undefined_name()</script>",
        lambda browser, axe: browser.console(),
    ),
    "what the policy forbids": (
        "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\"><script>1</script>",
        lambda browser, axe: browser.console(),
    ),
    "a request to elsewhere": (
        "<img alt=x src=http://elsewhere.example/x.png>",
        lambda browser, axe: [u for u in browser.requests() if "elsewhere" in host_of(u)],
    ),
    "an image without a text": (
        "<img src=/x.png>",
        lambda browser, axe: browser.violations(axe),
    ),
    "a text that can hardly be seen": (
        "<p style='color:#ccc;background:#fff'>pale</p>",
        lambda browser, axe: browser.violations(axe),
    ),
    "what is wider than a phone": (
        "<meta name=viewport content='width=device-width'><div style='width:900px'>x</div>",
        lambda browser, axe: browser.overflow(),
    ),
}


@pytest.fixture
def pages() -> Iterator[HttpCamera]:
    made = HttpCamera({"/x.png": Page(b"", "image/png")})
    yield made
    made.stop()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(
    browser: Browser, axe: str, pages: HttpCamera, fault: str
) -> None:
    planted, find = FAULTS[fault]
    pages.pages |= {
        "/good": Page(GOOD.encode(), HTML),
        "/bad": Page((GOOD + planted).encode(), HTML),
    }
    browser.show_on(PHONE)
    found = {}
    for path in ("/good", "/bad"):
        browser.open(pages.url(path))
        found[path] = find(browser, axe)

    assert found["/good"] == []
    assert found["/bad"] != []


def test_no_name_leads_out_of_this_computer_and_a_rebound_one_leads_to_it(
    browser: Browser, pages: HttpCamera
) -> None:
    pages.pages["/good"] = Page(GOOD.encode(), HTML)
    browser.open(f"http://{FOREIGN_NAME}:{pages.port}/good")

    assert browser.text == "Some text"
