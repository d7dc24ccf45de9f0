"""The real daemon with its API on loopback, a numbered camera and a real endpoint."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.browser.numbered_camera import StreamCamera, number_in_jpeg
from tests.detector.planted_models import METADATA, fixed_model, planted_rows
from tests.end_to_end.command import Daemon, until
from tests.end_to_end.endpoint import LocalEndpoint
from tests.ports import free_port

INPUT = 96  # pixels; a frame of 640x360 is scaled to 96x54 and has 21 rows of padding above
DOG = (15.0, 27.0, 39.0, 48.0)
"""A box in pixels of the model's input, above the squares that show the frame's number."""


def model(path: Path, labels: tuple[str, ...] = ("cat", "dog", "hen")) -> Path:
    """Write a model that finds one object of the second label in every frame, at 0.9."""
    rows = planted_rows([DOG], [[0.1, 0.9, 0.1]], cells=4)
    metadata = METADATA | {"names": repr(dict(enumerate(labels)))}
    return fixed_model(path, rows, size=(INPUT, INPUT), metadata=metadata)


class LiveDaemon:
    """Runs `capture-agent run`; `kill` and `start` restart it under the same address."""

    def __init__(
        self, folder: Path, *, cameras: Mapping[str, str | None] | None = None, **settings: object
    ) -> None:
        """Start it.

        Args:
            folder: For its spool, its log and the dataset.
            cameras: More than `gate`, by name; None for one that shows what `gate` shows.
            settings: Variables of the daemon.
        """
        self.folder = folder
        self.camera = StreamCamera()
        self.endpoint = LocalEndpoint(folder / "dataset")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        named = {"gate": None, **(cameras or {})}.items()
        self._settings: dict[str, object] = {
            "AGENT_API": f"127.0.0.1:{self.port}",
            "AGENT_CAMERAS": " ".join(f"{name}={url or self.camera.url}" for name, url in named),
            "AGENT_MODEL": model(folder / "dog.onnx"),
            "AGENT_RANDOM_INTERVAL": "off",
            "AGENT_RULES": "low_confidence",  # which the model gives no reason for
            "AGENT_UPLOAD_URL": self.endpoint.url,
            "AGENT_DEVICE_ID": "device-1",
        } | settings
        self.daemon: Daemon = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self.camera.stop()
        self.endpoint.stop()

    def kill(self) -> None:
        self.daemon.process.kill()
        self.daemon.process.wait()

    def start(self) -> None:
        """Start it again, with the same settings."""
        self.daemon = self._started()

    def get(self, path: str) -> Any:
        """Return the JSON of a call."""
        with urlopen(f"{self.url}{path}", timeout=60) as response:
            return json.load(response)

    def answered(self) -> Counter[str]:
        """Return how many responses of the API had each status, before this call."""
        with urlopen(f"{self.url}metrics", timeout=60) as response:
            families = text_string_to_metric_families(response.read().decode())
        counts: Counter[str] = Counter()
        for family in families:
            for sample in family.samples:
                if sample.name == "capture_agent_api_responses_total":
                    counts[sample.labels["status"]] += round(sample.value)
        return counts

    def post(self, path: str, body: object) -> Any:
        """Send JSON as an application does; return the JSON of the response."""
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.url}{path}", json.dumps(body).encode(), headers)
        with urlopen(request, timeout=60) as response:
            return json.load(response)

    def captured(self) -> list[Any]:
        """The log lines of the captures since its start."""
        return self.daemon.events("frame captured")

    def arrived(self, count: int = 1) -> list[Any]:
        """Return the records at the endpoint, as soon as there are `count`."""
        until(lambda: len(self.endpoint.records) >= count, what=self.daemon.describe)
        records = list(self.endpoint.records.values())
        assert len(records) == count, records
        return sorted(records, key=lambda record: str(record["id"]))

    def verdict_lines(self, count: int = 1) -> list[Any]:
        """Return the lines of the dataset's `verdicts.jsonl`, as soon as there are `count`."""
        path = self.folder / "dataset" / "verdicts.jsonl"

        def lines() -> list[str]:
            return path.read_text("utf-8").splitlines() if path.exists() else []

        until(lambda: len(lines()) >= count, what=self.daemon.describe)
        found = [json.loads(line) for line in lines()]
        assert len(found) == count, found
        return found

    def number_of(self, record: Any) -> int | None:
        """Return the number of the frame that arrived."""
        return number_in_jpeg(self.endpoint.image(record["id"]))

    def _started(self) -> Daemon:
        daemon = Daemon(self.folder, **self._settings)
        daemon.wait_for("api started")
        daemon.wait_for("camera opened")
        return daemon
