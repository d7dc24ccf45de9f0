"""A camera's own JPEG in what is delivered: the same bytes, without its metadata."""

import json
import signal
from pathlib import Path

import pytest

from tests.camera.mjpeg_server import jpeg
from tests.end_to_end.command import Daemon

POSITION = b"Exif\0\0 48.8584N 2.2945E"


def with_position(image: bytes) -> bytes:
    segment = b"\xff\xe1" + (len(POSITION) + 2).to_bytes(2) + POSITION
    return image[:2] + segment + image[2:]


@pytest.mark.slow
def test_the_camera_s_own_file_arrives_without_its_position(tmp_path: Path) -> None:
    images = [jpeg(number) for number in range(20)]
    folder = tmp_path / "camera"
    folder.mkdir()
    for number, image in enumerate(images):
        (folder / f"{number:02}.jpg").write_bytes(with_position(image))
    loop = f"while :; do for image in {folder}/*; do cat $image; sleep 0.1; done; done"
    with Daemon(
        tmp_path,
        AGENT_CAMERAS=f"line=exec:sh -c '{loop}'",
        AGENT_FPS=5,
        AGENT_EVERY_NTH_FRAME=2,
        AGENT_UPLOAD_URL=f"dir:{tmp_path}/dataset",
    ) as daemon:
        daemon.wait_for("capture delivered", 5)
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text

    records = list((tmp_path / "dataset/records").glob("*.json"))
    assert len(records) >= 5
    for path in records:
        record = json.loads(path.read_text())
        stored = (tmp_path / f"dataset/images/{record['id']}.jpg").read_bytes()
        assert record["image"]["encoded_by"] == "camera"
        assert stored in images
        assert record["image"]["bytes"] == len(stored)
