"""No secret in any line: not in a field, a nested one, an error's text or a traceback."""

import re
import string
import time
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.logs import Log
from agent.redaction import (
    redact,
    redact_camera,
    redact_endpoint,
    remember_secrets,
    secrets_of_camera,
    secrets_of_endpoint,
)
from tests.logs.log_lines import lines_of
from tests.search import examples

MARK = "Zq7"  # what no text of ours holds
SECRETS = st.text(string.ascii_letters + string.digits + "._-~+/=", min_size=4).map(MARK.__add__)
PASSWORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(
    lambda text: quote(MARK + text, safe="@:!$'()*,;")
)

CARRIERS = [
    "Authorization: Bearer {}",
    "Authorization: {}",
    "authorization=Token {}",
    "GET / failed with Bearer {} twice",
    "api_key={}",
    "https://host/path?x=1&api_key={}&y=2",
    "https://host/path?key={}",
    "X-Api-Key: {}",
    "token: {}",
    "token={}, camera=gate",
    "upload_token={}",
    '{{"access_token": "{}", "ok": true}}',
    "{{'password': '{}', 'user': 'a'}}",
    "AGENT_UPLOAD_TOKEN={}",
    "rtsp://10.0.0.7/user=admin_password={}_channel=1_stream=0.sdp?real_stream",
    "rtsp://{}@10.0.0.7:554",
    "rtsp://10.0.0.7/live/admin/{}",
    "http://10.0.0.7:8080/live/admin/{}",
    "rtsp://10.0.0.7/{}",
    "http://10.0.0.7/video?u=admin&p={}",
    "http://10.0.0.7/video?{}",
    "rtsps://[fe80::1%25eth0]:322/{}/x",
    "exec:ffmpeg -i rtsp://admin:{}@10.0.0.7/x -f rawvideo -",
    "curl -u admin:{} http://10.0.0.7/x",
    "--camera-password {} --verbose",
    "https://b.s3.amazonaws.com/k?X-Amz-Signature={}&X-Amz-Expires=60",
    "https://b.blob.core.windows.net/c?sv=2024&sig={}",
    "admin:{}@10.0.0.7:554",
    "rtsp:/admin:{}@10.0.0.7/x",
    "src=rtsp%3A%2F%2Fadmin%3A{}%4010.0.0.7",
    '{{"url":"rtsp://admin:{}@10.0.0.7/x"}}',
    "Max retries exceeded with url: /live/admin/{} (Caused by X)",
]


@given(secret=SECRETS, carrier=st.sampled_from(CARRIERS))
def test_tokens_and_keys_are_masked_in_any_text(secret: str, carrier: str) -> None:
    masked = redact(carrier.format(secret))

    assert MARK not in masked
    assert "***" in masked


@given(password=PASSWORDS, scheme=st.sampled_from(["rtsp", "rtsps", "http", "https"]))
def test_passwords_of_addresses_are_masked(password: str, scheme: str) -> None:
    masked = redact(f"cannot open {scheme}://admin:{password}@10.0.0.7:554/h264: refused")

    assert masked == f"cannot open {scheme}://***@10.0.0.7:554/h264: refused"


