"""A small HTTP endpoint for the generic target, which stores captures in a dataset folder.

For a LAN without a cloud, demos and tests. It answers 201 or 200, with the proof that the sender
waits for, only after the capture is safe from a power cut. The statuses of devices are
stored beside the captures, in `devices/`, and shown at `/fleet` (`fleet_view`).
"""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any

from agent.dataset.folder import Dataset
from agent.files import Disk
from agent.ports import Clock
from agent.receiver.fleet_view import PAGE_PATH, FleetView, View
from agent.receiver.limits import Limits
from agent.receiver.new_devices import NewDevices
from agent.receiver.server import PATHS, Server
from agent.record.device_status import checked_status
from agent.record.timestamp import timestamp
from agent.record.verdicts import verdicts_of
from agent.system import SystemClock
from agent.web.access import Headers
from agent.web.access import Refusal as ViewRefusal
from agent.web.address import WebAddress
from agent.web.hosts import reached_at


@dataclass(frozen=True, slots=True)
class ReceivedCapture:
    """One capture that was stored, now or earlier."""

    id: str
    size: int  # bytes of the image and the clip
    is_new: bool
    device: str = ""
    camera: str = ""
    lane: str = ""
    verdicts: tuple[str, ...] = ()  # kinds of those in its record


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device whose first status was stored."""

    address: str  # of the sender
    device: str
    version: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """One request that was refused."""

    address: str  # of the sender
    status: int  # of HTTP
    reason: str


class Receiver:
    """Serves `dataset` on `host` and `port` (0: any free one), bound once constructed.

    With `token`, requests without it are refused. `on_capture` is called after each capture,
    `on_device` after the first status of a device and `on_refusal` after each refused request, by
    one thread at a time; `log` with one line for each request. Their texts come from the
    senders: show them by `printable`.

    Raises `OSError` when the port is in use or needs more rights.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        limits: Limits | None = None,
        on_capture: Callable[[ReceivedCapture], None] | None = None,
        on_device: Callable[[NewDevice], None] | None = None,
        on_refusal: Callable[[Refusal], None] | None = None,
        log: Callable[[str], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        limits = limits or Limits()
        self.received = 0
        """New captures since the start."""
        self.duplicates = 0
        """Captures since the start that had been stored before."""
        self.token = token
        self.body_max = limits.body_max
        self.log = log
        self._clock = clock or SystemClock()
        self._dataset = dataset
        self._before = dataset.count()
        self._on_capture = on_capture
        self._on_device = on_device
        self._on_refusal = on_refusal
        self._counting = Lock()
        self._thread: Thread | None = None
        self._is_serving = False
        self._server = Server((host, port), self)
        shown = f"[{host}]" if ":" in host else host
        self.port = int(self._server.server_address[1])
        self.url = f"http://{shown}:{self.port}{PATHS[0]}"
        browsed = reached_at(WebAddress(host=host, port=self.port), socket.gethostname())
        self.fleet_url = f"http://{browsed}{PAGE_PATH}"
        self._new_devices = NewDevices(
            limits.devices, limits.new_devices_per_hour, dataset.devices.count, self._clock
        )
        self._fleet = FleetView(
            dataset.directory,
            Disk(inside=dataset.directory),
            host=host,
            port=self.port,
            token=token,
            clock=self._clock,
            stopped_max=limits.stopped_max,
            refusal=lambda: self._new_devices.refusal,
        )

    @property
    def captures(self) -> int:
        """Captures in the dataset."""
        return self._before + self.received

    def start(self) -> None:
        """Serve in a thread until `stop`."""
        self._is_serving = True
        self._fleet.start()
        self._thread = Thread(target=self.serve_forever, name="receiver", daemon=True)
        self._thread.start()

    def serve_forever(self) -> None:
        """Serve in this thread until another one calls `stop`, or a signal handler raises."""
        self._is_serving = True
        try:
            self._server.serve_forever(poll_interval=0.05)
        finally:
            self._is_serving = False

    def stop(self) -> None:
        """End every connection, wait for captures that are being stored, free the port."""
        if self._is_serving:
            self._server.shutdown()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._server.end_connections()
        self._server.server_close()

    def store(
        self, record: Mapping[str, Any], record_json: bytes, image: bytes, clip: bytes
    ) -> bool:
        """Store one capture, count it and tell it; True when it is new. Raises as `Dataset`."""
        is_new = self._dataset.store(record_json, image, clip)
        self._fleet.arrived(record, is_new=is_new)
        with self._counting:
            self.received += is_new
            self.duplicates += not is_new
            if self._on_capture is not None:
                device, camera, lane = (
                    str(record.get(name, "")) for name in ("device", "camera", "lane")
                )
                size = len(image) + len(clip)
                kinds = tuple(str(line["verdict"]) for line in verdicts_of(record))
                identity = str(record.get("id"))
                self._on_capture(
                    ReceivedCapture(identity, size, is_new, device, camera, lane, kinds)
                )
        return is_new

    def store_status(self, device: str, status: bytes, address: str) -> bool:
        """Store the status of a device; tell its first one.

        Raises as `DeviceFolder.receive`, and `DeviceNotAdmitted`.
        """
        is_new = self._dataset.devices.receive(
            device,
            status,
            received_at=timestamp(self._clock.wall()),
            received_from=address,
            admitted=self._new_devices.admitted,
        )
        self._fleet.changed()
        if is_new and self._on_device is not None:
            version = checked_status(status)["version"] or ""
            with self._counting:
                self._on_device(NewDevice(address, device, version))
        return is_new

    def view_refusal(self, method: str, target: str, headers: Headers) -> ViewRefusal | None:
        """Return why the fleet view is not shown; None if it may be."""
        return self._fleet.refusal(method, target, headers)

    def view(self, path: str, accepted: str) -> View:
        """Return the fleet view at one of its paths. Raises `OSError`."""
        return self._fleet.answer(path, accepted)

    def refused(self, address: str, status: int, reason: str) -> None:
        """Tell that a request was refused."""
        if self._on_refusal is not None:
            with self._counting:
                self._on_refusal(Refusal(address, status, reason))
