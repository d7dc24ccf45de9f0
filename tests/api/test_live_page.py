"""The live page, the images, and both streams, over a real server."""

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from http.client import HTTPResponse
from typing import Any

import pytest

from agent.api import live_feed
from agent.api.detection_feed import DetectionFeed
from agent.api.live_feed import STATUS_FACTS, LiveFeed
from agent.api.live_page import page_files
from agent.domain import Box, Detection, Observation
from agent.errors import RefusalKind, RequestRefused
from agent.runtime.analysed_frames import DescribedFrames
from agent.runtime.application import Application, LiveImage
from agent.selection.rule_words import rule_words
from agent.selection.rules import RULE_NAMES
from agent.web.client_queue import QUEUED
from agent.web.limits import LIMITS
from agent.web.page_files import media_type
from agent.web.recently import Recently
from tests.fakes.api import Serve, patient
from tests.fakes.captures import frame, observation
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import MAKER, wait_until

CAR = Detection("car", 0, 0.9, Box(0, 0, 2, 2))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


FORBIDDEN = ("innerHTML", "outerHTML", "insertAdjacent", "document.write", " style=", "<style")
"""What makes text from outside HTML, or what the policy forbids."""


class OneImage:
    """The newest image, which is always the same."""

    asked: list[tuple[bool, int]]

    def __init__(self) -> None:
        self.asked = []

    def tag(self, camera: str, *, boxes: bool, size: int) -> str:
        if camera != "gate":
            raise RequestRefused(RefusalKind.UNKNOWN, "cannot show camera 'x': no such camera")
        return f"run-7-{boxes}-{size}"

    def newest(self, camera: str, *, boxes: bool, size: int = 1920) -> LiveImage:
        self.asked.append((boxes, size))
        record = {
            "detections": [{"label": "Äpfel\n<b>", "confidence": 0.9}],
            "thresholds": {"default": 0.5, "labels": {}},
        }
        tag = self.tag(camera, boxes=boxes, size=size)
        return LiveImage(b"jpeg", record, "2026-01-01T00:00:00.000Z", 1.26, "lost: ä", 7, tag)


