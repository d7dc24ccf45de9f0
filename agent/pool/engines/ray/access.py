"""The token that the processes of a Ray cluster ask each other for."""

import os
import secrets
from pathlib import Path

_MODE, _TOKEN, _PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def access(address: str) -> dict[str, str]:
    """Return the environment that lets a process into the cluster at an address.

    A Ray that is started here gets a token of its own: else Ray would leave one in the home folder,
    and fail without such a folder. A cluster has the token that `ray start` found on this machine;
    Ray alone does not use it where an address is given. A cluster without tokens ignores it.
    """
    if not address:
        return {_MODE: "token", _TOKEN: secrets.token_hex(32)}
    if _MODE in os.environ or not _has_token():
        return {}
    return {_MODE: "token"}


def _has_token() -> bool:
    if os.environ.get(_TOKEN) or os.environ.get(_PATH):
        return True
    try:
        return (Path.home() / ".ray" / "auth_token").is_file()
    except (OSError, RuntimeError):  # no home folder
        return False
