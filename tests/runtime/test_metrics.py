"""The figures for Prometheus: whole, seldom, and never a reason to stop."""

import errno
import os
import re
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from agent.files import Disk
from agent.runtime.figures import CameraFigures, Figures, FigureSource
from agent.runtime.mailbox import FrameCounts
from agent.runtime.metrics import METRICS_S, WRITE_S, Metrics, Publish, exposition
from agent.spool.spool import Spool
from tests.fakes.captures import frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.whole_agent import HungCamera, WholeAgent

FIGURES = Figures(
    frames=FrameCounts(offered=12_345_678, dropped=2, taken=3),
    analysed=3,
    captured={"clash": 1, "low_confidence": 2},
    counts={"stored": 9, "delivered": 4, "evicted/budget": 1, "evicted/duplicate": 2},
    waiting=2,
    in_flight=1,
    occupied=4096,
    credits_left=1.5,
    flowing=True,
)


def test_the_broker_has_a_figure_where_there_is_one() -> None:
    with_broker = replace(FIGURES, mqtt_connected=False)

    assert "capture_agent_mqtt_connected 0" in exposition(with_broker).splitlines()
    assert "mqtt" not in exposition(FIGURES)


def test_the_figures_of_affirmations_are_there_once_something_was_shown() -> None:
    with_some = replace(FIGURES, shown=7, affirmations={"drawn": 2, "contradicted": 1})

    assert "shown" not in exposition(FIGURES)
    found = exposition(with_some).splitlines()
    assert "capture_agent_predictions_shown_total 7" in found
    assert 'capture_agent_affirmations_total{outcome="drawn"} 2' in found
    assert 'capture_agent_affirmations_total{outcome="contradicted"} 1' in found


def test_the_figures_of_verdicts_are_there_once_one_was_given() -> None:
    with_some = replace(
        FIGURES, verdicts={"right": 3, "wrong": 1}, recent_frames_dropped=2, facts_waiting=4
    )

    assert "verdict" not in exposition(FIGURES)
    assert "recent" not in exposition(FIGURES)
    found = exposition(with_some).splitlines()
    assert 'capture_agent_verdicts_total{verdict="wrong"} 1' in found
    assert "capture_agent_verdicts_waiting 4" in found
    assert "capture_agent_recent_frames_dropped_total 2" in found


def test_the_figures_of_clips_are_there_where_there_are_clips() -> None:
    with_clips = replace(FIGURES, clip_bytes=4096, clip_frames_dropped=3, clips_shortened=1)

    assert "clip" not in exposition(FIGURES)
    found = [line for line in exposition(with_clips).splitlines() if "_clip" in line]
    assert [line for line in found if not line.startswith("#")] == [
        "capture_agent_clip_ring_bytes 4096",
        "capture_agent_clip_frames_dropped_total 3",
        "capture_agent_clips_shortened_total 1",
    ]


def metrics_of(agent: WholeAgent, path: Path, log: Recorder, publish: Publish) -> Metrics:
    stages = agent.stages
    return Metrics(
        path,
        FigureSource(stages.mailbox, stages.stats, stages.spool, stages.uploader),
        publish=publish,
        clock=agent.clock,
        log=log.log,
    )


def test_each_family_has_its_help_its_type_and_its_unit() -> None:
    lines = exposition(FIGURES).splitlines()

    samples = [line for line in lines if not line.startswith("#")]
    for sample in samples:
        name = re.split("[{ ]", sample)[0]
        assert re.fullmatch("capture_agent_[a-z_]+", name)
        assert any(line.startswith(f"# HELP {name} ") and line.endswith(".") for line in lines)
        kind = "counter" if name.endswith("_total") else "gauge"
        assert f"# TYPE {name} {kind}" in lines
    assert "capture_agent_frames_read_total 12345678" in samples
    assert 'capture_agent_rule_captures_total{rule="low_confidence"} 2' in samples
    assert 'capture_agent_captures_evicted_total{reason="duplicate"} 2' in samples
    assert "capture_agent_spool_bytes 4096" in samples
    assert "capture_agent_credits_left 1.5" in samples
    assert "capture_agent_upload_flowing 1" in samples


