"""The Authorization header of HTTP and RTSP: Basic and Digest (RFC 7616, RFC 2326)."""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.request import parse_http_list, parse_keqv_list

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Credentials:
    """The user and password of a camera."""

    user: str
    password: str = field(repr=False)

    def answer(self, challenges: Iterable[str], *, method: str, uri: str) -> str | None:
        """Return the value of `Authorization` for a request that got status 401.

        Args:
            challenges: The values of the response's `WWW-Authenticate` headers.
            method: The method of the request.
            uri: The request's target, as in its first line.

        Returns:
            The header's value; None if no challenge is understood.
        """
        offered = [each.partition(" ") for each in challenges]
        for scheme, _, text in offered:
            if scheme.lower() == "digest":
                value = self._digest(parse_keqv_list(_pairs(text)), method, uri)
                if value is not None:
                    return value
        if any(scheme.lower() == "basic" for scheme, _, _ in offered):
            return f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"
        return None

    def _digest(self, challenge: dict[str, str], method: str, uri: str) -> str | None:
        name = challenge.get("algorithm", "MD5").upper()
        session = name.endswith("-SESS")
        algorithm = _HASHES.get(name.removesuffix("-SESS"))
        qop = [each.strip() for each in challenge.get("qop", "").split(",") if each.strip()]
        if algorithm is None or "nonce" not in challenge or (qop and "auth" not in qop):
            return None

        def digest(*parts: str) -> str:
            return algorithm(":".join(parts).encode()).hexdigest()

        realm, nonce, own = challenge.get("realm", ""), challenge["nonce"], secrets.token_hex(8)
        secret = digest(self.user, realm, self.password)
        if session:
            secret = digest(secret, nonce, own)
        request = digest(method, uri)
        fields = {"username": self.user, "realm": realm, "nonce": nonce, "uri": uri}
        if qop:
            response = digest(secret, nonce, "00000001", own, "auth", request)
        else:
            response = digest(secret, nonce, request)
        fields["response"] = response
        fields |= {key: challenge[key] for key in ("opaque", "algorithm") if key in challenge}
        values = [f'{key}="{_quoted(value)}"' for key, value in fields.items()]
        if qop:
            values.append("qop=auth, nc=00000001")
        if qop or session:
            values.append(f'cnonce="{own}"')
        return f"Digest {', '.join(values)}"


def _pairs(text: str) -> list[str]:
    return [part for part in parse_http_list(text) if "=" in part]


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
