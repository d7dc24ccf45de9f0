"""No secret in any line: not in a field, a nested one, an error's text or a traceback."""

import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.logs import Log
from agent.redaction import redact
from tests.logs.log_lines import lines_of

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
        "the endpoint refused the token (401); set AGENT_UPLOAD_TOKEN",
        "author=Bob; tokenizer=x; authors: 3",
        "capture-agent@gate.service failed",
        "https://example.org/captures?page=2",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def fail(text: str) -> None:
    try:
        int(text)
    except ValueError as error:
        raise RuntimeError(f"cannot do it: {text}") from error


@pytest.mark.parametrize("form", ["logfmt", "console", "json"])
@pytest.mark.parametrize("under_systemd", [True, False])
@given(secret=SECRETS, carrier=st.sampled_from(CARRIERS))
@settings(deadline=None, max_examples=25)
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
