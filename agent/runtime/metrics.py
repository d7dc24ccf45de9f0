"""Metrics for Prometheus: a text file for the node exporter's textfile collector.

No socket is opened; access to the metrics is access to the file. The API serves the same text.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.logs import Log
from agent.ports import Clock
from agent.printable import printable
from agent.runtime.figures import CameraFigures, Figures, FigureSource
from agent.spool.types import MoveReason, evicted_by_reason

METRICS_S = 15.0
"""Time between two files, in seconds: as often as Prometheus usually asks."""

WRITE_S = 10.0
"""How long a write may take, in seconds, before it is reported: a dead mount never returns."""

Publish = Callable[[Path, bytes], None]


class Metrics:
    """Write the file every `METRICS_S` if a metric has changed, and at the end of a run.

    Its steps run in a thread of their own, for a write to a dead mount does not return; `watch`
    reports that from another thread.
    """

    def __init__(
        self,
        path: Path,
        source: FigureSource,
        *,
        publish: Publish,
        clock: Clock,
        log: Log,
    ) -> None:
        """`publish` puts a whole file in place; it may raise `OSError`."""
        self._path = path
        self._source = source
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
        try:
            text = exposition(self._source.figures())
            if text == self._written:
                return
            self._writing_since = self._clock.monotonic()
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


def exposition(figures: Figures, more: "Sequence[Family]" = ()) -> str:
    """The figures and `more` of them in Prometheus' text format, version 0.0.4."""
    counts = figures.counts
    evicted = dict(sorted(evicted_by_reason(counts).items()))
    families: list[Family] = [
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
            "frames_still_total",
            "counter",
            "Frames that were not analysed because nothing moved.",
            {"": figures.still},
        ),
        (
            "rule_captures_total",
            "counter",
            "Captures that each rule asked for; a capture counts for each of its rules.",
            labelled("rule", figures.captured),
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
            labelled("reason", evicted),
        ),
        ("captures_waiting", "gauge", "Captures on disk.", {"": figures.waiting}),
        ("captures_in_flight", "gauge", "Captures being sent.", {"": figures.in_flight}),
        ("spool_bytes", "gauge", "Bytes of the spool on disk.", {"": figures.occupied}),
    ]
    families += (
        _verdict_families(figures)
        + _affirmation_families(figures)
        + _clip_families(figures)
        + _camera_families(figures.cameras)
    )
    if figures.disk_free is not None:
        free, least = {"": figures.disk_free}, {"": figures.disk_min_free}
        families += [
            ("disk_free_bytes", "gauge", "Free on the file system of the spool.", free),
            ("disk_min_free_bytes", "gauge", "What must stay free of it.", least),
        ]
    if figures.info:
        refuses = {"": int(figures.disk_refuses)}
        names = {labels_of(figures.info): 1}
        families += [
            ("disk_refuses", "gauge", "1 while the disk refuses writes, else 0.", refuses),
            (
                "info",
                "gauge",
                "Always 1; its labels name the daemon.",
                names,
            ),
        ]
    if figures.credits_left is not None:
        left = {"": figures.credits_left}
        families.append(("credits_left", "gauge", "Uploads that may be spent now.", left))
    if figures.auto_credits_left is not None:
        left = {"": figures.auto_credits_left}
        text = "Auto labels that may be sent now."
        families.append(("auto_credits_left", "gauge", text, left))
    if figures.flowing is not None:
        text = "1 while deliveries succeed, 0 while they are delayed or blocked."
        families.append(("upload_flowing", "gauge", text, {"": int(figures.flowing)}))
    if figures.mqtt_connected is not None:
        text = "1 while there is a connection to the MQTT broker, else 0."
        families.append(("mqtt_connected", "gauge", text, {"": int(figures.mqtt_connected)}))
    if figures.heartbeat_sent is not None:
        text = "When the endpoint took the status of this device last, in seconds since 1970 UTC."
        sent = {"": round(figures.heartbeat_sent)}
        families.append(("heartbeat_last_timestamp_seconds", "gauge", text, sent))
    families += more
    lines = []
    for name, kind, text, samples in families:
        lines += [f"# HELP capture_agent_{name} {text}", f"# TYPE capture_agent_{name} {kind}"]
        lines += [
            f"capture_agent_{name}{labels} {_number(value)}" for labels, value in samples.items()
        ]
    return "\n".join(lines) + "\n"


