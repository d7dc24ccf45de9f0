"""The token of the API: how a request carries it, and how it is compared."""

import base64
import binascii
import hmac

CHALLENGE = 'Basic realm="capture-agent", charset="UTF-8"'
"""Makes a browser ask its user; programs send `Authorization: Bearer TOKEN`."""

_LONGEST = 32_768


def presented(authorization: str) -> str | None:
    """Return the token that a header carries: after `Bearer`, or as the password of `Basic`."""
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if not rest or len(rest) > _LONGEST:
        return None
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(rest, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    _, colon, password = text.partition(":")
    return password if colon else None


def is_right(given: str, token: str) -> bool:
    """Whether a token is the right one; how long that takes says nothing about it."""
    return hmac.compare_digest(given.encode(), token.encode())
