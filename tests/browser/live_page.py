"""The live page as a person meets it: by the names of its parts, not by their markup."""

from functools import partial
from pathlib import Path

from selenium.webdriver.remote.webelement import WebElement

from tests.browser.chromium import Browser
from tests.browser.numbered_camera import NUMBER_IN_PAGE

WATCH = (
    NUMBER_IN_PAGE
    + """
window.seen = [];
const camera = arguments[0];
for (const kind of ['click', 'keydown'])
  addEventListener(kind, event => {
    const image = [...document.images].find(each => each.alt.includes(camera));
    window.seen.push([kind, event.key || null, image ? numberIn(image) : null]);
  }, true);
"""
)


class LivePage:
    """`/` of a running daemon, open in the browser."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        browser.open(url)

    def image(self, camera: str) -> WebElement:
        """Return the image of a camera, the large one if there is one, once it has loaded."""

        code = "return arguments[0].complete && arguments[0].naturalWidth > 0"

        def loaded() -> WebElement | None:
            images = self.browser.all(f"img[alt*='{camera}']")
            images += [
                image
                for button in self.browser.all("button:has(img)")
                if named(button, camera)
                for image in button.find_elements("tag name", "img")
            ]
            return next((image for image in images if self.browser.script(code, image)), None)

        found = self.browser.until(loaded, f"no image of {camera}")
        assert isinstance(found, WebElement)
        return found

    def number(self, camera: str) -> int:
        """Return the number of the frame that is shown of a camera."""
        code = NUMBER_IN_PAGE + "return numberIn(arguments[0])"
        number = self.browser.until(
            lambda: self.browser.script(code, self.image(camera)), "no number is shown"
        )
        assert isinstance(number, int)
        return number

    def goes_on(self, camera: str, *, times: int = 1) -> None:
        """Wait until other frames of the camera are shown."""
        for _ in range(times):
            before = self.number(camera)
            self.browser.until(
                partial(self._shows_another, camera, before), f"{camera} stands still"
            )

    def _shows_another(self, camera: str, before: int) -> bool:
        return self.number(camera) != before

    def button(self, name: str) -> WebElement:
        """Return the first button of this name that can be seen."""

        def shown() -> WebElement | None:
            for button in self.browser.all("button"):
                if named(button, name) and button.is_displayed() and button.is_enabled():
                    return button
            return None

        found = self.browser.until(shown, f"no button {name}")
        assert isinstance(found, WebElement)
        return found

    def watch(self, camera: str) -> None:
        """From now on, note which frame of the camera is shown at each key and click."""
        self.browser.script(WATCH, camera)

    def seen_at(self, kind: str, key: str | None = None) -> int:
        """Return the number that was shown at the last event of a kind."""
        events = self.browser.script("return window.seen")
        numbers = [number for what, pressed, number in events if (what, pressed) == (kind, key)]
        assert numbers, events
        assert numbers[-1] is not None, events
        return int(numbers[-1])

    def says(self, text: str) -> None:
        """Wait until a person can read a text, in any case of letters."""
        browser = self.browser
        browser.until(lambda: text.lower() in browser.text.lower(), f"the page never says {text}")

    def shoot(self, folder: Path, name: str) -> Path:
        return self.browser.screenshot(folder / f"{name}.png")


def named(element: WebElement, name: str) -> bool:
    """Whether a person or a screen reader finds an element under this name."""
    return name.lower() in str(element.accessible_name).lower()
