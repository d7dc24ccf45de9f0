"""A disk that fills up while the endpoint is away: the daemon keeps running and delivers later."""

import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from tests.end_to_end.command import Daemon, assert_law, call, quick_model, status
from tests.end_to_end.endpoint import LocalEndpoint
from tests.spool.small_file_system import mounted


def test_a_full_disk_is_said_once_and_drains_when_the_endpoint_is_back(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(up=False)
    folder = tmp_path / "noise"
    folder.mkdir()
    chance = np.random.default_rng(7)
    for number in range(30):  # of 0.5 to 1 MB each
        noise = chance.integers(0, 256, (480, 640 + 16 * number, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.jpg"), noise, [cv2.IMWRITE_JPEG_QUALITY, 100])
    settings = {
        "AGENT_CAMERAS": f"noise={folder} none=/dev/video63",  # one that never ends
        "AGENT_FPS": 0,
        "AGENT_MODEL": quick_model(),
        "AGENT_EVERY_NTH_FRAME": 1,
        "AGENT_JPEG_QUALITY": 100,
        "AGENT_UPLOAD_URL": receiver.url,
    }
    with mounted("tmpfs", tmp_path) as small:
        spool = {"AGENT_SPOOL_DIR": small.root / "spool", "AGENT_SPOOL_MIN_FREE": "0"}
        with Daemon(tmp_path, **settings, **spool) as daemon:
            full = daemon.wait_for("disk full")
            assert full["level"] == "warning"
            daemon.wait_for("capture evicted", 5)
            daemon.wait_for("camera ended")
            # At the brink it is full, has room for one, and is full again: that is one line.
            assert len(daemon.events("disk full")) == 1
            assert len(daemon.events("capture evicted")) >= 5
            assert daemon.events("spool unavailable") == []

            receiver.start()
            daemon.wait_for("capture delivered")
            daemon.signal(signal.SIGTERM)
            assert daemon.ends() == 0, daemon.text
            assert daemon.events("worker failed") == []
            [stopped] = daemon.events("agent stopped")
            assert stopped["lost"] == 0
            promised = daemon.stored()
            evicted = {line["capture"] for line in daemon.events("capture evicted")}
        flushed = call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url, **spool)
        assert flushed.returncode == 0, flushed.stderr
        facts = status(tmp_path, **spool)

    assert_law(facts)
    assert facts["waiting"] == 0
    assert facts["evicted"] == len(evicted)
    assert receiver.records.keys() == promised - evicted
