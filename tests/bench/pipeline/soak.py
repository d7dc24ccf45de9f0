"""Faults all the time: whether memory, file descriptors and threads stay flat."""

import contextlib
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from agent.cli.sample_clip import clip_pixels
from tests.bench.pipeline.daemon import Daemon
from tests.bench.pipeline.faulty_network import FaultyNetwork
from tests.bench.pipeline.plan import Plan
from tests.bench.pipeline.recordings import HD
from tests.bench.pipeline.table import Row

CAMERAS = 4
SAMPLE_S = 10.0
STOP_S = 60.0
WARM_SHARE = 0.2
"""Share of the time in which caches and the spool fill; it is left out of the slope."""


@dataclass(slots=True)
class Samples:
    """What was measured, by seconds since the daemon was ready."""

    seconds: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    open_files: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    facts: dict[str, int] = field(default_factory=dict)
    stopped_s: float | None = None  # how long the stop took; None if it did not come to its end

    def take(self, daemon: Daemon, seconds: float) -> None:
        """Measure once."""
        self.seconds.append(seconds)
        self.rss_mb.append(daemon.memory_mb())
        self.open_files.append(daemon.open_files())
        self.threads.append(daemon.threads())

    def warm(self, figures: list[float]) -> tuple[list[float], list[float]]:
        """Return times and figures after the warm-up."""
        first = int(WARM_SHARE * len(figures))
        return self.seconds[first:], figures[first:]

    def slope(self, figures: list[float]) -> float:
        """Return the change in an hour, as the median of all pairs (Theil and Sen)."""
        times, warm = self.warm(figures)
        slopes = [
            (warm[j] - warm[i]) / (times[j] - times[i]) * 3600
            for i in range(len(warm))
            for j in range(i + 1, len(warm))
        ]
        return median(slopes) if slopes else 0.0


def soak(plan: Plan) -> list[Row]:
    """Run the daemon at full speed among faults, and report how flat it stays."""
    samples = soaked(plan.minutes * 60)
    facts = ", ".join(f"{count} {name}" for name, count in samples.facts.items())
    rows = []
    for name, figures, unit in (
        ("largest resident set", samples.rss_mb, "MB"),
        ("most file descriptors", samples.open_files, ""),
        ("most threads", samples.threads, ""),
    ):
        change = f"{samples.slope(figures):+.1f} {unit}".strip()
        title = f"{name} in {plan.minutes:g} min at full speed with faults"
        rows.append(
            Row(title, unit, [max(figures)], other_name=f"{change} an hour", aim="flat", digits=0)
        )
    rows.append(Row("in these minutes", "", other_name=facts))
    stop = [] if samples.stopped_s is None else [samples.stopped_s]
    rows.append(Row("stop after these minutes", "s", stop, aim="at most 20 s"))
    return rows


def soaked(seconds: float) -> Samples:
    """Run the daemon among faults for so long, and return what was measured."""
    samples = Samples()
    phase = min(20.0, max(3.0, seconds / 20))
    every = min(SAMPLE_S, seconds / 30)
    with (
        TemporaryDirectory() as folder,
        FaultyNetwork(_images(), phase=phase) as network,
        Daemon(Path(folder), _settings(network, Path(folder))) as daemon,
    ):
        began = daemon.ready()
        while time.monotonic() - began < seconds and not daemon.has_ended:
            time.sleep(every)
            samples.take(daemon, time.monotonic() - began)
        asked = time.monotonic()
        daemon.stop()
        with contextlib.suppress(SystemExit):  # the samples are there all the same
            samples.stopped_s = daemon.event("agent stopped", wait=STOP_S) - asked
        if samples.stopped_s is None:
            daemon.dump_threads()
    events = [line["event"] for line in daemon.lines]
    samples.facts = {
        "frames analysed": daemon.sum_of("frames_analysed"),
        "captures stored": daemon.sum_of("stored"),
        "evicted": daemon.sum_of("evicted"),
        "cameras lost": events.count("camera lost"),
        "recovered": events.count("camera recovered"),
        "uploads delayed": events.count("upload delayed") + events.count("upload blocked"),
    }
    return samples


def _settings(network: FaultyNetwork, folder: Path) -> dict[str, str]:
    return {
        "AGENT_CAMERAS": " ".join(f"c{n}={network.address(str(n))}" for n in range(CAMERAS)),
        "AGENT_FPS": "0",
        "AGENT_CAMERA_STALL": "3s",
        "AGENT_UPLOAD_URL": network.address("captures"),
        "AGENT_UPLOAD_TIMEOUT": "5s",
        "AGENT_BUDGET_PER_DAY": "0",
        "AGENT_EVERY_NTH_FRAME": "10",
        "AGENT_CLIP": "3s 2s",
        "AGENT_SPOOL_MAX": "100MB",
        "AGENT_METRICS_FILE": str(folder / "agent.prom"),
    }


def _images() -> list[bytes]:
    """Return the drawn street as JPEG files of 720p."""
    images = []
    for pixels in islice(clip_pixels(), 0, 250, 5):
        large = np.asarray(cv2.resize(pixels, HD, interpolation=cv2.INTER_CUBIC))
        images.append(cv2.imencode(".jpg", large)[1].tobytes())
    return images
