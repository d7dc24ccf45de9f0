"""The review page as a person meets it, and a server process that can be killed."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from selenium.webdriver import ActionChains
from selenium.webdriver.remote.webelement import WebElement

from tests.browser.chromium import Browser
from tests.browser.live_page import named
from tests.end_to_end.command import COMMAND
from tests.ports import free_port

KEEP_NAME = "localStorage.setItem('capture-agent reviewer', arguments[0])"


class ReviewServer:
    """Runs `capture-agent review`; `kill` and `start` restart it under the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        words = [COMMAND, "review", str(self.folder), "--port", str(self.port)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert self.url in line, line

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @property
    def lines(self) -> list[Mapping[str, Any]]:
        """The lines of `verdicts.jsonl`."""
        file = self.folder / "verdicts.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


class ReviewPage:
    """`/` of a review server, open in the browser's present tab."""

    def __init__(self, browser: Browser, url: str, *, by: str = "Ann") -> None:
        """Open it as somebody whose name the browser knows."""
        self.browser = browser
        browser.open(url)
        browser.script(KEEP_NAME, by)
        browser.driver.refresh()
        self.shown()

    @classmethod
    def here(cls, browser: Browser) -> Self:
        """Return the page that the browser shows already."""
        page = cls.__new__(cls)
        page.browser = browser
        page.shown()
        return page

    def shown(self) -> str:
        """Wait until an image is shown; return the id of its capture."""
        code = (
            "const image = document.querySelector('#stage:not([data-loading]) #image');"
            "return image && !image.hidden && image.naturalWidth ? image.src.split('/')[5] : null"
        )
        return str(self.browser.until(lambda: self.browser.script(code), "no image is shown"))

    def has_loaded(self, *captures: str) -> None:
        """Wait until the images of these captures are there, which the page loads ahead."""
        code = (
            "const loaded = performance.getEntriesByType('resource').map(each => each.name);"
            "return arguments[0].every(id => loaded.some(name => name.includes(id)))"
        )
        self.browser.until(lambda: self.browser.script(code, captures), "no image is loaded ahead")

    def give(self, key: str) -> str:
        """Press the key of a verdict; return the id of the capture that it was about."""
        before = self.shown()
        self.browser.press(key)
        self.browser.until(
            lambda: self.shown_now() != before, f"{key} did not lead to another capture"
        )
        return before

    def shown_now(self) -> str | None:
        code = (
            "const image = document.getElementById('image');"
            "return image.hidden ? null : image.src.split('/')[5]"
        )
        return self.browser.script(code)  # type: ignore[no-any-return]

    def says(self, text: str) -> None:
        """Wait until a person can read a text, in any case of letters."""
        browser = self.browser
        browser.until(lambda: text.lower() in browser.text.lower(), f"the page never says {text}")

    def button(self, name: str) -> WebElement:
        """Return the first button of this name that can be seen."""

        def found() -> WebElement | None:
            for button in self.browser.all("button"):
                if button.is_displayed() and button.is_enabled() and named(button, name):
                    return button
            return None

        button = self.browser.until(found, f"no button {name}")
        assert isinstance(button, WebElement)
        return button

    def point(self, x: float, y: float) -> tuple[int, int]:
        """Return the place on the screen of a point of the image, in its pixels."""
        box = self.browser.script(
            "const box = document.getElementById('image').getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]"
        )
        size = self.browser.script("const svg = document.getElementById('overlay').viewBox.baseVal;"
                                   "return [svg.width, svg.height]")  # fmt: skip
        return round(box[0] + box[2] * x / size[0]), round(box[1] + box[3] * y / size[1])

    def click(self, x: float, y: float) -> None:
        """Click a point of the image."""
        self.drag((x, y), (x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from one point of the image to another, with the mouse."""
        actions = ActionChains(self.browser.driver, duration=0)
        pointer: Any = actions.w3c_actions.pointer_action
        pointer.move_to_location(*self.point(*start))
        pointer.pointer_down()
        if start != end:
            middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
            pointer.move_to_location(*self.point(*middle))
            pointer.move_to_location(*self.point(*end))
        pointer.pointer_up()
        actions.perform()

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        ActionChains(self.browser.driver).send_keys(text).perform()

    def stored(self, server: ReviewServer, count: int) -> list[Mapping[str, Any]]:
        """Return the lines at the server, as soon as there are `count`."""
        self.browser.until(lambda: len(server.lines) >= count, f"no {count} verdicts are stored")
        assert len(server.lines) == count, server.lines
        return server.lines