Family = tuple[str, str, str, Mapping[str, float]]
"""Name, type, help, and the samples by their labels."""


def _verdict_families(figures: Figures) -> list[Family]:
    """Return the families of what people said; none before anybody said or missed anything."""
    families: list[Family] = []
    if figures.verdicts:
        text = "Verdicts that people gave."
        families.append(("verdicts_total", "counter", text, labelled("verdict", figures.verdicts)))
    if figures.verdicts or figures.facts_waiting:
        text = "Verdicts that no endpoint has confirmed; they travel with the next captures."
        families.append(("verdicts_waiting", "gauge", text, {"": figures.facts_waiting}))
    if figures.recent_frames_dropped:
        text = "Analysed frames of which nobody can ask for a capture: their encoding fell behind."
        dropped = {"": figures.recent_frames_dropped}
        families.append(("recent_frames_dropped_total", "counter", text, dropped))
    return families


def _affirmation_families(figures: Figures) -> list[Family]:
    if not figures.shown:
        return []
    return [
        (
            "predictions_shown_total",
            "counter",
            "Predictions of which an application said that a person saw them.",
            {"": figures.shown},
        ),
        (
            "affirmations_total",
            "counter",
            "Shown predictions that were drawn, and what became of them.",
            labelled("outcome", figures.affirmations),
        ),
    ]


def _clip_families(figures: Figures) -> list[Family]:
    if figures.clip_bytes is None:
        return []
    return [
        (
            "clip_ring_bytes",
            "gauge",
            "Bytes of encoded frames in memory that clips may need.",
            {"": figures.clip_bytes},
        ),
        (
            "clip_frames_dropped_total",
            "counter",
            "Analysed frames that clips have to do without.",
            {"": figures.clip_frames_dropped},
        ),
        (
            "clips_shortened_total",
            "counter",
            "Clips that begin later than AGENT_CLIP says, though it was analysed.",
            {"": figures.clips_shortened},
        ),
    ]


def _camera_families(cameras: Sequence[CameraFigures]) -> list[Family]:
    if not cameras:
        return []
    return [
        (
            "camera_live",
            "gauge",
            "1 while the camera gives frames, else 0.",
            labelled("camera", {each.name: int(each.is_live) for each in cameras}),
        ),
        (
            "camera_frames_read_total",
            "counter",
            "Frames read from each camera.",
            labelled("camera", {each.name: each.frames.offered for each in cameras}),
        ),
        (
            "camera_frames_dropped_total",
            "counter",
            "Frames of each camera that a newer one replaced before they were analysed.",
            labelled("camera", {each.name: each.frames.dropped for each in cameras}),
        ),
        (
            "camera_frames_analysed_total",
            "counter",
            "Frames of each camera that were analysed.",
            labelled("camera", {each.name: each.frames.taken - each.still for each in cameras}),
        ),
        (
            "camera_frames_still_total",
            "counter",
            "Frames of each camera that were not analysed because nothing moved.",
            labelled("camera", {each.name: each.still for each in cameras}),
        ),
        (
            "camera_last_frame_timestamp_seconds",
            "gauge",
            "When the latest frame of each camera was read, in seconds since 1970 UTC.",
            labelled(
                "camera",
                {each.name: each.last_frame for each in cameras if each.last_frame is not None},
            ),
        ),
        (
            "camera_image_quality",
            "gauge",
            "1 for the image quality that has lasted for 10 s.",
            {
                labels_of({"camera": each.name, "quality": each.quality}): 1
                for each in cameras
                if each.quality is not None
            },
        ),
    ]


def labelled(label: str, counts: Mapping[str, int]) -> dict[str, float]:
    """Return samples by the value of one label."""
    return {labels_of({label: name}): count for name, count in counts.items()}


def labels_of(values: Mapping[str, str]) -> str:
    """Labels of a sample; the format escapes backslash, quote and line end in values."""
    escaped = {
        name: printable(value).replace("\\", "\\\\").replace('"', '\\"')
        for name, value in values.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"


def _number(value: float) -> str:
    """Every digit of a count: `%g` would round a million frames."""
    return str(value) if isinstance(value, int) else repr(round(value, 3))
