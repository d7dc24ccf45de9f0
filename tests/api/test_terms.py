"""What the API of given settings asks of its clients; the certificate; what `check` says of it."""

import datetime as dt
import importlib.util
import os
import re
import shlex
import ssl
import subprocess
from collections.abc import Callable
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme

from agent.cli import console
from agent.cli.api_check import check_api
from agent.errors import ConfigurationError
from agent.factories.api import api_terms, side_workers
from agent.runtime.application import Application
from agent.settings.declarations import Settings
from agent.settings.load import without_environment
from agent.system import SystemClock
from agent.web.tls import expiry, tls_context
from tests import ROOT
from tests.fakes.api import Serve
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.ports import free_port

TOKEN = "a-long-random-token"
AUTHORITY = trustme.CA()


def pem(folder: Path, **how: Any) -> Path:
    made = AUTHORITY.issue_cert("127.0.0.1", **how)
    file = folder / "api.pem"
    made.private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def write(text: str) -> None:
        (tmp_path / "api_token").write_text(text, "utf-8")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return write


def settings(api: str, folder: Path, **more: object) -> Settings:
    return without_environment(api=api, spool_dir=folder / "spool", **more)


def refusal(found: Settings) -> str:
    with pytest.raises(ConfigurationError) as refused:
        api_terms(found)
    return str(refused.value)


def test_this_computer_needs_no_token_and_is_asked_for_one_that_is_there(
    tmp_path: Path, token: Callable[[str], None]
) -> None:
    port, path = "127.0.0.1:8787", f"unix:{tmp_path}/api.sock"
    assert api_terms(settings(port, tmp_path)).access.token is None
    token("")  # as the installer leaves it
    assert api_terms(settings(port, tmp_path)).access.token is None
    token(f"{TOKEN}\n")
    assert api_terms(settings(port, tmp_path)).access.token == TOKEN
    assert api_terms(settings(path, tmp_path)).access.token is None
    assert TOKEN not in repr(api_terms(settings(port, tmp_path)))


@pytest.mark.parametrize("api", ["0.0.0.0:8787", "[::]:8787", "10.0.0.5:8787", "gate-07:8787"])
def test_other_computers_need_a_token_and_a_certificate(
    tmp_path: Path, token: Callable[[str], None], api: str
) -> None:
    both = refusal(settings(api, tmp_path))
    assert f"cannot listen on {api}: other computers can reach it, so it needs a token" in both
    assert "into /etc/capture-agent/api_token) and a certificate (AGENT_API_TLS_CERT" in both
    certificate = pem(tmp_path)
    assert "a certificate" not in refusal(settings(api, tmp_path, api_tls_cert=certificate))
    token(TOKEN)
    assert "a token" not in refusal(settings(api, tmp_path))
    terms = api_terms(settings(api, tmp_path, api_tls_cert=certificate))
    assert (terms.access.token, terms.access.scheme) == (TOKEN, "https")


def test_a_token_that_is_none_is_refused_without_repeating_it(
    tmp_path: Path, token: Callable[[str], None]
) -> None:
    token(f"Bearer {TOKEN}")

    message = refusal(settings("127.0.0.1:8787", tmp_path))

    assert "api_token: it begins as a header does" in message
    assert TOKEN not in message


BROKEN: dict[str, Callable[[str, str], bytes]] = {  # of a key and its certificate
    "no key": lambda _, certificate: certificate.encode(),
    "no certificate": lambda key, _: key.encode(),
    "other key": lambda _, certificate: other_key(trustme.KeyType.ECDSA) + certificate.encode(),
    "other kind": lambda _, certificate: other_key(trustme.KeyType.RSA) + certificate.encode(),
    "damaged": lambda key, certificate: (key + certificate.replace("M", "N")).encode(),
    "garbage": lambda *_: b"\x00\xff" * 100,
    "large": lambda *_: b"-" * 1_000_001,
    "password": lambda key, certificate: locked(key) + certificate.encode(),
}


def other_key(kind: trustme.KeyType) -> bytes:
    return AUTHORITY.issue_cert("x", key_type=kind).private_key_pem.bytes()


def locked(key: str) -> bytes:
    command = "openssl pkcs8 -topk8 -passout pass:secret"
    return subprocess.run(
        command.split(), input=key.encode(), capture_output=True, check=True
    ).stdout