@given(secret=SECRETS, carrier=st.sampled_from(CARRIERS))
def test_masking_twice_is_masking_once(secret: str, carrier: str) -> None:
    once = redact(carrier.format(secret))

    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "AGENT_UPLOAD_TOKEN: must be printable ASCII without spaces",
        "AGENT_UPLOAD_TOKENN: unknown; did you mean AGENT_UPLOAD_TOKEN?",
        "cannot open rtsp://10.0.0.7:554/h264: connection refused",
        "cannot use the credential /run/credentials/x/upload_token: it has quotes around it",
        "the endpoint refused the token (401); set AGENT_UPLOAD_TOKEN",
        "author=Bob; tokenizer=x; authors: 3",
        "capture-agent@gate.service failed",
        "https://example.org/captures?page=2",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://10.0.0.7/user=admin_password=Zq7secret_channel=1",
        "rtsp://admin:Zq7%40secret@10.0.0.7/x",
        "rtsp://admin:Zq7 secret@10.0.0.7/x",
        "http://10.0.0.7/live/admin/Zq7secret",
        "http://10.0.0.7/video?u=admin&p=Zq7secret",
        "rtsp://Zq7secret@10.0.0.7",
    ],
)
def test_a_secret_that_the_settings_hold_is_masked_wherever_it_stands(address: str) -> None:
    """A library's error repeats a part of the address, escaped or not."""
    remember_secrets(secrets_of_camera(address))
    try:
        for spelt in (address, unquote(address)):
            found = re.search(r"Zq7[%\w @]*?secret", spelt)
            assert found is not None
            assert MARK not in redact(f"no answer to {found[0]}, giving up")
            assert not {MARK, "secret"} & set(re.split(r"\W", redact(f"cannot open {spelt}: 401")))
            assert MARK not in redact(f"[http] bad path {spelt.partition('10.0.0.7')[2]}")
    finally:
        remember_secrets([])


def test_the_words_of_an_address_are_no_secrets() -> None:
    """A camera is often called as its stream is."""
    assert "/frontdoor" in set(secrets_of_camera("rtsp://10.0.0.7/frontdoor"))
    assert "frontdoor" not in set(secrets_of_camera("rtsp://10.0.0.7/frontdoor"))
    assert set(secrets_of_camera("rtsp://10.0.0.7/Streaming/Channels/101?channel=1")) == {""}


def test_only_what_is_no_word_of_an_endpoints_address_is_a_secret() -> None:
    url = "https://hooks.example/services/T0A1B2C3D/incoming?api_key=s3cret&tag=train&x=a8F3-k2L"

    assert set(secrets_of_endpoint(url)) - {""} == {"T0A1B2C3D", "s3cret", "a8F3-k2L"}


@pytest.mark.parametrize(
    "part",
    [
        *(
            "x",
            "a:",
            "a@",
            "a:b@",
            "://",
            "a/",
            "token ",
            "token=",
            "-",
            "--a",
            "a.",
            "a-",
            "_",
            ".",
        ),
        *("h264", "video-", "a1-", "&a=b", "%3A", "%25", "'", '"\\', "authorization:", "bearer "),
        *("-u a:", "url: /", ":\\/\\/", "AGENT_A", "[::1", "1"),
    ],
)
@pytest.mark.parametrize("before", ["", "rtsp://h/", "https://h/?", "token=", "AGENT_"])
def test_a_long_text_takes_a_time_in_proportion_to_its_length(part: str, before: str) -> None:
    """An endpoint or a camera can send any text; with its square, this would take minutes."""
    text = f"{before}{part * 20_000}!"
    began = time.process_time()
    for mask in (redact, redact_camera, redact_endpoint):
        mask(text)

    assert time.process_time() - began < 20


def fail(text: str) -> None:
    try:
        int(text)
    except ValueError as error:
        raise RuntimeError(f"cannot do it: {text}") from error


@pytest.mark.parametrize("form", ["logfmt", "console", "json"])
@pytest.mark.parametrize("under_systemd", [True, False])
@given(secret=SECRETS, carrier=st.sampled_from(CARRIERS))
@settings(deadline=None, max_examples=examples(25))
def test_no_line_holds_a_secret_wherever_it_was_put(
    form: str, secret: str, carrier: str, *, under_systemd: bool
) -> None:
    text = carrier.format(secret)

    def write(log: Log) -> None:
        nested: dict[str, Any] = {"a": [text, {"b": (text, {text})}], text: 1, "token": secret}
        log.info("summary", error=text, nested=nested, cause=OSError(text), password=secret)
        log.bind(target=text).warning("upload blocked", headers={"Authorization": secret})
        try:
            fail(text)
        except RuntimeError:
            log.exception("worker failed")

    lines = lines_of(write, form=form, under_systemd=under_systemd)

    assert MARK not in "\n".join(lines)
    assert "RuntimeError" in "\n".join(lines)
