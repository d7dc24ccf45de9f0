"""What a person sees on the live page, and what becomes of what they say."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import Browser, host_of
from tests.browser.connections import established
from tests.browser.live_daemon import LiveDaemon
from tests.browser.live_page import LivePage, named
from tests.browser.numbered_camera import FRAMES_PER_SECOND

pytestmark = pytest.mark.slow


@pytest.fixture
def live(running_browser: Browser, tmp_path: Path) -> Iterator[LiveDaemon]:
    with LiveDaemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def page(browser: Browser, live: LiveDaemon) -> LivePage:
    return LivePage(browser, live.url)


def test_the_page_shows_each_new_frame_and_loads_nothing_from_elsewhere(
    browser: Browser, live: LiveDaemon, page: LivePage
) -> None:
    page.goes_on("gate", times=3)

    assert "gate" in browser.text
    assert "device-1" in browser.text
    assert browser.console() == []
    hosts = {host_of(url) for url in browser.requests() if url.startswith(("http", "ws"))}
    assert hosts == {f"127.0.0.1:{live.port}"}


def with_the_mouse(page: LivePage) -> int:
    page.button("Capture now").click()
    return page.seen_at("click")


def with_the_key(page: LivePage) -> int:
    page.browser.press("c")
    return page.seen_at("keydown", "c")


def with_tab_and_enter(page: LivePage) -> int:
    page.browser.tab_to(lambda focused: named(focused, "Capture now"))
    page.browser.press(Keys.ENTER)
    return page.seen_at("keydown", "Enter")


@pytest.mark.parametrize("capture", [with_the_mouse, with_the_key, with_tab_and_enter])
def test_the_frame_that_was_shown_is_captured_and_arrives(
    browser: Browser, live: LiveDaemon, page: LivePage, capture: Callable[[LivePage], int]
) -> None:
    """The camera makes ten frames a second and the page shows one: any other number is wrong."""
    page.watch("gate")
    page.goes_on("gate")
    browser.until(lambda: live.camera.number > page.number("gate") + 4, "no newer frame")
    seen = capture(page)

    [record] = live.arrived()
    assert (record["lane"], record["camera"]) == ("requested", "gate")
    assert live.number_of(record) == seen
    page.says("requested")
    page.says("delivered")


def test_what_is_typed_in_a_note_is_no_key_and_the_frame_is_held(
    browser: Browser, live: LiveDaemon, page: LivePage
) -> None:
    """A person who writes a note means the frame that was there when they began."""
    page.goes_on("gate")
    browser.tab_to(lambda focused: named(focused, "note"))
    page.watch("gate")
    browser.press("c", "r")
    held = page.seen_at("keydown", "r")
    browser.press(*"ow w")
    browser.until(lambda: live.camera.number > held + 2 * FRAMES_PER_SECOND, "no new frames")
    page.button("Capture now").click()

    [record] = live.arrived()
    assert (record["note"], live.number_of(record)) == ("crow w", held)
    assert len(live.captured()) == 1
    page.goes_on("gate")


def test_the_camera_that_was_chosen_is_captured(browser: Browser, tmp_path: Path) -> None:
    with LiveDaemon(tmp_path, cameras={"yard": None}) as live:
        page = LivePage(browser, live.url)
        page.goes_on("gate")
        browser.press(Keys.ARROW_RIGHT)
        page.watch("yard")
        page.goes_on("yard")
        browser.press("c")
        seen = page.seen_at("keydown", "c")

        [record] = live.arrived()
        assert (record["camera"], live.number_of(record)) == ("yard", seen)


@pytest.mark.parametrize("verdict", ["wrong", "missing"])
def test_a_verdict_against_the_model_by_keyboard_alone_arrives(
    live: LiveDaemon, page: LivePage, verdict: str
) -> None:
    page.goes_on("gate")
    page.watch("gate")
    page.browser.tab_to(lambda focused: named(focused, verdict))
    page.browser.press(Keys.ENTER)
    seen = page.seen_at("keydown", "Enter")

    [record] = live.arrived()
    assert (record["lane"], live.number_of(record)) == ("verdict", seen)
    assert [line["verdict"] for line in record["verdicts"]] == [verdict]
    [line] = live.verdict_lines()
    assert (line["id"], line["verdict"], line["camera"]) == (record["id"], verdict, "gate")


def test_right_is_a_fact_that_arrives_with_the_next_capture(
    browser: Browser, live: LiveDaemon, page: LivePage
) -> None:
    page.goes_on("gate")
    page.button("right").click()
    browser.until(lambda: live.get("v1/status")["facts_waiting"] == 1, "it is not stored")
    assert live.captured() == []
    page.button("Capture now").click()

    live.arrived()
    [line] = live.verdict_lines()
    assert (line["verdict"], line["camera"]) == ("right", "gate")
    assert [each["lane"] for each in live.captured()] == ["requested"]


def test_the_page_survives_the_death_of_the_daemon(
    browser: Browser, live: LiveDaemon, page: LivePage
) -> None:
    page.goes_on("gate")
    before = page.number("gate")
    browser.script("window.is_the_same_page = true")
    live.kill()
    page.says("no connection")
    live.start()
    browser.until(lambda: "no connection" not in browser.text.lower(), "it never came back")
    page.goes_on("gate")
    page.button("Capture now").click()

    [record] = live.arrived()
    assert (live.number_of(record) or 0) > before
    assert browser.script("return window.is_the_same_page")


def test_a_hidden_page_holds_no_connection(
    browser: Browser, live: LiveDaemon, page: LivePage
) -> None:
    """So that nothing is computed for a tab that somebody forgot."""
    page.goes_on("gate")

    def connections() -> int:
        return established(live.daemon.process.pid, live.port)

    assert connections() > 0
    page_tab = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.until(lambda: connections() == 0, "the hidden page keeps its connection")
    browser.driver.close()
    browser.driver.switch_to.window(page_tab)
    page.goes_on("gate", times=2)


def test_two_people_look_and_each_sees_new_frames(
    browser: Browser, live: LiveDaemon, page: LivePage
) -> None:
    page.goes_on("gate")
    browser.driver.switch_to.new_window("window")
    second = LivePage(browser, live.url)
    second.goes_on("gate", times=2)

    assert browser.console() == []
