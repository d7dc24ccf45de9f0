"""The fleet page of a receiver with 1,000 devices: it finds, sorts and stays up to date."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from agent.dataset.folder import Dataset
from agent.files import Disk
from agent.fleet.fleet import fleet_of
from agent.fleet.page import page_of
from agent.receiver.receiver import Receiver
from agent.record.device_names import status_file
from agent.record.timestamp import timestamp
from agent.system import SystemClock
from tests.browser.chromium import DESKTOP, FOREIGN_NAME, PHONE, ZOOMED, Browser, Screen
from tests.fakes.clock import WALL
from tests.fakes.fleet import simulated_heartbeats, simulated_reports, status_fields

pytestmark = pytest.mark.slow

DEVICES = 1000
TOKEN = "a-token_of-the-test"
RENEW = "return renew().then(() => true)"


def stored(folder: Path, fields: dict[str, object], received: float) -> None:
    path = folder / "devices" / status_file(str(fields["device"]))
    Disk().make_directory(path.parent)
    path.write_text(json.dumps({**fields, "received_at": timestamp(received)}), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for fields, received in simulated_heartbeats(DEVICES, SystemClock().wall()):
        stored(tmp_path, fields, received)
    return tmp_path


@pytest.fixture
def receiver(folder: Path) -> Iterator[Receiver]:
    made = Receiver(Dataset(folder, Disk(inside=folder)))
    made.start()
    yield made
    made.stop()


def names(browser: Browser) -> list[str]:
    """The devices that are shown, in their order."""
    code = (
        "return [...document.querySelectorAll('#devices tbody tr')].filter(row => !row.hidden)"
        ".map(row => row.querySelector('b').textContent)"
    )
    return list(browser.script(code))


def test_a_filter_finds_a_device_and_survives_a_renewal(
    browser: Browser, receiver: Receiver, folder: Path
) -> None:
    browser.open(receiver.fleet_url)
    assert len(names(browser)) == DEVICES

    browser.one("#filter").send_keys("yard-0031")
    assert names(browser) == ["yard-0031"]
    assert browser.one("#count").text == f"1 of {DEVICES:,} devices shown"
    stored(folder, status_fields("yard-0031 new", SystemClock().wall()), SystemClock().wall())
    receiver.store_status(
        "new", json.dumps(status_fields("new", SystemClock().wall())).encode(), "127.0.0.1"
    )
    assert browser.script(RENEW)

    assert names(browser) == ["yard-0031", "yard-0031 new"]
    assert browser.driver.switch_to.active_element.get_attribute("id") == "filter"
    browser.open(browser.driver.current_url)
    assert names(browser) == ["yard-0031", "yard-0031 new"]
    assert browser.console() == []


def test_columns_sort_and_conditions_filter_by_the_keyboard_alone(
    browser: Browser, receiver: Receiver
) -> None:
    browser.open(receiver.fleet_url)
    first = names(browser)[0]

    browser.tab_to(lambda element: element.get_attribute("data-show") == "failing")
    browser.press(Keys.ENTER)
    assert 0 < len(names(browser)) < 20
    browser.press(Keys.ENTER)
    head = browser.tab_to(lambda element: element.text == "Delivered")
    browser.press(Keys.ENTER, Keys.ENTER)

    delivered = [
        int(each.replace(",", ""))
        for each in browser.script(
            "return [...document.querySelectorAll('td.delivered')].map(e => e.firstChild.data)"
        )
    ]
    assert delivered == sorted(delivered, reverse=True)
    assert head.find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    browser.press(Keys.ENTER)
    assert names(browser)[0] == first


def test_a_page_in_a_file_filters_and_sorts_too(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "fleet.html"
    page.write_text(page_of(fleet_of(simulated_reports(50), WALL), "dataset"), "utf-8")
    browser.open(page.as_uri())

    browser.one("#filter").send_keys("silent")
    browser.script("document.querySelector('th.delivered button').click()")

    assert names(browser) == ["lane-0003"]
    browser.open(browser.driver.current_url)
    assert names(browser) == ["lane-0003"]
    assert browser.console() == []


def test_a_page_without_an_answer_says_so_and_keeps_its_rows(
    browser: Browser, receiver: Receiver
) -> None:
    browser.open(receiver.fleet_url)
    receiver.stop()

    browser.script(RENEW)

    assert browser.one("#stale").text.startswith("Not up to date: no answer since")
    assert len(names(browser)) == DEVICES


def test_the_token_is_the_password_of_the_page(browser: Browser, folder: Path) -> None:
    made = Receiver(Dataset(folder, Disk(inside=folder)), token=TOKEN)
    made.start()
    try:
        browser.open(made.fleet_url)
        assert "yard" not in browser.text
        browser.open(made.fleet_url.replace("://", f"://anybody:{TOKEN}@"))
        assert len(names(browser)) == DEVICES
        assert browser.script(RENEW)
        assert browser.one("#fleet")
        assert browser.all("#stale")[0].get_attribute("hidden") == "true"
        assert TOKEN not in browser.script("return document.documentElement.outerHTML")
    finally:
        made.stop()


def test_a_name_that_an_attacker_points_here_reads_nothing(
    browser: Browser, receiver: Receiver
) -> None:
    browser.open(receiver.fleet_url.replace("127.0.0.1", FOREIGN_NAME))

    assert "yard" not in browser.text
    assert "cannot answer for the host" in browser.text


@pytest.mark.parametrize("screen", [DESKTOP, PHONE, ZOOMED], ids=["desktop", "phone", "zoomed"])
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_the_page_fits_each_screen(
    browser: Browser, tmp_path: Path, axe: str, screen: Screen, *, is_dark: bool
) -> None:
    for fields, received in simulated_heartbeats(130, SystemClock().wall()):
        stored(tmp_path, fields, received)
    hostile = "<img src=x onerror=document.title='run'>" * 3
    stored(tmp_path, status_fields(hostile, needs=[hostile]), SystemClock().wall())
    (tmp_path / "devices" / "half.json").write_bytes(b"{")
    made = Receiver(Dataset(tmp_path, Disk(inside=tmp_path)))
    made.start()
    try:
        browser.show_on(screen)
        browser.media(dark=is_dark)
        browser.open(made.fleet_url)

        assert browser.overflow() == []
        assert browser.violations(axe) == []
        assert browser.driver.title.startswith("Fleet of")
        assert browser.console() == []
        asked = {url for url in browser.requests() if not url.startswith("data:")}
        assert asked == {made.fleet_url}
    finally:
        made.stop()