class CountedFrames(DescribedFrames):
    """Counts how often a frame is described, and whether with its shapes."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.written: list[bool] = []

    def facts(self, observation: Observation, *, shapes: bool) -> Mapping[str, Any]:
        self.written.append(shapes)
        return super().facts(observation, shapes=shapes)


def with_frames(application: Application) -> Application:
    return replace(application, frames=DescribedFrames(application.events.analysed, MAKER))


def next_event(stream: HTTPResponse) -> dict[str, Any]:
    """Return the data of the next event, and `id` where there is one."""
    found: dict[str, Any] = {}
    while line := stream.readline().decode():
        line = line.rstrip("\n")
        if line.startswith("data: "):
            return {**json.loads(line.removeprefix("data: ")), **found}
        if line.startswith("id: "):
            found["id"] = int(line.removeprefix("id: "))
    raise AssertionError("the stream has ended")


def wait_for_head(stream: HTTPResponse) -> None:
    """Read until the stream is open: events are sent from then on."""
    while (line := stream.readline()) != b"retry: 2000\n":
        assert line, "the stream has ended"


def test_the_page_loads_nothing_from_elsewhere_and_has_no_inline_script(
    application: Application, serve: Serve
) -> None:
    served = serve(application)
    page = served.tcp.get("/")

    assert page.status == 200
    assert page.headers["Content-Security-Policy"] == POLICY
    assert "gate" in page.body.decode()
    assert page_files().static.keys() >= {"base.css", "elements.js", "live.js", "icon.svg"}
    for name in page_files().static:
        file = served.tcp.get(f"/page/{name}")
        assert file.headers["Content-Type"].startswith(media_type(name))
        assert file.headers["Content-Security-Policy"] == POLICY
        cached = served.tcp.get(f"/page/{name}", {"If-None-Match": file.headers["ETag"]})
        assert (cached.status, cached.body) == (304, b"")
    for text in (page.body, *page_files().static.values()):
        plain = text.decode().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in plain
        assert [word for word in FORBIDDEN if word in plain] == []
    assert "<script>" not in page.body.decode()
    assert "onclick" not in page.body.decode()


def test_names_are_text_on_the_page() -> None:
    text = page_files().template.render(
        device="<img src=x onerror=alert(1)>", version="&", cameras=['"><script>'], tag="t"
    )

    assert "<img src=x" not in text
    assert '"><script>' not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_an_image_tells_its_moment_and_is_not_sent_twice(
    application: Application, serve: Serve
) -> None:
    images = OneImage()
    served = serve(replace(application, images=images))
    found = served.tcp.get("/v1/cameras/gate/latest.jpg?boxes=1&size=640")

    assert (found.status, found.body) == (200, b"jpeg")
    assert found.headers["Content-Type"] == "image/jpeg"
    assert found.headers["Cache-Control"] == "no-store"
    assert found.headers["Capture-Agent-Captured-At"] == "2026-01-01T00:00:00.000Z"
    assert found.headers["Capture-Agent-Age"] == "1.3"
    assert found.headers["Capture-Agent-Sequence"] == "7"
    assert json.loads(found.headers["Capture-Agent-Seen"]) == "Äpfel\\n<b> 0.90"
    assert json.loads(found.headers["Capture-Agent-Error"]) == "lost: ä"
    same = {"If-None-Match": found.headers["ETag"]}
    again = served.tcp.get("/v1/cameras/gate/latest.jpg?boxes=1&size=640", same)
    assert (again.status, again.body) == (304, b"")
    assert images.asked == [(True, 640)]
    assert served.tcp.get("/v1/cameras/gate/latest.jpg", same).status == 200


REFUSED = {
    "/v1/cameras/gat/latest.jpg": (404, "no such camera"),
    "/v1/cameras/gate/latest.jpg?boxes=yes": (400, "boxes=yes: allowed are 0 and 1"),
    "/v1/cameras/gate/latest.jpg?size=0": (400, "size=0: it must be from 1 to 1920"),
    "/v1/cameras/gate/latest.jpg?size=%D9%A3": (400, "it must be from 1 to 1920"),
    "/v1/cameras/gate/latest.jpg?size=99999999999": (400, "it must be from 1 to 1920"),
    "/v1/detections?camera=gat": (404, "'gat': there is no such camera; the cameras are gate"),
    "/v1/detections?camera=gate&shapes=2": (400, "shapes=2: allowed are 0 and 1"),
    "/v1/detections?cameras=gate": (400, "cameras=: it is unknown; allowed are camera and shapes"),
}


def test_a_refusal_is_json(application: Application, serve: Serve) -> None:
    served = serve(with_frames(replace(application, images=OneImage())))
    for path, (status, error) in REFUSED.items():
        found = served.tcp.get(path)
        assert (path, found.status) == (path, status)
        assert error in found.error


def test_each_frame_is_one_event_that_is_written_once_for_all(
    application: Application, serve: Serve
) -> None:
    analysed = application.events.analysed
    frames = CountedFrames(analysed, MAKER)
    served = serve(replace(application, frames=frames))
    analysed.tell(observation(1.0, 0.9))
    assert not analysed
    with (
        served.tcp.stream("/v1/detections") as one,
        served.unix.stream("/v1/detections?camera=gate&shapes=1") as two,
        served.unix.stream("/v1/detections?camera=gate&camera=gate") as three,
    ):
        for stream in (one, two, three):
            wait_for_head(stream)
        assert analysed
        analysed.tell(Observation(frame(2.0, sequence=5), (CAR,)))
        analysed.tell(Observation(frame(camera="other"), ()))
        analysed.tell(Observation(frame(3.0, sequence=6), ()))
        first = next_event(one)
        assert (first["camera"], first["sequence"], first["id"]) == ("gate", 5, 5)
        assert first["detections"][0]["label"] == "car"
        assert first["missed"] == 0
        for stream in (two, three):
            assert next_event(stream)["id"] == 5
        assert [next_event(stream)["id"] for stream in (one, two, three)] == [6, 6, 6]
    assert sorted(frames.written) == [False, False, True, True]
    wait_until(lambda: not analysed)


def test_a_client_that_does_not_read_loses_the_oldest_events_and_delays_nobody(
    application: Application, serve: Serve
) -> None:
    """Another client misses nothing, and this one is told how many it has lost."""
    application = with_frames(application)
    served = serve(application, limits=replace(patient(LIMITS), cpu_share=1000.0))
    many = (CAR,) * 200
    total = 200
    with (
        served.unix.stream("/v1/detections") as slow,
        served.unix.stream("/v1/detections") as quick,
    ):
        for stream in (slow, quick):
            wait_for_head(stream)
        for sequence in range(total):
            application.events.analysed.tell(Observation(frame(sequence=sequence), many))
            event = next_event(quick)
            assert (event["id"], event["missed"]) == (sequence, 0)
        ids: list[int] = []
        while not ids or ids[-1] != total - 1:
            event = next_event(slow)
            ids.append(event["id"])
    assert event["missed"] == total - len(ids)
    assert event["missed"] > 0
    assert ids == sorted(ids)
    assert ids[-QUEUED:] == list(range(total - QUEUED, total))


def test_the_pipeline_is_never_held_by_the_event_loop(application: Application) -> None:
    """Frames that arrive while the loop does not run are dropped, the oldest first."""
    frames = DescribedFrames(application.events.analysed, MAKER)

    async def told() -> list[str]:
        events = DetectionFeed(frames).events(["gate"], shapes=False)
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)

        def tell() -> None:
            for sequence in range(QUEUED + 5):
                application.events.analysed.tell(Observation(frame(sequence=sequence), ()))

        pipeline = threading.Thread(target=tell)
        pipeline.start()
        pipeline.join()  # the loop stands still meanwhile
        first = await waiting
        await events.aclose()
        return first.splitlines()

    name, data = asyncio.run(told())[:2]

    assert name == "id: 5"
    assert json.loads(data.removeprefix("data: "))["missed"] == 5


def test_the_facts_of_the_page_are_computed_once_for_all_and_only_while_somebody_looks() -> None:
    asked: list[int] = []

    def facts() -> dict[str, int]:
        asked.append(len(asked))
        return {"n": asked[-1]}

    async def watch() -> list[str]:
        feed = LiveFeed(facts, period=0.0)
        assert asked == []
        one, two = feed.events(), feed.events()
        await asyncio.gather(anext(one), anext(two))
        both = await asyncio.gather(anext(one), anext(two))
        await one.aclose()
        await two.aclose()
        assert feed._task is not None
        await feed._task
        count = len(asked)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(asked) == count
        return list(both)

    one, two = asyncio.run(watch())

    assert one == two
    assert one.startswith('data: {"n":')


def test_a_disk_that_hangs_does_not_hide_the_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it told before stays; the rest goes on."""
    disk = threading.Event()
    answers = [dict.fromkeys(STATUS_FACTS, 1)]
    monkeypatch.setattr(live_feed, "_DISK_S", LIMIT_S)  # the first answer comes in time

    def status() -> dict[str, int]:
        if not answers:
            disk.wait(60)
        monkeypatch.setattr(live_feed, "_DISK_S", 0.05)
        return answers.pop() if answers else dict.fromkeys(STATUS_FACTS, 2)

    async def watch() -> list[str]:
        known = Recently[Mapping[str, Any]](status, 0.0, lambda: 1.0)
        events = LiveFeed(lambda: {"cameras": []}, known, period=0.0).events()
        await anext(events)
        seen = [await anext(events), await anext(events)]
        await events.aclose()
        disk.set()
        return seen

    for text in asyncio.run(watch()):
        facts = json.loads(text.removeprefix("data: "))
        assert (facts["waiting"], facts["cameras"]) == (1, [])


def test_the_page_is_told_of_the_daemon(application: Application, serve: Serve) -> None:
    served = serve(application)
    with served.tcp.stream("/v1/live") as stream:
        facts = next_event(stream)

    assert facts["page"] == page_files().tag
    assert facts["device"] == "device"
    assert [camera["name"] for camera in facts["cameras"]] == ["gate"]
    assert facts["captures"] == []


def test_each_rule_has_a_sentence() -> None:
    for name in RULE_NAMES:
        assert " " in rule_words(name)
    assert rule_words("some_rule") == "some rule"
