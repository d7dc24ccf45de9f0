"""The two kinds of tokens that Label Studio gives its users."""

import json
import re
from collections.abc import Mapping
from threading import Lock
from typing import Protocol

from agent.errors import ConfigurationError, TargetBlocked
from agent.ports import Clock
from agent.progress import turn
from agent.upload.http.client import Client, checked_token
from agent.upload.response import no_object, refusal
from agent.upload.response_json import Fields, json_object

ACCESS_S = 240.0
"""Seconds that an access token is used; the server accepts it for 300."""

_PERSONAL = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]+", re.ASCII)  # a JSON web token
_OK = 200
_REFUSED = frozenset({400, 401, 403})


class Login(Protocol):
    """The login of a request. Several threads may use it at once."""

    secrets: tuple[str, ...]
    """Secrets that must not appear in a message."""

    def headers(self) -> dict[str, str]:
        """Return the headers of a request; raise as `UploadTarget.send` does."""

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Return whether new headers may help after a response 401 to these."""


def login_with(token: str | None, client: Client, clock: Clock) -> Login:
    """Return the login for a token, by its form; raise `ConfigurationError` without a token."""
    checked = checked_token(token)
    if checked is None:
        raise ConfigurationError(
            "AGENT_UPLOAD_TOKEN: must be an access token of Label Studio, "
            "from its page Account & Settings"
        )
    if _PERSONAL.fullmatch(checked):
        return _PersonalLogin(checked, client, clock)
    return _LegacyLogin(checked)


class _LegacyLogin:
    """A token that is sent with each request."""

    def __init__(self, token: str) -> None:
        self.secrets: tuple[str, ...] = (token,)
        self._headers = {"Authorization": f"Token {token}"}

    def headers(self) -> dict[str, str]:
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        del refused
        return False


class _PersonalLogin:
    """A token that is exchanged for access tokens, each valid for five minutes."""

    def __init__(self, token: str, client: Client, clock: Clock) -> None:
        self.secrets: tuple[str, ...] = (token,)
        self._token = token
        self._client = client
        self._clock = clock
        self._lock = Lock()
        self._access: str | None = None
        self._until = 0.0

    def headers(self) -> dict[str, str]:
        with turn(self._lock, "the login of another worker"):
            now = self._clock.monotonic()
            if self._access is None or now >= self._until:
                self._access = self._buy()
                self._until = now + ACCESS_S
                self.secrets = (self._token, self._access)
            return {"Authorization": f"Bearer {self._access}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        with self._lock:
            # Several threads meet the same end; the first of them buys, the others use that.
            if refused.get("Authorization") == f"Bearer {self._access}":
                self._access = None
        return True

    def _buy(self) -> str:
        response = self._client.request(
            "POST",
            "/api/token/refresh",
            headers={"Content-Type": "application/json"},
            body=json.dumps({"refresh": self._token}).encode(),
            repeatable=True,
        )
        cannot = "cannot log in to Label Studio"
        if response.status in _REFUSED:
            raise TargetBlocked(
                f"{cannot}: it answers {response.status}: the personal access token was revoked, "
                "has expired, or is not its; set AGENT_UPLOAD_TOKEN"
            )
        if response.status != _OK:
            raise refusal(response, cannot)
        access = (json_object(response.body) or Fields()).text("access")
        if access is None or not _PERSONAL.fullmatch(access):
            missing = no_object(response.body) or "holds no access token: check AGENT_UPLOAD_URL"
            raise TargetBlocked(f"{cannot}: the response {response.status} {missing}")
        return access
