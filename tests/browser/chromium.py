"""Headless Chromium without a network, and what the tests ask of it."""

import json
import shutil
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.limits import LIMIT_S

PROGRAMS = ("chromium", "chromedriver")
PACKAGES = "chromium and chromium-driver"
WAIT_S = 60.0  # for a script or the load of a page, on a slow machine that does other things too
POLL_S = 0.05

FOREIGN_NAME = "rebind.example"
"""A name that the browser resolves to loopback: what an attacker's DNS server would answer."""

NAMES = f"MAP {FOREIGN_NAME} 127.0.0.1,MAP * ~NOTFOUND,EXCLUDE 127.0.0.1,EXCLUDE localhost"
"""Every other name than loopback's is unknown, so that nothing leaves this computer."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses its sandbox to root
    "--disable-dev-shm-usage",  # containers have 64 MB
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-features=MediaRouter,OptimizationHints,Translate",
    "--hide-scrollbars",
    "--ignore-certificate-errors",  # those of the tests are signed by nobody
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    f"--host-resolver-rules={NAMES}",
)


@dataclass(frozen=True, slots=True)
class Screen:
    """What the browser shows a page on; sizes in CSS pixels."""

    width: int
    height: int
    scale: float = 1.0  # device pixels of one CSS pixel
    is_phone: bool = False


DESKTOP = Screen(1280, 900)
PHONE = Screen(360, 740, 2.0, is_phone=True)
PHONE_ON_ITS_SIDE = Screen(844, 390, 2.0, is_phone=True)
ZOOMED = Screen(DESKTOP.width // 2, DESKTOP.height // 2, 2.0)
"""The desktop at a zoom of 200 %: that is how a browser lays it out."""


def why_not() -> str | None:
    """Say what is missing to run these tests; None if nothing is."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"needs {' and '.join(missing)} from the packages {PACKAGES}" if missing else None


class Browser:
    """One Chromium with a profile of its own; `close` ends it."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(str(shutil.which("chromedriver")))
        self.driver = webdriver.Chrome(options, service)
        self.driver.set_script_timeout(WAIT_S)
        self.driver.set_page_load_timeout(WAIT_S)
        self._first = self.driver.current_window_handle

    def close(self) -> None:
        self.driver.quit()

    def reset(self) -> None:
        """Leave one empty tab, with the default screen and empty logs."""
        for handle in self.driver.window_handles:
            if handle != self._first:
                self.driver.switch_to.window(handle)
                self.driver.close()
        self.driver.switch_to.window(self._first)
        self.driver.get("about:blank")
        self.show_on(DESKTOP)
        self.media()
        self._log("browser")
        self._log("performance")

    def show_on(self, screen: Screen) -> None:
        self._cdp(
            "Emulation.setDeviceMetricsOverride",
            width=screen.width,
            height=screen.height,
            deviceScaleFactor=screen.scale,
            mobile=screen.is_phone,
        )
        self._cdp("Emulation.setTouchEmulationEnabled", enabled=screen.is_phone)

    def media(self, *, dark: bool = False, reduced_motion: bool = False) -> None:
        """Set what the person has chosen in the system's settings."""
        chosen = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if reduced_motion else "no-preference",
        }
        features = [{"name": name, "value": value} for name, value in chosen.items()]
        self._cdp("Emulation.setEmulatedMedia", features=features)

    def open(self, url: str) -> None:
        self.driver.get(url)

    def script(self, code: str, *arguments: object) -> Any:
        """Run a function body in the page and return its result; CSP does not concern it."""
        return self.driver.execute_script(code, *arguments)

    def until(self, true: Callable[[], Any], what: str) -> Any:
        """Wait for a condition and return its value; `what` says what did not come."""

        wait = WebDriverWait(
            self.driver, LIMIT_S, POLL_S, ignored_exceptions=[StaleElementReferenceException]
        )
        try:
            return wait.until(lambda _: true())
        except TimeoutException:
            raise AssertionError(f"{what}; the page says:\n{self.text[:3000]}") from None

    @property
    def text(self) -> str:
        """What a person can read."""
        return str(self.script("return document.body ? document.body.innerText : ''"))

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements("css selector", css)

    def one(self, css: str) -> WebElement:
        """Return the only element that `css` selects, once it is there."""
        [found] = self.until(lambda: self.all(css), f"nothing is {css}")
        assert isinstance(found, WebElement)
        return found

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as a keyboard does: for what has the focus."""
        for key in keys:
            webdriver.ActionChains(self.driver).send_keys(key).perform()

    def tab_to(self, true: Callable[[WebElement], object], *, most: int = 200) -> WebElement:
        """Press Tab until what has the focus is what is wanted."""
        passed = []
        for _ in range(most):
            self.press(Keys.TAB)
            focused = self.driver.switch_to.active_element
            if true(focused):
                return focused
            passed.append(focused.get_attribute("outerHTML") or "")
        raise AssertionError("Tab does not lead there, but to: " + "\n".join(passed[:30]))

    def console(self) -> list[str]:
        """Return the warnings and errors since the last call."""
        return [
            line["message"]
            for line in self._log("browser")
            if line["level"] in {"WARNING", "SEVERE"}
        ]

    def requests(self) -> list[str]:
        """Return the addresses that pages asked for since the last call."""
        messages = [json.loads(line["message"])["message"] for line in self._log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def frames(self) -> list[str]:
        """Return the addresses of the frames in the page, blocked ones not."""
        tree = self._cdp("Page.getFrameTree")["frameTree"]
        return [str(child["frame"]["url"]) for child in tree.get("childFrames", ())]

    def screenshot(self, path: Path, *, whole: bool = True) -> Path:
        """Save what is shown as PNG; the whole page, or what fits on the screen."""
        shot = self._cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(b64decode(shot["data"]))
        return path

    def overflow(self) -> list[str]:
        """Name what is wider than the screen, so that the page scrolls sideways."""
        return list(self.script(OVERFLOW))

    def violations(self, axe: str) -> list[str]:
        """Return what axe finds serious or critical, and where."""
        if not self.script("return typeof axe === 'object'"):
            self.script(axe)
        result = self.driver.execute_async_script(AXE)
        assert result["passes"] > 0, "axe checked nothing"
        return [
            f"{found['id']} ({found['impact']}): {found['help']}: {node['html'][:200]}"
            for found in result["violations"]
            if found["impact"] in {"serious", "critical"}
            for node in found["nodes"]
        ]

    def _log(self, kind: str) -> list[Any]:
        return list(self.driver.execute(Command.GET_LOG, {"type": kind})["value"])

    def _cdp(self, command: str, **parameters: object) -> Mapping[str, Any]:
        result: Mapping[str, Any] = self.driver.execute_cdp_cmd(command, parameters)
        return result


AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ['violations']}).then(
  found => done({violations: found.violations, passes: found.passes.length}),
  error => done({violations: [], passes: 0, error: String(error)}));
"""

OVERFLOW = """
const wide = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= wide) return [];
return [...document.querySelectorAll('body *')]
  .filter(each => each.getBoundingClientRect().right > wide + 0.5)
  .map(each => each.outerHTML.slice(0, 120)).concat(['the page']);
"""


def axe_source() -> str:
    """Return the script of axe-core."""
    import axe_core_python

    return Path(axe_core_python.__file__).with_name("axe.min.js").read_text("utf-8")


def host_of(url: str) -> str:
    """Return `HOST:PORT` of an address; empty where it has none, as `blob:` and `data:`."""
    return urlsplit(url).netloc
