"""A web page of somebody else, open in a browser on the device, can do nothing with the API."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import FOREIGN_NAME, Browser
from tests.browser.foreign_page import HTML, RESULTS, serve_attack
from tests.browser.live_daemon import LiveDaemon
from tests.camera.http_camera import HttpCamera, Page, jpeg

pytestmark = pytest.mark.slow

REFUSED = {"403", "405", "415"}


@pytest.fixture(scope="module")
def live(
    running_browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveDaemon]:
    with LiveDaemon(tmp_path_factory.mktemp("live")) as daemon:
        yield daemon


def attack(browser: Browser, target: str) -> dict[str, str]:
    """Open the foreign page and return what each of its attempts got."""
    foreign = serve_attack(target)
    try:
        browser.open(foreign.url("/"))
        found = browser.until(lambda: browser.script(RESULTS), "the attempts never ended")
        return dict(found)
    finally:
        foreign.stop()


def test_a_foreign_page_reads_nothing_and_changes_nothing(
    browser: Browser, live: LiveDaemon
) -> None:
    results = attack(browser, live.url)
    answered = live.answered()

    assert len(results) > 30
    assert {status for status, count in answered.items() if count} <= REFUSED
    assert sum(answered.values()) > len(results) / 2  # of the others, the browser asked first
    assert {name: what for name, what in results.items() if what != "nothing"} == {}
    assert live.url not in browser.frames()
    # A capture of our own, afterwards, is the only one: whatever the page asked for would be first.
    answer = live.post("v1/captures", {"camera": "gate", "note": "ours"})
    [record] = live.arrived()
    assert (record["id"], record["note"]) == (answer["id"], "ours")
    assert [line["capture"] for line in live.captured()] == [answer["id"]]


def test_the_attempts_work_on_a_server_that_does_not_defend_itself(browser: Browser) -> None:
    """Or the test above would prove nothing."""
    open_to_all: Any = {"Access-Control-Allow-Origin": "*"}
    careless = HttpCamera(
        {
            "/": Page(b"<p>page", HTML, headers=open_to_all),
            "/v1/status": Page(b"1", "text/javascript", headers=open_to_all),
            "/v1/cameras/gate/latest.jpg": Page(jpeg(), headers=open_to_all),
            "/v1/detections?camera=gate": Page(b"\n", "text/event-stream", headers=open_to_all),
        }
    )
    try:
        target = careless.url("/")
        results = attack(browser, target)
        got = {name for name, what in results.items() if what != "nothing"}
        assert got >= {"fetch ", "fetch v1/status", "image", "script", "events", "object"}
        assert target in browser.frames()
    finally:
        careless.stop()


@pytest.mark.parametrize("path", ["", "v1/status", "v1/cameras/gate/latest.jpg", "metrics"])
def test_a_name_that_an_attacker_points_to_this_computer_is_refused(
    browser: Browser, live: LiveDaemon, path: str
) -> None:
    """DNS rebinding: to the browser it is all one origin, so only the server can refuse."""
    browser.open(f"http://{FOREIGN_NAME}:{live.port}/{path}")

    assert "gate" not in browser.text
    assert not browser.all("img, script")
    assert FOREIGN_NAME in browser.text  # it says which name it refuses


def test_a_link_from_elsewhere_leads_to_the_page(browser: Browser, live: LiveDaemon) -> None:
    """A bookmark, or a link in a mail, is no attack."""
    foreign = HttpCamera({"/": Page(f'<a id=go href="{live.url}">go</a>'.encode(), HTML)})
    try:
        browser.open(foreign.url("/"))
        browser.one("#go").click()
        browser.until(lambda: "gate" in browser.text, "the page did not load")
    finally:
        foreign.stop()

    assert browser.driver.current_url == live.url