def test_each_camera_the_disk_and_the_model_are_in_the_metrics() -> None:
    counts = FrameCounts(offered=10, dropped=4, taken=6)
    text = exposition(
        replace(
            FIGURES,
            cameras=(
                CameraFigures(
                    "gate", is_live=True, frames=counts, last_frame=5, quality="dark", still=2
                ),
                CameraFigures("yard", is_live=False, frames=counts, last_frame=None, quality=None),
            ),
            disk_free=100,
            disk_min_free=50,
            info={"device": 'a"\\b\n', "model": "nanodet"},
        )
    )

    samples = text.splitlines()
    assert {
        'capture_agent_camera_live{camera="gate"} 1',
        'capture_agent_camera_live{camera="yard"} 0',
        'capture_agent_camera_frames_read_total{camera="gate"} 10',
        'capture_agent_camera_frames_analysed_total{camera="gate"} 4',
        'capture_agent_camera_frames_still_total{camera="gate"} 2',
        'capture_agent_camera_last_frame_timestamp_seconds{camera="gate"} 5',
        'capture_agent_camera_image_quality{camera="gate",quality="dark"} 1',
        "capture_agent_disk_free_bytes 100",
        "capture_agent_disk_min_free_bytes 50",
        "capture_agent_disk_refuses 0",
        r'capture_agent_info{device="a\"\\b\\n",model="nanodet"} 1',
    } <= set(samples)
    assert not [line for line in samples if "yard" in line and "last_frame" in line]


def test_the_file_is_readable_by_others_and_written_only_when_changed(
    tmp_path: Path, spool: Spool, log: Recorder
) -> None:
    path, written = tmp_path / "agent.prom", []

    def publish(place: Path, data: bytes) -> None:
        Disk().publish(place, data)
        written.append(data)

    agent = WholeAgent(HungCamera(), spool, log, clock=ManualClock())
    metrics = metrics_of(agent, path, log, publish)
    assert metrics.step() == METRICS_S
    agent.stages.mailbox.put(frame(sequence=1))
    metrics.step()
    metrics.step()

    assert len(written) == 2
    assert b"capture_agent_frames_read_total 1\n" in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.glob("*.tmp")) == []


def test_the_end_of_a_run_is_written(tmp_path: Path, spool: Spool, log: Recorder) -> None:
    agent = WholeAgent(HungCamera(), spool, log, clock=ManualClock())
    metrics = metrics_of(agent, tmp_path / "agent.prom", log, Disk().publish)
    metrics.step()
    agent.stages.mailbox.put(frame(sequence=1))
    metrics.close()

    assert b"capture_agent_frames_read_total 1\n" in (tmp_path / "agent.prom").read_bytes()


def test_a_folder_that_refuses_is_said_once_and_tried_again(
    tmp_path: Path, spool: Spool, log: Recorder
) -> None:
    refusals, written = [1, 1], []

    def publish(_: Path, data: bytes) -> None:
        if refusals:
            refusals.pop()
            raise OSError(errno.EROFS, "Read-only file system")
        written.append(data)

    agent = WholeAgent(HungCamera(), spool, log, clock=ManualClock())
    metrics = metrics_of(agent, tmp_path / "agent.prom", log, publish)
    for _ in range(3):
        metrics.step()

    assert log.one("metrics unavailable")["error"].endswith("Read-only file system")
    assert log.one("metrics available")["file"] == str(tmp_path / "agent.prom")
    assert len(written) == 1


def test_a_write_that_does_not_end_is_said_by_another_thread(
    tmp_path: Path, spool: Spool, log: Recorder
) -> None:
    """A dead mount blocks the write for ever."""
    clock, begun, go_on = ManualClock(), Event(), Event()

    def publish(_: Path, __: bytes) -> None:
        begun.set()
        go_on.wait(60)

    agent = WholeAgent(HungCamera(), spool, log, clock=clock)
    metrics = metrics_of(agent, tmp_path / "agent.prom", log, publish)
    thread = Thread(target=metrics.step, daemon=True)
    thread.start()
    begun.wait(60)
    metrics.watch(clock.now + WRITE_S)
    assert "metrics unavailable" not in log.events
    for _ in range(2):
        metrics.watch(clock.now + WRITE_S + 1)

    assert log.one("metrics unavailable")["error"] == "a write has not ended for 10 s"
    go_on.set()
    thread.join(60)
    assert log.one("metrics available")


@pytest.mark.parametrize("is_read", [False, True])
def test_a_pipe_in_place_of_the_file_never_blocks(
    tmp_path: Path, spool: Spool, log: Recorder, *, is_read: bool
) -> None:
    path = tmp_path / "agent.prom"
    os.mkfifo(path)
    os.mkfifo(f"{path}.tmp")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if is_read else None
    agent = WholeAgent(HungCamera(), spool, log, clock=ManualClock())
    metrics = metrics_of(agent, path, log, Disk().publish)

    metrics.step()

    line = log.one("metrics unavailable")
    assert line["file"] == str(path)
    assert "it is not a regular file" in line["error"]
    path.unlink()
    metrics.step()
    assert b"capture_agent_captures_waiting 0\n" in path.read_bytes()
    if reader is not None:
        os.close(reader)
