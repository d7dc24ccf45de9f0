"""What an S3 store's response means, read from the library's error text.

obstore has classes for a few errors alone; status, code and cause stand in its text, which holds
more that is not to be repeated. So its version is fixed, and tests compare with real answers.
"""

import re

from agent.errors import AgentError, CaptureRejected, TargetBlocked, TargetUnavailable
from agent.upload.connection_errors import PLAUSIBLE_SINCE

BEING_WRITTEN = 409
NO_STORE = (
    "the response is not from an S3 store: captive portal or wrong address; log the network in or "
    "check AWS_ENDPOINT_URL"
)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(\w+)")
_ANOTHER_REGION = "the bucket is in another region; set AWS_REGION"
_FIX = {
    "AccessDenied": "these credentials need s3:PutObject, s3:GetObject and s3:ListBucket there",
    "InvalidAccessKeyId": "it does not know AWS_ACCESS_KEY_ID; set it",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY is wrong; set it",
    "ExpiredToken": "AWS_SESSION_TOKEN has expired; renew the credentials",
    "InvalidToken": "AWS_SESSION_TOKEN is wrong; set it",
    "RequestTimeTooSkewed": "the device's clock is wrong; set the clock (NTP)",
    "NoSuchBucket": "there is no such bucket; make it, or check AGENT_UPLOAD_URL",
    "NotImplemented": "it cannot create objects only where there is none (If-None-Match)",
    "PermanentRedirect": _ANOTHER_REGION,
    "AuthorizationHeaderMalformed": _ANOTHER_REGION,
    "IllegalLocationConstraintException": _ANOTHER_REGION,
}
# Without a response of the store: text to search for, and the fix.
_CAUSES = {
    "/latest/api/token": "there are no credentials; set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY",
    "BareRedirect": _ANOTHER_REGION,
    "MissingEtag": NO_STORE,
    "InvalidContentType": "the store does not speak TLS: captive portal, or http:// is meant in "
    "AWS_ENDPOINT_URL",
}
_GONE = "NoSuchKey"
_RETRY = frozenset({408, BEING_WRITTEN, 425, 429, *range(500, 600)})
_REJECT = frozenset({413})


def status_of(text: str) -> int | None:
    """Return the HTTP status in the library's error text; None without a response."""
    found = _STATUS.search(text)
    return int(found[1]) if found else None


def explain_answer(text: str, cannot: str, wall: float) -> AgentError:
    """Translate the library's error text into an error of the port.

    `wall` is the device's clock, seconds since 1970.
    """
    fix = next((fix for sign, fix in _CAUSES.items() if sign in text), None)
    if fix is not None:
        return TargetBlocked(f"{cannot}: {fix}")
    status = status_of(text)
    if status is None:
        return _unanswered(text, cannot, wall)
    found = _CODE.search(text)
    code = found[1] if found else ""
    said = f"the store answers {status} {code}".rstrip()
    if code in _FIX:
        return TargetBlocked(f"{cannot}: {said}: {_FIX[code]}")
    if status in _RETRY or code == _GONE:
        return TargetUnavailable(f"{cannot}: {said}")
    if status in _REJECT:
        return CaptureRejected(f"{cannot}: {said}")
    return TargetBlocked(f"{cannot}: {said}; check AGENT_UPLOAD_URL and the AWS_ variables")


def _unanswered(text: str, cannot: str, wall: float) -> AgentError:
    found = _CERTIFICATE.search(text)
    if found is None:
        return TargetUnavailable(f"{cannot}: no response from the store; check the network")
    clock = "" if wall >= PLAUSIBLE_SINCE else "; set the clock (NTP) first"
    return TargetBlocked(
        f"{cannot}: the store's certificate is not trusted ({found[1]}): captive portal, or an "
        f"authority that the device does not know; see AGENT_UPLOAD_CA{clock}"
    )
