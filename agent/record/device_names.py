"""Names of devices in addresses, as names of files and as keys of objects.

In the name of a file, letters, digits, `_`, `-` and a dot that is not the first character are as
they are, and every other byte of the UTF-8 is `%xx`. Capitals are encoded too, unless the place
tells them from small letters: so no two devices meet, and no name leaves its folder. A name that is
too long for a file is cut and ends with `~` and its SHA-256; the status itself has the whole name.
"""

import hashlib
from urllib.parse import quote, urlsplit, urlunsplit

DEVICES = "devices"
"""The folder below that of a dataset, and the objects below the prefix of a bucket."""

_SMALL = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")
_CAPITALS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_STEM_MAX = 200  # characters of a file's name without its ending
_HASHED = "~"


def status_file(device: str, *, keeps_capitals: bool = False) -> str:
    """Return the name of the file with the status of a device.

    `keeps_capitals`: the place tells capitals from small letters, as a bucket does.
    """
    plain = _SMALL | _CAPITALS if keeps_capitals else _SMALL
    encoded = device.encode("utf-8", "surrogatepass")
    stem = "".join(chr(byte) if byte in plain else f"%{byte:02x}" for byte in encoded)
    if stem.startswith("."):
        stem = "%2e" + stem[1:]
    if len(stem) > _STEM_MAX:
        digest = hashlib.sha256(encoded).hexdigest()
        stem = stem[: _STEM_MAX - len(digest) - 1] + _HASHED + digest
    return f"{stem}.json"


def status_url(url: str, device: str) -> str:
    """Return the address of a device's status beside the address that takes captures.

    The last segment of its path gives way to `devices/ID` (RFC 3986, section 5.2.3); a query stays.
    """
    parts = urlsplit(url)
    folder = parts.path.rpartition("/")[0]
    path = f"{folder}/{DEVICES}/{quote(device, safe='')}"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