def broken(folder: Path, how: str) -> Path:
    file = pem(folder)
    key, begin, certificate = file.read_text("utf-8").partition("-----BEGIN CERTIFICATE-----")
    file.unlink()
    match how:
        case "missing":
            pass
        case "folder":
            file.mkdir()
        case "fifo":
            os.mkfifo(file)
        case "device":
            return Path("/dev/zero")
        case _:
            file.write_bytes(BROKEN[how](key, begin + certificate))
    return file


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("missing", "there is no such file"),
        ("no key", "it has no key; put the certificate and its key into one file"),
        ("no certificate", "it has no certificate in PEM format"),
        ("other key", "its key belongs to another certificate"),
        ("garbage", "it has no certificate in PEM format"),
        ("other kind", "its key belongs to another certificate"),
        ("damaged", "what is between a BEGIN and its END is damaged"),
        ("folder", "it is a folder, not a regular file; name the PEM file"),
        ("fifo", "it is a FIFO, not a regular file"),
        ("device", "it is a device, not a regular file"),
        ("large", "the file has more than 1 MB"),
        ("password", "its key has a password, which nobody could type at a boot"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_named(tmp_path: Path, how: str, says: str) -> None:
    file = broken(tmp_path, how)

    with pytest.raises(ConfigurationError, match="AGENT_API_TLS_CERT: cannot use") as refused:
        tls_context(file)

    assert str(file) in str(refused.value)
    assert says in str(refused.value)


def test_a_browser_on_another_computer_is_served_over_https(
    application: Application, serve: Serve, tmp_path: Path
) -> None:
    served = serve(application, token=TOKEN, tls=tls_context(pem(tmp_path)))
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    connection = HTTPSConnection("127.0.0.1", served.tcp.port, timeout=60, context=trusting)
    origin = {"Origin": f"https://127.0.0.1:{served.tcp.port}", "Authorization": f"Bearer {TOKEN}"}

    for _ in range(2):  # on one connection
        connection.request("GET", "/v1/status", headers=origin)
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (200, True)
    connection.close()


def test_the_certificate_that_the_page_shows_how_to_make_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    [words] = re.findall(r"(?m)^openssl req (?:.*\\\n)*.*$", page)
    subprocess.run(
        shlex.split(words.replace("\\\n", "")), cwd=tmp_path, check=True, capture_output=True
    )
    file = tmp_path / "api.pem"
    file.write_bytes(b"".join((tmp_path / name).read_bytes() for name in ("cert.pem", "key.pem")))

    until = expiry(tls_context(file), file)

    assert (until - dt.datetime.now(dt.UTC)).days in {824, 825}


def test_a_setting_that_lacks_a_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    lacking = {"starlette", "jinja2", "paho"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in lacking else find(name)
    )

    monkeypatch.setenv("AGENT_CAMERAS", "/dev/video0")
    monkeypatch.setenv("AGENT_SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("AGENT_API", "127.0.0.1:8787")
    monkeypatch.setenv("AGENT_MQTT_URL", "mqtt://127.0.0.1")
    with pytest.raises(ConfigurationError) as refused:
        console.settings(needs_cameras=True, needs_doors=True)
    assert str(refused.value) == (
        "AGENT_API needs starlette and jinja2: pip install 'edge-capture-agent[web]' in the "
        "agent's environment, or unset AGENT_API\n"
        "AGENT_MQTT_URL needs paho: pip install 'edge-capture-agent[mqtt]' in the agent's "
        "environment, or unset AGENT_MQTT_URL"
    )


def test_check_says_who_can_reach_it(tmp_path: Path, token: Callable[[str], None]) -> None:
    path = settings(f"unix:{tmp_path}/api.sock", tmp_path)
    assert path.api is not None
    fact = check_api(path, path.api, SystemClock())
    assert fact.startswith(f"unix:{tmp_path}/api.sock; for the user ")
    assert fact.endswith("without a token; can be opened")
    assert not (tmp_path / "api.sock").exists()

    token(TOKEN)
    wide = settings(f"0.0.0.0:{free_port()}", tmp_path, api_tls_cert=pem(tmp_path))
    assert wide.api is not None
    fact = check_api(wide, wide.api, SystemClock())
    assert "for every program of all computers that reach this one, with the token, over" in fact
    assert "HTTPS; the certificate is valid until " in fact


def test_check_finds_a_certificate_that_has_expired_or_will(
    tmp_path: Path, token: Callable[[str], None]
) -> None:
    token(TOKEN)
    now = dt.datetime.now(dt.UTC)
    old = pem(tmp_path, not_before=now - dt.timedelta(9), not_after=now)
    found = settings(f"127.0.0.1:{free_port()}", tmp_path, api_tls_cert=old)
    assert found.api is not None

    with pytest.raises(ConfigurationError, match="certificate has expired; make a new one"):
        check_api(found, found.api, SystemClock())

    pem(tmp_path, not_after=now + dt.timedelta(9))
    clock = ManualClock(wall=now.timestamp())
    assert "warning: the certificate is valid until " in check_api(found, found.api, clock)


def test_a_start_with_a_certificate_that_has_expired_warns(
    tmp_path: Path, token: Callable[[str], None], application: Application, log: Recorder
) -> None:
    token(TOKEN)
    now = dt.datetime.now(dt.UTC)
    old = pem(tmp_path, not_before=now - dt.timedelta(9), not_after=now - dt.timedelta(1))
    found = settings(f"127.0.0.1:{free_port()}", tmp_path, api_tls_cert=old)

    [api] = [each for each in side_workers(found, application, log=log.log) if each.name == "api"]
    assert api.close is not None
    api.close()

    started = log.one("api started")
    assert started["log_level"] == "warning"
    assert f"cannot use {old}: certificate has expired" in started["error"]


def test_check_names_an_address_that_this_computer_does_not_have(
    tmp_path: Path, token: Callable[[str], None]
) -> None:
    token(TOKEN)
    found = settings(f"192.0.2.1:{free_port()}", tmp_path, api_tls_cert=pem(tmp_path))
    assert found.api is not None

    with pytest.raises(ConfigurationError, match=r"no network interface has the address 192\.0"):
        check_api(found, found.api, SystemClock())
