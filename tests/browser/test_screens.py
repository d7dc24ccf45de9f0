"""The page on small and large screens, in the light and in the dark, for everybody."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import DESKTOP, PHONE, ZOOMED, Browser, Screen
from tests.browser.live_daemon import LiveDaemon
from tests.browser.live_page import LivePage
from tests.ports import free_port

pytestmark = pytest.mark.slow

MANY = 16


@pytest.fixture(scope="module")
def live(
    running_browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveDaemon]:
    """One camera that lives and one that is lost; something was captured."""
    gone = f"http://127.0.0.1:{free_port()}/video"
    with LiveDaemon(tmp_path_factory.mktemp("live"), cameras={"gone": gone}) as daemon:
        daemon.daemon.wait_for("camera lost")
        yield daemon


@pytest.fixture(scope="module")
def many(
    running_browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveDaemon]:
    names = [f"camera-{number:02}" for number in range(1, MANY)]
    folder = tmp_path_factory.mktemp("many")
    with LiveDaemon(folder, cameras=dict.fromkeys(names), AGENT_FPS=1) as daemon:
        daemon.daemon.wait_for("camera opened", MANY)
        yield daemon


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE, ZOOMED], ids=["desktop", "phone", "zoomed"])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    browser: Browser, live: LiveDaemon, axe: str, tmp_path: Path, screen: Screen, *, dark: bool
) -> None:
    """Before and after a capture, with a held image, with a lost camera, with the keys shown."""
    browser.show_on(screen)
    browser.media(dark=dark)
    page = LivePage(browser, live.url)
    page.goes_on("gate")
    page.says("lost")
    before = browser.violations(axe)
    page.button("Capture now").click()
    page.says("requested")
    after = browser.violations(axe)
    browser.press("h")
    held = browser.violations(axe)
    page.shoot(tmp_path, "page")
    overflow = browser.overflow()
    browser.press("?")
    help_of_keys = browser.violations(axe)
    page.shoot(tmp_path, "keys")

    assert before == []
    assert after == []
    assert held == []
    assert help_of_keys == []
    assert overflow == []
    assert is_dark(browser) == dark


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_sixteen_cameras_fit(
    browser: Browser, many: LiveDaemon, axe: str, tmp_path: Path, screen: Screen
) -> None:
    browser.show_on(screen)
    page = LivePage(browser, many.url)
    for name in ("camera-01", f"camera-{MANY - 1}", "gate"):
        page.button(name).click()
        page.goes_on(name)
    page.shoot(tmp_path, "page")

    assert browser.overflow() == []
    assert browser.violations(axe) == []
    assert browser.console() == []


def test_nothing_moves_for_who_asked_for_it(browser: Browser, live: LiveDaemon) -> None:
    """The images change, as they must; nothing else is animated."""
    browser.media(reduced_motion=True)
    page = LivePage(browser, live.url)
    page.goes_on("gate")
    page.button("Capture now").click()
    page.says("requested")

    assert browser.script("return document.getAnimations().length") == 0


def is_dark(browser: Browser) -> bool:
    colour = browser.script("return getComputedStyle(document.body).backgroundColor")
    red, green, blue = (float(part) for part in colour.strip("rgba()").split(",")[:3])
    return red + green + blue < 3 * 128
