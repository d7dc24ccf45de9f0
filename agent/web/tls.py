"""The certificate of a server."""

import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import ConfigurationError
from agent.files import read_regular_file
from agent.printable import printable

_HOW = "docs/api.md shows how to make one with openssl"
_LONGEST = 1_000_000  # bytes; a certificate with its chain and key has some thousand

_OTHER_KEY = "its key belongs to another certificate"
_TOO_WEAK = f"its key is too short, or its signature too old, to be safe; {_HOW}"
_REASONS = {
    "KEY_VALUES_MISMATCH": _OTHER_KEY,
    "KEY_TYPE_MISMATCH": _OTHER_KEY,
    "NO_CERTIFICATE_ASSIGNED": _OTHER_KEY,  # of another kind: RSA and an elliptic curve
    "EE_KEY_TOO_SMALL": _TOO_WEAK,
    "CA_KEY_TOO_SMALL": _TOO_WEAK,
    "CA_MD_TOO_WEAK": _TOO_WEAK,
}


def tls_context(file: Path, *, setting: str = "AGENT_API_TLS_CERT") -> ssl.SSLContext:
    """Return what serves HTTPS with the certificate and key in `file`.

    Raises `ConfigurationError` that says what is wrong with it, and in which setting.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # OpenSSL would wait for a FIFO, and read a device without an end.
        text = read_regular_file(file, _LONGEST)
        context.load_cert_chain(file, password=_no_password)
    except FileNotFoundError:
        raise _unusable(setting, file, f"there is no such file; {_HOW}") from None
    except PermissionError:
        raise _unusable(
            setting,
            file,
            f"this user may not read it: chgrp capture-agent {file}; chmod 640 {file}",
        ) from None
    except ssl.SSLError as error:
        raise _unusable(setting, file, _why(text, error)) from None
    except OSError as error:
        raise _unusable(setting, file, f"{error.strerror}") from None
    except ValueError as error:
        raise _unusable(
            setting, file, f"{error}; name the PEM file with the certificate and its key"
        ) from None
    except _EncryptedKey:
        raise _unusable(
            setting,
            file,
            "its key has a password, which nobody could type at a boot; store it without",
        ) from None
    return context


def expiry(context: ssl.SSLContext, file: Path, *, setting: str = "AGENT_API_TLS_CERT") -> datetime:
    """Return until when the certificate is valid.

    Raises `ConfigurationError` if it is not valid now. Nothing but OpenSSL reads it: a client in
    memory that trusts this certificate alone shakes hands with it.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    trusting.load_verify_locations(file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server)
    try:
        for _ in range(4):  # TLS takes two turns of each
            for side in (client, server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLCertVerificationError as error:
        raise _unusable(
            setting,
            file,
            f"{error.verify_message}; make a new one, or set the clock of this computer",
        ) from None
    except ssl.SSLError as error:
        raise _unusable(
            setting, file, f"no client can use it ({printable(error.reason or str(error))}); {_HOW}"
        ) from None
    found = client.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)


class _EncryptedKey(Exception):
    """The key asks for a password."""


def _no_password() -> str:
    raise _EncryptedKey


def _why(text: bytes, error: ssl.SSLError) -> str:
    if error.reason in _REASONS:
        return _REASONS[error.reason]
    if b"-----BEGIN CERTIFICATE-----" not in text:
        return f"it has no certificate in PEM format; {_HOW}"
    if b"PRIVATE KEY-----" not in text:
        return f"it has no key; put the certificate and its key into one file: {_HOW}"
    if not error.reason:  # OpenSSL says no more than "PEM lib"
        return "what is between a BEGIN and its END is damaged; copy the file again"
    return printable(error.reason)


def _unusable(setting: str, file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"{setting}: cannot use {printable(file)}: {why}")
