"""What an HTTP response means: one table, the only place that interprets a status.

A capture is delivered only on proof: a 2xx or 409 whose JSON body repeats our id, the image's
SHA-256, and the clip's if it has one. Every other response becomes one of three errors, and the
capture stays in the spool.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote, quote_plus, urlsplit

from agent.domain import Receipt
from agent.errors import (
    AgentError,
    CaptureRejected,
    StatusRefused,
    TargetBlocked,
    TargetUnavailable,
)
from agent.printable import printable
from agent.upload.response_json import Fields, json_object

RESPONSE_MAX = 262_144
"""Bytes of a response body that are read: a receipt has about 120, a project with 1,000 labels
about 100,000."""

RETRY_AFTER_MAX = 3600.0
"""Seconds; a longer pause that an endpoint asks for is cut to this."""

_SUCCESS = range(200, 300)
_REDIRECT = range(300, 400)
_CONFLICT = 409
_SERVER_ERROR = range(500, 600)
_RETRY = frozenset({408, _CONFLICT, 425, 429})
_REJECT = frozenset({400, 413, 414, 415, 422, 431})
_HOLD = {
    401: "it refuses the token; set AGENT_UPLOAD_TOKEN",
    402: "it wants to be paid first; look at the account there",
    403: "this token may not store captures here; check AGENT_UPLOAD_TOKEN and its rights",
    404: "nothing is at this address; check AGENT_UPLOAD_URL",
    405: "nothing at this address takes captures; check AGENT_UPLOAD_URL",
    407: "a proxy on the way wants a login; let the device pass it",
    410: "the endpoint was taken away; check AGENT_UPLOAD_URL",
    421: "this server does not serve that host name; check AGENT_UPLOAD_URL",
    423: "the project is locked or paused; unlock it there",
    426: "it wants another protocol; check whether AGENT_UPLOAD_URL must begin with https://",
    501: "the server cannot store captures; check AGENT_UPLOAD_URL",
    511: "a captive portal wants a login; log the device's network in",
}
_PORTAL = "captive portal or wrong address; log the network in or check AGENT_UPLOAD_URL"
# To a request without a capture, these only say that there was none.
_PROBE_MAY_BE_FINE = frozenset({404, 405, 501}) | _REJECT

_NO_PLACE = frozenset({404, 405, 501})  # for a request that it does not know

_SECONDS = re.compile(r"[+-]?\d{1,30}(\.\d{0,30})?", re.ASCII)
_CLIP_PROOF = "clip_sha256"
_HTML = re.compile(rb"\s*(<!doctype html|<html|<head|<body|<script|<!--)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Response:
    """The parts of an HTTP response that decide what it means."""

    status: int
    body: bytes = field(default=b"", repr=False)  # its beginning; a truncated body proves nothing
    location: str | None = None
    retry_after: str | None = None
    date: str | None = None
    etag: str | None = None
    last_modified: str | None = None


def require_proof(
    response: Response,
    capture_id: str,
    sha256: str,
    *,
    clip_sha256: str | None = None,
    needs_clip: bool = True,
    secret: str | None = None,
) -> Receipt:
    """Return the receipt of a capture from the response to it.

    `clip_sha256` is that of its clip, which must be proved too; None if it has none. Unless it
    `needs_clip`, a response that does not mention the clip is proof of the image alone, and the
    receipt says so. `secret` never appears in a message, even if the endpoint repeats it.

    Raises `TargetUnavailable`, `TargetBlocked` or `CaptureRejected` unless the response is proof.
    """
    status = response.status
    if status in _SUCCESS or status == _CONFLICT:
        if not needs_clip and not (json_object(response.body) or Fields()).has_value(_CLIP_PROOF):
            clip_sha256 = None
        missing = _missing_proof(response.body, capture_id, sha256, clip_sha256)
        if missing is None:
            return Receipt(
                capture_id,
                sha256,
                duplicate=_says_duplicate(response),
                clip_sha256=clip_sha256,
            )
        if status in _SUCCESS:
            raise TargetBlocked(f"cannot deliver captures: the response {status} {missing}")
    if status in _REJECT:
        said = error_text(response.body, secret)
        raise CaptureRejected(f"cannot deliver the capture: the endpoint answers {status}{said}")
    raise refusal(response, "cannot deliver captures")


def describe_probe(response: Response) -> str:
    """Describe what the response to a GET without a capture says about later captures.

    Raises `TargetUnavailable` or `TargetBlocked` where they would fail.
    """
    status = response.status
    if status in _PROBE_MAY_BE_FINE:
        return (
            f"reachable; answers {status} to a question without a capture, "
            "so only the first capture will show whether it takes them"
        )
    if status not in _SUCCESS:
        raise refusal(response, "cannot use the endpoint")
    if _HTML.match(response.body):
        raise TargetBlocked(
            f"cannot use the endpoint: it answers {status} with an HTML page: {_PORTAL}"
        )
    captures = (json_object(response.body) or Fields()).count("captures")
    if captures is not None:
        return f"answers {status}; it holds {captures} captures"
    return f"reachable; answers {status}"


def require_status_taken(response: Response, *, secret: str | None = None) -> None:
    """Return if the endpoint took the status of a device: any 2xx, for nothing is lost without it.

    A 200 with a web page is none: a captive portal answers so to everything. A file server
    answers 201 with one.

    Raises `StatusRefused` where it has no place for it, else what the response means.
    """
    status, cannot = response.status, "cannot send the status of this device"
    if status in _SUCCESS:
        if status == HTTPStatus.OK and _HTML.match(response.body):
            raise TargetBlocked(f"{cannot}: the endpoint answers 200 with an HTML page: {_PORTAL}")
        return
    if status in _NO_PLACE:
        raise StatusRefused(
            f"the endpoint answers {status} to PUT of devices/ID: it takes no heartbeats"
        )
    if status in _REJECT:
        said = error_text(response.body, secret)
        raise TargetBlocked(f"{cannot}: the endpoint answers {status}{said}")
    raise refusal(response, cannot)


def retry_after_seconds(value: str | None, date: str | None) -> float | None:
    """Read a `Retry-After` header: seconds from 0 to `RETRY_AFTER_MAX`, None for none or garbage.

    A date counts from the response's own `Date`, because the device may believe it is 1970.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        then, sent = http_date(text), http_date(date)
        if then is None or sent is None:
            return None
        seconds = (then - sent).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_MAX)


