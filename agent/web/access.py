"""Whether a request may be answered at all: who asks, from which page, with which token."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from agent.printable import printable
from agent.web.hosts import UNIX_HOSTS, OwnHosts, parse_host, parse_origin
from agent.web.token import CHALLENGE, is_right, presented

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values."""

PAGE_TARGET = "/"
"""Of the live page and the review page: a link on another page may lead to them."""

_FORMS = frozenset({"text/plain", "application/x-www-form-urlencoded"})
_MULTIPART = "multipart/form-data"
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_OWN_FETCH_SITES = frozenset({"same-origin", "none"})  # none: typed by the user, or no page at all


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: HTTPStatus
    text: str
    reason: str = ""  # for the log; empty for what is a mistake of the caller alone
    headers: dict[str, str] = field(default_factory=dict)
    is_wrong_token: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What one listening address asks of a request."""

    hosts: OwnHosts
    scheme: str = "http"
    token: str | None = field(default=None, repr=False)
    page: str = PAGE_TARGET  # the only target that a link on another page may lead to
    guide: str = "docs/api.md"  # what says more about hosts

    def refusal(self, method: str, target: str, headers: Headers) -> Refusal | None:
        """Return why a request is refused; None for one that may be answered."""
        return (
            self._of_target(target)
            or self._of_host(headers)
            or self._of_origin(headers, is_link=self._is_link(method, target, headers))
            or self._of_token(headers)
            or (self._of_content(headers) if method == "POST" else None)
        )

    def _of_target(self, target: str) -> Refusal | None:
        if target.startswith("/"):
            return None
        return Refusal(
            HTTPStatus.BAD_REQUEST,
            f"cannot serve {printable(target)}: the agent is no proxy; the target of a request "
            "begins with /",
        )

    def _of_host(self, headers: Headers) -> Refusal | None:
        given = _values(headers, b"host")
        if self.hosts.port is None and not given:
            return None
        host = parse_host(given[0], self.scheme) if len(given) == 1 else None
        if host is not None and self.hosts.has(host):
            return None
        shown = printable(" ".join(given)) or "none"
        return Refusal(
            HTTPStatus.MISDIRECTED_REQUEST,
            f"cannot answer for the host {shown}, which is no name of this API; "
            f"allowed: {self.hosts.shown}. {self.guide} says more",
            "host",
        )

    def _of_origin(self, headers: Headers, *, is_link: bool) -> Refusal | None:
        for site in _values(headers, b"sec-fetch-site"):
            if site.strip().lower() not in _OWN_FETCH_SITES and not is_link:
                return Refusal(
                    HTTPStatus.FORBIDDEN,
                    "cannot answer a web page of another site; type the address into the browser",
                    "origin",
                )
        for origin in _values(headers, b"origin"):
            if not self._is_own(origin, headers):
                return Refusal(
                    HTTPStatus.FORBIDDEN,
                    f"cannot answer a web page of {printable(origin)}: only the agent's own pages "
                    "may ask",
                    "origin",
                )
        return None

    def _of_token(self, headers: Headers) -> Refusal | None:
        if self.token is None:
            return None
        given = _values(headers, b"authorization")
        token = presented(given[0]) if len(given) == 1 else None
        if token is not None and is_right(token, self.token):
            return None
        what = "the token is wrong" if given else "a token is needed"
        return Refusal(
            HTTPStatus.UNAUTHORIZED,
            f"cannot answer: {what}; send Authorization: Bearer TOKEN, or the token as the "
            "password of Basic",
            "token" if given else "",
            {"WWW-Authenticate": CHALLENGE},
            is_wrong_token=bool(given),
        )

    def _of_content(self, headers: Headers) -> Refusal | None:
        types = _values(headers, b"content-type")
        kind = types[0].partition(";")[0].strip().lower() if len(types) == 1 else ""
        if kind in _FORMS or not _MEDIA_TYPE.fullmatch(kind):
            named = f"Content-Type {printable(kind)}" if kind else "a request without Content-Type"
            return Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"cannot take {named}: a form of a foreign web page could send it; send "
                "Content-Type: application/json, or image/jpeg for a frame",
            )
        if kind == _MULTIPART and self.hosts.port is not None and not self._is_deliberate(headers):
            return Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "cannot take multipart/form-data alone: a form of a foreign web page could send "
                "it; add a header such as X-Requested-With: my-program",
            )
        return None

    def _is_deliberate(self, headers: Headers) -> bool:
        """Whether there is a header that a form of a foreign page cannot set.

        Not Authorization: Basic, which a browser adds to every request once it knows the password.
        """
        if _values(headers, b"x-requested-with") or _values(headers, b"origin"):
            return True  # an origin that is not ours was refused before
        return any(
            each.strip().lower().startswith("bearer ")
            for each in _values(headers, b"authorization")
        )

    def _is_own(self, origin: str, headers: Headers) -> bool:
        """Whether an origin is the host that the request names."""
        asked = [parse_host(each, self.scheme) for each in _values(headers, b"host")]
        own = parse_origin(origin.strip())
        return own is not None and own in asked

    def _is_link(self, method: str, target: str, headers: Headers) -> bool:
        """Whether a person follows a link to the page, which then fills the tab.

        No other page can read it there. A frame has another destination, a form another method.
        """
        asked = [_values(headers, name) for name in (b"sec-fetch-mode", b"sec-fetch-dest")]
        return method == "GET" and target == self.page and asked == [["navigate"], ["document"]]


UNIX_ACCESS = Access(UNIX_HOSTS)
"""The file's permission decides who may ask; no token."""


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]
