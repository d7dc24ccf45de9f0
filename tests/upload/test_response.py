"""The table of answers, row by row, and no response beyond it that would lose a capture."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Receipt
from agent.errors import AgentError, CaptureRejected, TargetBlocked, TargetUnavailable
from agent.upload.response import Response, describe_probe, require_proof, retry_after_seconds

ID = "01900000-0000-7000-8000-000000000001"
SHA = "ab" * 32
DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


def receipt(**changes: object) -> bytes:
    return json.dumps({"id": ID, "sha256": SHA, **changes}).encode()


DELIVERED = [
    (200, receipt(), False),
    (201, receipt(), False),
    (202, receipt(), False),
    (299, receipt(), False),
    (200, receipt(duplicate=True), True),
    (200, receipt(duplicate="yes"), False),
    (201, receipt(more={"x": [1]}), False),
    (201, receipt(id=ID.upper(), sha256=SHA.upper()), False),
    (200, b"\xef\xbb\xbf" + receipt(), False),
    (200, b"\r\n  " + receipt() + b"\n", False),
    (409, receipt(), True),
]

HELD_ALL = [
    (200, b"", "is empty"),
    (204, b"", "is empty"),
    (200, b" \r\n", "is empty"),
    (200, b"<!DOCTYPE html><html>login</html>", "HTML page, not a receipt: captive portal"),
    (200, b"\n <HTML><body>", "HTML page"),
    (200, b"OK", "not a whole JSON object"),
    (200, receipt()[:-1], "not a whole JSON object"),
    (200, b"[" + receipt() + b"]", "not a whole JSON object"),
    (200, b"null", "not a whole JSON object"),
    (200, b"[" * 60_000, "not a whole JSON object"),
    (200, b'{"a":' * 12_000, "not a whole JSON object"),
    (200, b"\xff\xfe\x00\xd8", "not a whole JSON object"),
    (200, b"9" * 5000, "not a whole JSON object"),
    (200, b"{}", "`id` is missing or another"),
    (201, receipt(id="01900000-0000-7000-8000-000000000002"), "`id` is missing or another"),
    (201, receipt(id=[ID]), "`id` is missing"),
    (201, receipt(id=None), "`id` is missing"),
    (201, receipt(sha256=None), "`sha256` is missing"),
    (201, receipt(sha256="cd" * 32), "`sha256` is missing or another"),
    (201, json.dumps({"success": True, "id": ID}).encode(), "`sha256` is missing"),
    (401, receipt(), "refuses the token; set AGENT_UPLOAD_TOKEN"),
    (402, b"", "paid"),
    (403, b"", "check AGENT_UPLOAD_TOKEN"),
    (404, b"", "check AGENT_UPLOAD_URL"),
    (405, b"", "check AGENT_UPLOAD_URL"),
    (407, b"", "proxy"),
    (410, b"", "taken away"),
    (421, b"", "host name"),
    (423, b"", "unlock"),
    (426, b"", "https://"),
    (501, b"", "cannot store"),
    (511, b"", "captive portal"),
    (300, b"", "redirects to another address"),
    (304, b"", "redirects"),
    (406, b"", "check AGENT_UPLOAD_URL"),
    (451, b"", "no response to a capture"),
    (101, b"", "no response to a capture"),
    (0, b"", "no response to a capture"),
    (600, b"", "no response to a capture"),
]

RETRIED = [408, 409, 425, 429, 500, 502, 503, 504, 507, 508, 520, 599]
REJECTED = [400, 413, 414, 415, 422, 431]


@pytest.mark.parametrize(("status", "body", "duplicate"), DELIVERED)
def test_proof_is_a_receipt(status: int, body: bytes, duplicate: bool) -> None:
    assert require_proof(Response(status, body), ID, SHA) == Receipt(ID, SHA, duplicate=duplicate)


@pytest.mark.parametrize(("status", "body", "says"), HELD_ALL)
def test_what_a_person_must_fix_holds_all_captures(status: int, body: bytes, says: str) -> None:
    with pytest.raises(TargetBlocked) as caught:
        require_proof(Response(status, body), ID, SHA)

    assert says in str(caught.value)
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("status", RETRIED)
def test_what_passes_is_tried_again(status: int) -> None:
    with pytest.raises(TargetUnavailable, match=str(status)) as caught:
        require_proof(Response(status, b"<html>", retry_after="7"), ID, SHA)

    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("status", REJECTED)
def test_what_concerns_one_capture_rejects_it_with_the_reason_given(status: int) -> None:
    with pytest.raises(CaptureRejected, match=rf"{status}: image\\x00 too dark$"):
        require_proof(
            Response(status, b'{"error": {"message": "image\\u0000 too\\n dark"}}'), ID, SHA
        )


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://portal.example/login?session=s3cret", "redirects to portal.example:"),
        ("http://user:s3cret@portal.example/", "redirects to portal.example:"),
        ("/login", "redirects to another address"),
        ("http://[bad", "redirects to another address"),
        (None, "redirects to another address"),
    ],
)
def test_a_redirect_names_the_host_and_nothing_more(location: str | None, shown: str) -> None:
    with pytest.raises(TargetBlocked) as caught:
        require_proof(Response(302, location=location), ID, SHA)

    assert shown in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_token_that_the_endpoint_repeats_is_masked() -> None:
    with pytest.raises(CaptureRejected) as caught:
        require_proof(Response(400, b'{"error": "bad key s3cret here"}'), ID, SHA, secret="s3cret")

    assert str(caught.value).endswith(": bad key *** here")


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, DATE, None),
        ("120", None, 120.0),
        (" 120 ", None, 120.0),
        ("1.5", None, 1.5),
        ("0", None, 0.0),
        ("-5", None, 0.0),
        ("86400", None, 3600.0),
        ("9" * 30, None, 3600.0),
        ("9" * 400, None, None),
        ("\u0661\u0662", None, None),
        ("inf", None, None),
        ("nan", None, None),
        ("soon", DATE, None),
        ("", DATE, None),
        ("Wed, 21 Oct 2026 07:30:00 GMT", DATE, 120.0),
        ("Wed, 21 Oct 2026 07:30:00 -0000", DATE, 120.0),
        ("Wed, 21 Oct 2026 09:30:00 +0200", DATE, 120.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", DATE, 0.0),
        ("Thu, 22 Oct 2026 07:30:00 GMT", DATE, 3600.0),
        ("Wed, 21 Oct 2026 07:30:00 GMT", None, None),
        ("Wed, 21 Oct 2026 07:30:00 GMT", "garbage", None),
        ("Wed, 41 Oct 99999 07:30:00 GMT", DATE, None),
    ],
)
def test_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, date) == seconds


@given(st.none() | st.text(), st.none() | st.text())
def test_no_retry_after_breaks_anything(value: str | None, date: str | None) -> None:
    seconds = retry_after_seconds(value, date)

    assert seconds is None or 0.0 <= seconds <= 3600.0


words = st.sampled_from([ID, ID.upper(), SHA, "id", "sha256", "error", "s3cret", "", "duplicate"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
bodies = (
    st.binary(max_size=200)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.just(receipt())
)


@given(
    st.integers(-1, 700),
    bodies,
    st.none() | st.text(),
    st.none() | st.text(),
    st.none() | st.text(),
)
def test_any_answer_is_proof_or_one_of_three_errors(
    status: int, body: bytes, location: str | None, retry_after: str | None, date: str | None
) -> None:
    response = Response(status, body, location, retry_after, date)
    try:
        result = require_proof(response, ID, SHA, secret="s3cret")
    except (TargetUnavailable, TargetBlocked, CaptureRejected) as error:
        message = str(error)
    else:
        message = ""
        parsed = json.loads(body)
        assert status // 100 == 2 or status == 409
        assert (parsed["id"].lower(), parsed["sha256"].lower()) == (ID, SHA)
        assert (result.id, result.sha256) == (ID, SHA)
    assert "s3cret" not in message or "s3cret" in (location or "")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, b'{"service": "x", "captures": 3}', "it holds 3 captures"),
        (200, b"{}", "reachable; answers 200"),
        (204, b"", "reachable; answers 204"),
        (404, b"", "only the first capture will show"),
        (405, b"<html>", "only the first capture will show"),
        (400, b"", "only the first capture will show"),
        (200, b"<html>", TargetBlocked),
        (302, b"", TargetBlocked),
        (401, b"", TargetBlocked),
        (403, b"", TargetBlocked),
        (511, b"", TargetBlocked),
        (418, b"", TargetBlocked),
        (429, b"", TargetUnavailable),
        (503, b"", TargetUnavailable),
    ],
)
def test_a_probe_says_what_it_saw(
    status: int, body: bytes, meaning: str | type[AgentError]
) -> None:
    if isinstance(meaning, str):
        assert meaning in describe_probe(Response(status, body))
    else:
        with pytest.raises(meaning):
            describe_probe(Response(status, body))
