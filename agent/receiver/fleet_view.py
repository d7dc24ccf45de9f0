"""The fleet view of a receiver: `GET /fleet` is the page, `GET /devices` the same as JSON.

A browser asks with the token as the password of Basic, and only such a page may ask as this
server sent itself: see `agent.web.access`. Taking captures and statuses accepts no Basic, so a
browser that knows the password cannot be made to send them.
"""

import gzip
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from agent.files import Disk
from agent.fleet.devices import Heartbeat, Problem, Reports
from agent.fleet.facts import facts_of
from agent.fleet.fleet import Fleet, fleet_of
from agent.fleet.folder import HeartbeatFolder, devices_of_captures, named_by
from agent.fleet.needs import STOPPED_MAX_S
from agent.fleet.page import page_of
from agent.fleet.reading import DEVICES_MAX
from agent.ports import Clock
from agent.web.access import Access, Headers, Refusal
from agent.web.address import WebAddress
from agent.web.hosts import own_hosts
from agent.web.response_headers import PROTECTION

PAGE_PATH = "/fleet"
JSON_PATH = "/devices"
PATHS = frozenset({PAGE_PATH, JSON_PATH})

_FRESH_S = 1.0  # a younger view is shown again where nothing came: many may look at once
_GZIP_LEVEL = 5
_FRAMES = "frame-ancestors 'none'"  # the rest of its policy is in the page


@dataclass(frozen=True, slots=True)
class View:
    """One answer."""

    body: bytes
    headers: Mapping[str, str]


class FleetView:
    """What a receiver knows of its devices. Thread-safe.

    `start` once it listens: what nobody could send before is no silence of the devices.
    """

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        *,
        host: str,
        port: int,
        token: str | None,
        clock: Clock,
        stopped_max: float | None = STOPPED_MAX_S,
        refusal: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Show what is kept in `directory`.

        `refusal` returns why new devices are refused now, if they are.
        """
        self._stopped_max = stopped_max
        self._refusal = refusal
        self._name = directory.absolute().name or str(directory)
        self._directory = directory.absolute()
        self._disk = disk
        self._clock = clock
        self._folder = HeartbeatFolder(directory, disk)
        self._access = Access(
            own_hosts(WebAddress(host=host, port=port), socket.gethostname()),
            token=token,
            page=PAGE_PATH,
            guide="docs/fleet.md",
        )
        self._captured: dict[str, float | None] = {}
        self._received: dict[str, int] = {}
        self._away: tuple[float, float] | None = None
        self._noting = Lock()
        self._viewing = Lock()
        self._last: Fleet | None = None
        self._last_at = 0.0
        self._is_changed = False

    def start(self) -> None:
        """Note since when heartbeats can come, and read in a thread what the captures name."""
        now = self._clock.wall()
        try:
            times = [e.received_at for e in self._folder.read(now) if isinstance(e, Heartbeat)]
        except OSError:
            times = []  # the view says why
        self._away = (max(times), now) if times and max(times) < now else None
        Thread(target=self._read_captures, name="devices of captures", daemon=True).start()

    def changed(self) -> None:
        """Note that a heartbeat was stored: the next view shows it."""
        self._is_changed = True

    def arrived(self, record: Mapping[str, Any], *, is_new: bool) -> None:
        """Count a capture for its device."""
        named = named_by(record)
        if named is not None:
            with self._noting:
                self._note(*named)
                device = named[0]
                if device in self._captured:
                    self._received[device] = self._received.get(device, 0) + is_new
            self.changed()

    def refusal(self, method: str, target: str, headers: Headers) -> Refusal | None:
        """Return why a request for the view is refused; None for one that may be answered."""
        return self._access.refusal(method, target, headers)

    def answer(self, path: str, accepted: str = "") -> View:
        """Return the view as its path says; `accepted` are the encodings that the asker reads.

        Raises `OSError` where the folder cannot be read.
        """
        fleet = self._fleet()
        headers = dict(PROTECTION)
        if path == PAGE_PATH:
            body = page_of(fleet, self._name, is_served=True).encode()
            headers["content-type"] = "text/html; charset=utf-8"
            headers["content-security-policy"] = _FRAMES
        else:
            body = json.dumps(facts_of(fleet), ensure_ascii=False).encode("utf-8", "replace")
            headers["content-type"] = "application/json"
        headers["vary"] = "accept-encoding"
        if "gzip" in accepted:
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            headers["content-encoding"] = "gzip"
        return View(body, headers)

    def _fleet(self) -> Fleet:
        with self._viewing:
            is_fresh = self._clock.monotonic() - self._last_at <= _FRESH_S
            if self._last is None or self._is_changed or not is_fresh:
                self._is_changed = False  # before the look: what comes meanwhile is for the next
                self._last = fleet_of(
                    self._reports(), self._clock.wall(), stopped_max=self._stopped_max
                )
                self._last_at = self._clock.monotonic()
            return self._last

    def _reports(self) -> Reports:
        found = self._folder.read(self._clock.wall())
        with self._noting:
            captured, received = dict(self._captured), dict(self._received)
        return Reports(
            tuple(each for each in found if isinstance(each, Heartbeat)),
            captured,
            tuple(each for each in found if isinstance(each, Problem)),
            received,
            self._away,
            self._refusal(),
        )

    def _read_captures(self) -> None:
        try:
            found = devices_of_captures(self._directory, self._disk)
        except OSError:
            return  # devices without a heartbeat are shown once a capture of theirs comes
        with self._noting:
            for device, latest in found.items():
                self._note(device, latest)

    def _note(self, device: str, latest: float | None) -> None:
        if device in self._captured or len(self._captured) < DEVICES_MAX:
            known = self._captured.get(device)
            times = [each for each in (known, latest) if each is not None]
            self._captured[device] = max(times, default=None)
