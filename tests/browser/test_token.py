"""The page where the API asks for a token, over HTTP and HTTPS."""

from pathlib import Path

import pytest
import trustme

from tests.browser.chromium import Browser
from tests.browser.live_daemon import LiveDaemon
from tests.browser.live_page import LivePage

pytestmark = pytest.mark.slow

TOKEN = "a-token_of-the-test"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_token_is_the_password_of_the_page(
    browser: Browser, tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "api_token").write_text(TOKEN)
    settings: dict[str, object] = {"CREDENTIALS_DIRECTORY": tmp_path / "credentials"}
    if scheme == "https":
        settings["AGENT_API_TLS_CERT"] = certificate(tmp_path / "api.pem")
    with LiveDaemon(tmp_path, cameras={}, **settings) as live:
        address = f"{scheme}://{{}}127.0.0.1:{live.port}/"
        browser.open(address.format(""))
        assert "gate" not in browser.text
        browser.open(address.format("anyone:wrong@"))
        assert "gate" not in browser.text
        page = LivePage(browser, address.format(f"anyone:{TOKEN}@"))
        page.goes_on("gate", times=2)
        page.button("Capture now").click()

        [record] = live.arrived()
        assert record["lane"] == "requested"
        assert TOKEN not in live.daemon.text
        assert TOKEN not in browser.script("return document.documentElement.outerHTML")


def certificate(path: Path) -> Path:
    """Write a certificate of loopback and its key, which only we can read."""
    made = trustme.CA().issue_cert("127.0.0.1")
    path.touch(mode=0o600)
    made.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path
