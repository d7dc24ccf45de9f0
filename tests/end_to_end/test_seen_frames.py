"""The frame that a person saw is the one that is stored: each frame shows its number."""

import contextlib
import itertools
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import cv2
import pytest

from tests.browser.numbered_camera import HEIGHT, WIDTH, number_in_jpeg, numbered
from tests.camera.http_camera import HttpCamera, Page, multipart
from tests.end_to_end.command import Daemon, quick_model, until
from tests.fakes.api import ApiClient

PLAYED_FPS = 25


class TimedCamera:
    """An MJPEG stream of numbered frames that notes when it sent each."""

    def __init__(self, fps: float) -> None:
        self.sent: dict[int, float] = {}
        self._fps = fps
        self._stopping = threading.Event()
        self._server = HttpCamera({"/video": self._stream})
        self.url = self._server.url("/video")

    def stop(self) -> None:
        self._stopping.set()
        self._server.stop()

    def plays(self, frames: int) -> None:
        """Wait until so many further frames are sent."""
        before = len(self.sent)
        until(lambda: len(self.sent) > before + frames)

    def assert_shows(self, number: int | None, asked: tuple[float, float], record: Any) -> None:
        """Check that the frame is the one of a moment, which lies between two.

        A busy machine sends frames late, and takes them in late: by as much they may be off.
        """
        assert number is not None
        late = record["monotonic_ns"] / 1e9 - self.sent[number]
        near = [self.sent[n] for n in range(number - 25, number + 26) if n in self.sent]
        gap = max(after - before for before, after in itertools.pairwise(near))
        slack = late + gap + 0.1
        assert asked[0] - slack < self.sent[number] < asked[1] + slack

    def _stream(self, _: object) -> Page:
        kind = "multipart/x-mixed-replace; boundary=frame"
        return Page(kind=kind, parts=multipart(self._images()))

    def _images(self) -> Iterator[bytes]:
        began, first = time.monotonic(), len(self.sent)  # each connection has numbers of its own
        for number in range(first, 2**16):
            data = bytes(cv2.imencode(".jpg", numbered(number))[1])
            due = began + (number - first) / self._fps
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return
            self.sent[number] = time.monotonic()
            yield data


def recording(path: Path, seconds: float) -> Path:
    """Write a recording of numbered frames, `PLAYED_FPS` a second."""
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), code, PLAYED_FPS, (WIDTH, HEIGHT))
    for number in range(round(seconds * PLAYED_FPS)):
        writer.write(numbered(number))
    writer.release()
    return path


class Seen:
    """A daemon with an API, and what it stored."""

    def __init__(self, folder: Path, source: object, **settings: object) -> None:
        self.folder = folder
        self.settings = {
            "AGENT_CAMERAS": f"gate={source}",
            "AGENT_MODEL": quick_model(),
            "AGENT_API": f"unix:{folder}/api.sock",
            "AGENT_RANDOM_INTERVAL": "off",
            "AGENT_UPLOAD_URL": f"dir:{folder}/dataset",
        } | settings
        self.daemon = Daemon(folder, **self.settings)
        self.api = ApiClient(path=folder / "api.sock")
        until(self._has_a_frame, what=self.daemon.describe)

    def _has_a_frame(self) -> bool:
        with contextlib.suppress(OSError):  # it does not listen yet
            return self.api.get("/v1/cameras/gate/latest.jpg").status == 200
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.process.kill()
        self.daemon.process.wait()

    def post(self, call: str, **body: object) -> Any:
        response = self.api.post(f"/v1/{call}", body)
        assert response.status == 202, response.body
        return response.json

    def state(self, name: str) -> Any:
        return self.api.get(f"/v1/captures/{name}").json

    def becomes(self, name: str, state: str) -> None:
        until(lambda: self.state(name)["state"] == state, what=lambda: str(self.state(name)))

    def number(self, name: str) -> int | None:
        """The number that a delivered image shows."""
        self.becomes(name, "delivered")
        return number_in_jpeg((self.folder / f"dataset/images/{name}.jpg").read_bytes())

    def record(self, name: str) -> Any:
        return json.loads((self.folder / f"dataset/records/{name}.json").read_text())


@pytest.fixture
def camera() -> Iterator[Callable[[float], TimedCamera]]:
    made: list[TimedCamera] = []

    def make(fps: float) -> TimedCamera:
        made.append(TimedCamera(fps))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.mark.slow
@pytest.mark.parametrize("fps", [5, 25])
def test_three_seconds_ago_is_what_the_camera_showed_three_seconds_ago(
    tmp_path: Path, camera: Callable[[float], TimedCamera], fps: int
) -> None:
    stream = camera(25)
    with Seen(tmp_path, stream.url, AGENT_FPS=fps) as seen:
        stream.plays(25 * 6)
        before = time.monotonic()
        name = seen.post("captures", camera="gate", at="-3s", note="seen")["id"]
        after = time.monotonic()
        number = seen.number(name)

    record = seen.record(name)
    stream.assert_shows(number, (before - 3 - 0.5 / fps, after - 3 + 0.5 / fps), record)
    assert (record["lane"], record["note"]) == ("requested", "seen")
    assert record["image"]["encoded_by"] == "camera"


