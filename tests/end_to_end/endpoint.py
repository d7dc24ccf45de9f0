"""A real receiver that goes away and comes back under the same address."""

import json
from pathlib import Path
from typing import Any

from agent.dataset.folder import Dataset
from agent.files import Disk
from agent.receiver.receiver import Receiver
from tests.ports import free_port


class LocalEndpoint:
    """Listens on one port of loopback while it is up."""

    def __init__(self, directory: Path, *, token: str | None = None, up: bool = True) -> None:
        self.directory = directory
        self.new = 0  # captures that came for the first time
        self._token = token
        self._port = free_port()  # one that the system gives to nobody while this is down
        self._receiver: Receiver | None = None
        self.url = f"http://127.0.0.1:{self._port}/captures"
        if up:
            self.start()

    def stop(self) -> None:
        if self._receiver is not None:
            self._receiver.stop()
            self.new += self._receiver.received
            self._receiver = None

    close = stop

    def start(self) -> None:
        if self._receiver is None:
            dataset = Dataset(self.directory, Disk())
            self._receiver = Receiver(dataset, port=self._port, token=self._token)
            self._receiver.start()

    @property
    def records(self) -> dict[str, Any]:
        """All records by id."""
        files = self.directory.glob("records/*.json")
        return {file.stem: json.loads(file.read_text("utf-8")) for file in files}

    def image(self, identity: str) -> bytes:
        return (self.directory / "images" / f"{identity}.jpg").read_bytes()

    def label(self, identity: str) -> str:
        return (self.directory / "labels" / f"{identity}.txt").read_text("utf-8")