def http_date(value: str | None) -> datetime | None:
    """Read a date of a header; None for none or garbage."""
    try:
        parsed = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def refusal(response: Response, cannot: str) -> AgentError:
    """Return the error that a response without success means for all captures."""
    status = response.status
    fix = _HOLD.get(status)
    if fix is not None:
        return TargetBlocked(f"{cannot}: the endpoint answers {status}: {fix}")
    if status in _REDIRECT:
        where = _host(response.location)
        return TargetBlocked(
            f"{cannot}: the endpoint answers {status}, redirects to {where}: {_PORTAL}"
        )
    if status in _RETRY or status in _SERVER_ERROR:
        return TargetUnavailable(
            f"{cannot}: the endpoint answers {status}",
            retry_after=retry_after_seconds(response.retry_after, response.date),
        )
    return TargetBlocked(
        f"{cannot}: the endpoint answers {status}, which is no response to a capture; "
        "check AGENT_UPLOAD_URL"
    )


def error_text(body: bytes, *secrets: str | None) -> str:
    """Return the endpoint's reason as `: reason`, ready to be shown, or "" without one."""
    reason = error_reason(body, *secrets)
    return f": {printable(reason)}" if reason else ""


def error_reason(body: bytes, *secrets: str | None) -> str:
    """Return the endpoint's whole reason on one line; to be shown by `printable`.

    A secret is left out as it is and as an address carries it.
    """
    parsed = json_object(body) or Fields()
    name = next((key for key in ("error", "message", "detail") if parsed.has_value(key)), "error")
    said = parsed.text(name) or parsed.fields(name).text("message") or ""
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), quote_plus(secret)) if secret else ():
            said = said.replace(form, "***")
    return " ".join(said.split())


def no_object(body: bytes) -> str | None:
    """What keeps this body from being a JSON object, as a receipt is; None when it is one."""
    if not body.strip():
        return f"is empty, not a receipt: {_PORTAL}"
    if _HTML.match(body):
        return f"is an HTML page, not a receipt: {_PORTAL}"
    if json_object(body) is None:
        return "is not a whole JSON object, so no receipt: check AGENT_UPLOAD_URL"
    return None


def _missing_proof(
    body: bytes, capture_id: str, sha256: str, clip_sha256: str | None
) -> str | None:
    """What keeps this body from being a receipt; None when it is one."""
    missing = no_object(body)
    if missing is not None:
        return missing
    parsed = json_object(body) or Fields()
    if not _same(parsed.text("id"), capture_id):
        return "is not a receipt for this capture: its `id` is missing or another"
    if not _same(parsed.text("sha256"), sha256):
        return "is not a receipt for this image: its `sha256` is missing or another"
    if clip_sha256 is None or _same(parsed.text(_CLIP_PROOF), clip_sha256):
        return None
    if parsed.has_value(_CLIP_PROOF):
        return (
            "proves the image but not the clip: its `clip_sha256` is another; let the endpoint "
            "store the whole part `clip` and answer with its SHA-256"
        )
    return (
        "proves the image but not the clip: it has no `clip_sha256`; let the endpoint store the "
        "part `clip` and answer with its SHA-256, or set AGENT_CLIP=off: those that wait are "
        "then delivered without their clip"
    )


def _same(theirs: str | None, ours: str) -> bool:
    # Some databases give UUIDs and digests back in capitals; the proof is the same.
    return bool(ours) and theirs is not None and theirs.lower() == ours.lower()


def _says_duplicate(response: Response) -> bool:
    parsed = json_object(response.body) or Fields()
    return response.status == _CONFLICT or parsed.is_true("duplicate")


def _host(location: str | None) -> str:
    """The host of a redirect alone: the rest of the address may carry a session."""
    try:
        host = urlsplit(location or "").hostname
    except ValueError:
        host = None
    return printable(host) if host else "another address"
