"""The Authorization header, checked against the examples of RFC 2617 and RFC 7616."""

import hashlib
import re

import pytest

from agent.camera.network.digest import Credentials

USER = Credentials("Mufasa", "Circle Of Life")


def fields(header: str | None) -> dict[str, str]:
    assert header is not None
    found = re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', header)
    return {name: quoted or plain for name, quoted, plain in found}


def digest(*parts: str, algorithm: str = "md5") -> str:
    return hashlib.new(algorithm, ":".join(parts).encode()).hexdigest()


def test_basic() -> None:
    answer = Credentials("Aladdin", "open sesame").answer(
        ['Basic realm="x"'], method="GET", uri="/"
    )

    assert answer == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    ("challenge", "algorithm"),
    [
        ('Digest realm="r@h", qop="auth,auth-int", nonce="dcd9", opaque="5ccc"', "md5"),
        ('Digest realm="r@h", qop="auth", algorithm=SHA-256, nonce="dcd9"', "sha256"),
        ('digest realm="r@h",nonce="dcd9",algorithm="MD5"', "md5"),
    ],
)
def test_digest(challenge: str, algorithm: str) -> None:
    got = fields(USER.answer([challenge], method="DESCRIBE", uri="rtsp://h/x"))
    secret = digest("Mufasa", "r@h", "Circle Of Life", algorithm=algorithm)
    request = digest("DESCRIBE", "rtsp://h/x", algorithm=algorithm)
    middle = ["dcd9", "00000001", got["cnonce"], "auth"] if "qop" in challenge else ["dcd9"]

    assert got["response"] == digest(secret, *middle, request, algorithm=algorithm)
    assert got["uri"] == "rtsp://h/x"
    assert ("opaque" in got) == ("opaque" in challenge)


def test_digest_is_preferred_to_basic() -> None:
    answer = USER.answer(['Basic realm="x"', 'Digest realm="x", nonce="1"'], method="GET", uri="/")

    assert answer is not None
    assert answer.startswith("Digest ")


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "Bearer",
        "Digest",
        "Digest nonce",
        'Digest nonce="1", algorithm=X',
        'Digest nonce="1", qop=auth-int',
    ],
)
def test_a_challenge_that_is_not_understood_has_no_answer(challenge: str) -> None:
    assert USER.answer([challenge], method="GET", uri="/") is None
