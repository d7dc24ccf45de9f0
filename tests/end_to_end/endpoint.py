"""A real receiver that goes away and comes back under the same address."""

import json
from pathlib import Path
from typing import Any

from agent.dataset.folder import Dataset
from agent.files import Disk
from agent.receiver.receiver import Receiver


class LocalEndpoint:
    """Listens on one port of loopback while it is up."""

    def __init__(self, directory: Path, *, token: str | None = None, up: bool = True) -> None:
        self.directory = directory
        self.new = 0  # captures that came for the first time
        self._token = token
        self._receiver: Receiver | None = Receiver(Dataset(directory, Disk()), token=token)
        self.url = self._receiver.url
        self._port = self._receiver.port
        self._receiver.start()
        if not up:
            self.stop()

    def stop(self) -> None:
        if self._receiver is not None:
            self._receiver.stop()
            self.new += self._receiver.received
            self._receiver = None

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
