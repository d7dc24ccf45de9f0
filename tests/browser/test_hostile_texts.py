"""Texts that others choose are shown as texts: labels, errors of cameras, notes."""

from pathlib import Path

import pytest

from tests.browser.chromium import Browser
from tests.browser.live_daemon import LiveDaemon, model
from tests.browser.live_page import LivePage

pytestmark = pytest.mark.slow

MARKUP = "<img src=x onerror=\"document.title='owned'\">"
PLACES = ("LABEL", "CAMERA", "NOTE", "DEVICE")


def hostile(place: str) -> str:
    return f"{place}{MARKUP}</script><script>document.title='owned'</script>'\"&amp;"


def test_markup_in_texts_of_others_is_shown_and_does_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{hostile('CAMERA')}\nEND\nexit 1\n")
    program.chmod(0o755)
    with (
        LiveDaemon(
            tmp_path,
            cameras={"bad": f"exec:{program}"},
            AGENT_MODEL=model(tmp_path / "hostile.onnx", ("cat", hostile("LABEL"), "hen")),
            AGENT_DEVICE_ID=hostile("DEVICE"),
        ) as live,
    ):
        page = LivePage(browser, live.url)
        page.goes_on("gate")
        live.post("v1/captures", {"camera": "gate", "note": hostile("NOTE")})
        for place in PLACES:
            page.says(f"{place}<img src=x")
        page.goes_on("gate", times=2)

        assert browser.driver.title != "owned"
        assert browser.all("[onerror]") == []
        assert browser.all("img[src=x]") == []
        assert browser.console() == []
