"""Metrics for Prometheus: a text file for the node exporter's textfile collector.

No socket is opened; access to the metrics is access to the file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.logs import Log
from agent.ports import Clock
from agent.runtime.mailbox import FrameCounts, Mailbox
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.spool.spool import Spool
from agent.spool.types import MoveReason, evicted_by_reason

METRICS_S = 15.0
"""Time between two files, in seconds: as often as Prometheus usually asks."""

WRITE_S = 10.0
"""How long a write may take, in seconds, before it is reported: a dead mount never returns."""

Publish = Callable[[Path, bytes], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """The daemon at one moment."""

    frames: FrameCounts  # since the start, as all that is counted here and not on disk
    analysed: int
    captured: Mapping[str, int]  # by rule
    counts: Mapping[str, int]  # of the spool, since it was made
    waiting: int
    in_flight: int
    occupied: int  # bytes
    credits_left: float | None  # None without a budget
    flowing: bool | None  # None without an endpoint


class Metrics:
    """Write the file every `METRICS_S` if a metric has changed, and at the end of a run.

    Its steps run in a thread of their own, for a write to a dead mount does not return; `watch`
    reports that from another thread.
    """

    def __init__(
        self,
        path: Path,
        mailbox: Mailbox,
        stats: Stats,
        spool: Spool,
        uploader: Uploader | None,
        *,
        publish: Publish,
        clock: Clock,
        log: Log,
    ) -> None:
        """`publish` puts a whole file in place; it may raise `OSError`."""
        self._path = path
        self._mailbox = mailbox
        self._stats = stats
        self._spool = spool
        self._uploader = uploader
        self._publish = publish
        self._clock = clock
        self._log = log
        self._written = ""
        self._refused = False
        self._writing_since: float | None = None

    def step(self) -> float:
        """Write the file if it changes; a failure is logged once and retried."""
        self._write()
        return METRICS_S

    def close(self) -> None:
        """Write what is true at the end of the run."""
        self._write()

    def watch(self, now: float) -> None:
        """Report once that a write does not end; `now` is monotonic."""
        since = self._writing_since
        if since is not None and now - since > WRITE_S:
            self._refuse(f"a write has not ended for {WRITE_S:.0f} s")

    def _write(self) -> None:
        text = exposition(self._figures())
        if text == self._written:
            return
        self._writing_since = self._clock.monotonic()
        try:
            self._publish(self._path, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._refuse(str(error))
            return
        finally:
            self._writing_since = None
        if self._refused:
            self._log.warning("metrics available", file=str(self._path))
        self._written, self._refused = text, False

    def _refuse(self, error: str) -> None:
        if not self._refused:
            self._log.warning("metrics unavailable", file=str(self._path), error=error)
        self._refused = True

    def _figures(self) -> Figures:
        total = self._stats.total()
        return Figures(
            frames=self._mailbox.counts(),
            analysed=total["analysed"],
            captured={
                name.removeprefix("captured/"): count
                for name, count in sorted(total.items())
                if name.startswith("captured/")
            },
            counts=self._spool.counts(),
            waiting=self._spool.waiting(),
            in_flight=self._spool.in_flight(),
            occupied=self._spool.occupied(),
            credits_left=self._spool.report().get("credits_left"),
            flowing=None if self._uploader is None else self._uploader.condition == "flowing",
        )


def exposition(figures: Figures) -> str:
    """The figures in Prometheus' text format, version 0.0.4."""
    counts = figures.counts
    evicted = dict(sorted(evicted_by_reason(counts).items()))
    families: list[tuple[str, str, str, Mapping[str, float]]] = [
        ("frames_read_total", "counter", "Frames read from cameras.", {"": figures.frames.offered}),
        (
            "frames_dropped_total",
            "counter",
            "Frames that a newer one replaced before they were analysed.",
            {"": figures.frames.dropped},
        ),
        (
            "frames_analysed_total",
            "counter",
            "Frames analysed by the model.",
            {"": figures.analysed},
        ),
        (
            "rule_captures_total",
            "counter",
            "Captures that each rule asked for; a capture counts for each of its rules.",
            _labelled("rule", figures.captured),
        ),
        *(
            (f"captures_{name}_total", "counter", help_text, {"": counts.get(name, 0)})
            for name, help_text in (
                ("stored", "Captures that were safe on disk."),
                ("delivered", "Captures that the endpoint confirmed."),
                (MoveReason.REJECTED, "Captures that the endpoint refused for good."),
                (MoveReason.DAMAGED, "Captures that did not match their checksum."),
            )
        ),
        (
            "captures_evicted_total",
            "counter",
            "Captures evicted by a limit.",
            _labelled("reason", evicted),
        ),
        ("captures_waiting", "gauge", "Captures on disk.", {"": figures.waiting}),
        ("captures_in_flight", "gauge", "Captures being sent.", {"": figures.in_flight}),
        ("spool_bytes", "gauge", "Bytes of the spool on disk.", {"": figures.occupied}),
    ]
    if figures.credits_left is not None:
        left = {"": figures.credits_left}
        families.append(("credits_left", "gauge", "Uploads that may be spent now.", left))
    if figures.flowing is not None:
        text = "1 while deliveries succeed, 0 while they are delayed or blocked."
        families.append(("upload_flowing", "gauge", text, {"": int(figures.flowing)}))
    lines = []
    for name, kind, text, samples in families:
        lines += [f"# HELP capture_agent_{name} {text}", f"# TYPE capture_agent_{name} {kind}"]
        lines += [
            f"capture_agent_{name}{labels} {_number(value)}" for labels, value in samples.items()
        ]
    return "\n".join(lines) + "\n"


def _labelled(label: str, counts: Mapping[str, int]) -> dict[str, float]:
    return {f'{{{label}="{name}"}}': count for name, count in counts.items()}


def _number(value: float) -> str:
    """Every digit of a count: `%g` would round a million frames."""
    return str(value) if isinstance(value, int) else repr(round(value, 3))
