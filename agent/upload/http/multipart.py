"""Multipart request bodies, built by a single join."""

import secrets
from collections.abc import Mapping

Part = tuple[str | None, bytes, str]
"""File name, content, media type."""


def form(parts: Mapping[str, Part]) -> tuple[bytes, str]:
    """Return a body of the type `multipart/form-data` (RFC 7578), and its `Content-Type`."""
    boundary_text = secrets.token_hex(16)
    boundary = boundary_text.encode()
    pieces: list[bytes] = []
    for name, (file_name, content, media_type) in parts.items():
        file = "" if file_name is None else f'; filename="{_quoted(file_name)}"'
        head = (
            f'Content-Disposition: form-data; name="{_quoted(name)}"{file}\r\n'
            f"Content-Type: {media_type}\r\n\r\n"
        )
        pieces += [b"--", boundary, b"\r\n", head.encode(), content, b"\r\n"]
    body = b"".join([*pieces, b"--", boundary, b"--\r\n"])
    return body, f"multipart/form-data; boundary={boundary_text}"


def _quoted(text: str) -> str:
    """Escape a name as browsers do (WHATWG HTML, multipart form data)."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
