"""The certificate of the API."""

import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import ConfigurationError
from agent.printable import printable

_HOW = "docs/api.md shows how to make one with openssl"


def tls_context(file: Path) -> ssl.SSLContext:
    """Return what serves HTTPS with the certificate and key in `file`.

    Raises `ConfigurationError` that says what is wrong with it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(file, password=_no_password)
    except FileNotFoundError:
        raise _unusable(file, f"there is no such file; {_HOW}") from None
    except PermissionError:
        raise _unusable(
            file, f"this user may not read it: chgrp capture-agent {file}; chmod 640 {file}"
        ) from None
    except ssl.SSLError as error:
        raise _unusable(file, _why(file, error)) from None
    except OSError as error:
        raise _unusable(file, f"{error.strerror}") from None
    except _EncryptedKey:
        raise _unusable(
            file, "its key has a password, which nobody could type at a boot; store it without"
        ) from None
    return context


def expiry(context: ssl.SSLContext, file: Path) -> datetime:
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
            file, f"{error.verify_message}; make a new one, or set the clock of this computer"
        ) from None
    found = client.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)


class _EncryptedKey(Exception):
    """The key asks for a password."""


def _no_password() -> str:
    raise _EncryptedKey


def _why(file: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "its key belongs to another certificate"
    text = file.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in text:
        return f"it has no certificate in PEM format; {_HOW}"
    if b"PRIVATE KEY-----" not in text:
        return f"it has no key; put the certificate and its key into one file: {_HOW}"
    return printable(error.reason or str(error))


def _unusable(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"AGENT_API_TLS_CERT: cannot use {printable(file)}: {why}")
