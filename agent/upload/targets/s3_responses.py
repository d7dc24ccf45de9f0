"""What an S3 store's response means, and what the library says when there are no credentials."""

import re

from agent.errors import AgentError, CaptureRejected, TargetBlocked, TargetUnavailable
from agent.upload.response import Response, refusal

EXISTS = 412
BEING_WRITTEN = 409
GONE = "NoSuchKey"
NO_STORE = (
    "the response is not from an S3 store: captive portal or wrong address; log the network in or "
    "check AWS_ENDPOINT_URL"
)

_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_ANOTHER_REGION = "the bucket is in another region; set AWS_REGION"
_CLOCK = "the device's clock is wrong; set the clock (NTP)"
_FIX = {
    "AccessDenied": "these credentials need s3:PutObject, s3:GetObject and s3:ListBucket there",
    "InvalidAccessKeyId": "it does not know AWS_ACCESS_KEY_ID; set it",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY is wrong; set it",
    "ExpiredToken": "AWS_SESSION_TOKEN has expired; renew the credentials",
    "InvalidToken": "AWS_SESSION_TOKEN is wrong; set it",
    "RequestTimeTooSkewed": _CLOCK,
    "NoSuchBucket": "there is no such bucket; make it, or check AGENT_UPLOAD_URL",
    "NotImplemented": "it cannot create objects only where there is none (If-None-Match)",
    "PermanentRedirect": _ANOTHER_REGION,
    "TemporaryRedirect": _ANOTHER_REGION,
    "AuthorizationHeaderMalformed": _ANOTHER_REGION,
    "AuthorizationQueryParametersError": _ANOTHER_REGION,
    "IllegalLocationConstraintException": _ANOTHER_REGION,
}
# To a signed address, a wrong clock is an address that has expired, or is not valid yet.
_EXPIRED = re.compile(rb"<Message>[^<]*(?:expired|not yet valid)[^<]*</Message>", re.IGNORECASE)
_NO_CREDENTIALS = "/latest/api/token"  # where the library asks a cloud for some
_RETRY = frozenset({408, BEING_WRITTEN, 425, 429, *range(500, 600)})
_REJECT = frozenset({413})
_REDIRECT = range(300, 400)
_SUCCESS = range(200, 300)


def code_of(response: Response) -> str:
    """Return S3's code for a failure; empty without one."""
    found = _CODE.search(response.body)
    return found[1].decode("ascii", "replace") if found else ""


def fix_of(code: str) -> str | None:
    """Return what a person can do about a failure with this code of S3; None where nothing."""
    return _FIX.get(code)


def explain_response(response: Response, cannot: str) -> AgentError:
    """Return the error that a response without success means."""
    status, code = response.status, code_of(response)
    said = f"the store answers {status} {code}".rstrip()
    fix = _FIX.get(code)
    if code == "AccessDenied" and _EXPIRED.search(response.body):
        fix = _CLOCK
    if fix is not None or status in _SUCCESS:
        return TargetBlocked(f"{cannot}: {said}: {fix}" if fix else f"{cannot}: {NO_STORE}")
    if status in _REDIRECT:
        return refusal(response, cannot)
    if status in _RETRY or code == GONE:
        return TargetUnavailable(f"{cannot}: {said}")
    if status in _REJECT:
        return CaptureRejected(f"{cannot}: {said}")
    return TargetBlocked(f"{cannot}: {said}; check AGENT_UPLOAD_URL and the AWS_ variables")


def explain_signing(error: Exception, cannot: str) -> AgentError:
    """Return the error that it means when no address can be signed."""
    if _NO_CREDENTIALS in str(error):
        return TargetBlocked(
            f"{cannot}: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return TargetUnavailable(
        f"{cannot}: there are no credentials now; check the AWS_ variables and what they name"
    )