@pytest.mark.slow
@pytest.mark.parametrize("fps", [5, 25])
@pytest.mark.parametrize("source", ["camera", "recording"])
def test_the_time_of_a_record_finds_exactly_its_frame(
    tmp_path: Path, camera: Callable[[float], TimedCamera], source: str, fps: int
) -> None:
    played = camera(25).url if source == "camera" else recording(tmp_path / "clip.avi", 30)
    with Seen(tmp_path, played, AGENT_FPS=fps, AGENT_EVERY_NTH_FRAME=3 * fps) as seen:
        seen.daemon.wait_for("frame captured", 3)
        known = seen.api.get("/v1/captures").json["captures"]
        shown = next(each for each in known if each["lane"] == "interval")
        wrong = seen.post(
            "verdicts", camera="gate", at=shown["captured_at"], verdict="wrong", by="Ann"
        )
        assert wrong["moment"] == shown["captured_at"]
        numbers = seen.number(shown["id"]), seen.number(wrong["id"])

    assert numbers[0] is not None
    assert numbers[0] == numbers[1]
    record = seen.record(wrong["id"])
    [about] = [each for each in record["verdicts"] if each["id"] == wrong["id"]]
    assert about["of"] == shown["id"]
    assert record["lane"] == "verdict"
    assert record["image"]["encoded_by"] == ("camera" if source == "camera" else "agent")


@pytest.mark.slow
def test_what_was_captured_in_the_clip_of_a_capture_has_its_own_clip(
    tmp_path: Path, camera: Callable[[float], TimedCamera]
) -> None:
    """If the computer stands still in a clip, it is shorter: then others are asked for."""
    stream = camera(10)
    with Seen(tmp_path, stream.url, AGENT_FPS=5, AGENT_CLIP="2s 1s") as seen:

        def have_whole_clips() -> bool:
            stream.plays(70)
            ago = ("-4s", "-1s", "0s")
            names = [seen.post("captures", camera="gate", at=at)["id"] for at in ago]
            for name in names:
                folder = tmp_path / "dataset" / "clips" / name
                number = seen.number(name)
                assert number in {
                    number_in_jpeg(each.read_bytes()) for each in folder.glob("*.jpg")
                }
            clips = [seen.record(name)["clip"] for name in names]
            return all(
                (each["lead"], each["tail"]) == pytest.approx((2, 1), abs=0.5) for each in clips
            )

        assert any(have_whole_clips() for _ in range(4))


@pytest.mark.slow
def test_a_capture_and_a_verdict_that_wait_survive_a_kill(
    tmp_path: Path, camera: Callable[[float], TimedCamera]
) -> None:
    stream = camera(10)
    with Seen(tmp_path, stream.url, AGENT_UPLOAD_URL="") as seen:
        stream.plays(40)
        before = time.monotonic()
        wrong = seen.post("verdicts", camera="gate", at="-2s", verdict="missing", by="Ann")
        name = seen.post("captures", camera="gate", at="-1s")["id"]
        after = time.monotonic()
        for each in (wrong["id"], name):
            seen.becomes(each, "waiting")
        seen.daemon.process.send_signal(signal.SIGKILL)
        seen.daemon.process.wait()

    with Seen(tmp_path, stream.url) as again:
        again.daemon.wait_for("capture delivered", 2)
    for each, ago in ((wrong["id"], 2), (name, 1)):
        number = number_in_jpeg((tmp_path / f"dataset/images/{each}.jpg").read_bytes())
        stream.assert_shows(number, (before - ago - 0.1, after - ago + 0.1), again.record(each))
    assert again.record(wrong["id"])["verdicts"][0]["by"] == "Ann"


@pytest.mark.slow
def test_what_was_asked_for_before_a_stop_is_stored(
    tmp_path: Path, camera: Callable[[float], TimedCamera]
) -> None:
    stream = camera(10)
    with Seen(tmp_path, stream.url, AGENT_UPLOAD_URL="", AGENT_FPS=2) as seen:
        stream.plays(30)
        asked = [
            seen.post("captures", camera="gate", note="look")["id"],
            seen.post("verdicts", camera="gate", at="-1s", verdict="wrong")["id"],
        ]
        seen.post("verdicts", camera="gate", at="-1s", verdict="right")
        seen.daemon.signal(signal.SIGTERM)
        assert seen.daemon.ends() == 0, seen.daemon.text
        assert set(asked) <= seen.daemon.stored()
        assert seen.daemon.events("agent stopped")[0]["lost"] == 0

    with Seen(tmp_path, stream.url) as again:
        again.number(again.post("captures", camera="gate")["id"])  # facts travel with new captures
    lines = (tmp_path / "dataset" / "verdicts.jsonl").read_text("utf-8").splitlines()
    assert sorted(json.loads(line)["verdict"] for line in lines) == ["right", "wrong"]
