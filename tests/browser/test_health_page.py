"""The page of `dataset health`, opened from the disk: each figure opens its images."""

import pytest
from selenium.webdriver.common.keys import Keys

from agent.dataset.health.check import write_folder
from agent.files import Disk
from tests.browser.chromium import DESKTOP, PHONE, ZOOMED, Browser, Screen
from tests.dataset.health.folders import captured, drawn, health_in

pytestmark = pytest.mark.slow

HOSTILE = "</script><img src=x onerror=document.title='run'>"
MANY = 70


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Seventy captures in a folder whose name needs escapes; one lost its image."""
    folder = tmp_path_factory.mktemp("health") / "site 100% #1"
    for number in range(MANY):
        captured(
            folder,
            number,
            drawn(number),
            [("car", (2 * number, 10, 2 * number + 40, 60)), (HOSTILE, (0, 0, 30, 30))],
            clock_synchronized=True,
            captured_at=f"2026-06-01T{number % 24:02}:00:00.000Z",
        )
    captured(folder, MANY, None, [("bus", (0, 0, 90, 90))])
    out = folder / "health"
    return write_folder(health_in(folder, out=out), out, Disk()).as_uri()


def loaded(browser: Browser) -> bool:
    """Whether all images of the viewer that are on the screen have been loaded."""
    code = (
        "const seen = [...document.querySelectorAll('dialog img')].slice(0, 4);"
        "return seen.length > 0 && seen.every(each => each.complete && each.naturalWidth > 0)"
    )
    return bool(browser.script(code))


def test_a_bar_opens_its_images_by_the_keyboard_alone(browser: Browser, page: str) -> None:
    browser.open(page)

    browser.tab_to(lambda element: element.get_attribute("data-images") == "class:car")
    browser.press(Keys.ENTER)

    browser.until(lambda: loaded(browser), "no image is shown")
    assert "70 images" in browser.one("dialog .count").text
    assert len(browser.all("dialog article")) == 60
    assert len(browser.all("dialog rect.chosen")) == 60
    browser.tab_to(lambda element: "more" in (element.get_attribute("class") or ""))
    browser.press(Keys.ENTER)
    assert len(browser.all("dialog article")) == MANY
    browser.press(Keys.ESCAPE)
    assert not browser.script("return document.getElementById('viewer').open")


def test_arrow_keys_walk_over_a_map(browser: Browser, page: str) -> None:
    browser.open(page)

    first = browser.tab_to(lambda element: element.tag_name == "rect")
    browser.press(Keys.ARROW_RIGHT)
    second = browser.driver.switch_to.active_element
    browser.press(Keys.SPACE)

    assert second != first
    words = second.get_attribute("aria-label") or ""
    assert browser.one("dialog h2").text == words
    count = int(words.split()[0])
    assert len(browser.all("dialog article")) <= count


def test_a_thumbnail_leads_to_its_image(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.script("document.querySelector('[data-images=\"class:car\"]').click()")
    browser.until(lambda: loaded(browser), "no image is shown")

    link = browser.all("dialog a.image")[0].get_attribute("href")
    assert link is not None
    browser.open(link)

    assert browser.script("return document.images[0].naturalWidth") == 200


def test_hostile_labels_and_lost_images_are_text(browser: Browser, page: str) -> None:
    browser.open(page)

    browser.script("document.querySelector('[data-images=\"class:bus\"]').click()")

    assert "the file is missing" in browser.one("dialog .lost").text
    assert browser.driver.title.startswith("Health of")
    assert browser.console() == []


@pytest.mark.parametrize("screen", [DESKTOP, PHONE, ZOOMED], ids=["desktop", "phone", "zoomed"])
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_the_page_fits_each_screen(
    browser: Browser, page: str, axe: str, screen: Screen, is_dark: bool
) -> None:
    browser.show_on(screen)
    browser.media(dark=is_dark)
    browser.open(page)

    assert browser.overflow() == []
    assert browser.violations(axe) == []
    browser.script("document.querySelector('[data-images=\"class:car\"]').click()")
    browser.until(lambda: loaded(browser), "no image is shown")
    assert browser.violations(axe) == []
    assert browser.console() == []
    assert [url for url in browser.requests() if not url.startswith(("file:", "data:"))] == []
