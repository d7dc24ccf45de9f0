"""The fleet view of the receiver: for whom it is, and what it shows while heartbeats come."""

import gzip
import http.client
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.dataset.folder import Dataset
from agent.files import Disk
from agent.receiver.receiver import Receiver
from agent.system import SystemClock
from tests.fakes.captures import stored_capture
from tests.fakes.clock import WALL, ManualClock
from tests.fakes.fleet import DAY, status_fields
from tests.receiver.test_receiver import TOKEN, ask, form
from tests.runtime.runtime_builders import wait_until

BASIC = {"Authorization": f"Basic {b64encode(f'anybody:{TOKEN}'.encode()).decode()}"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def serving(directory: Path, clock: ManualClock | None = None, **more: Any) -> Receiver:
    made = Receiver(Dataset(directory, Disk(inside=directory)), clock=clock, **more)
    made.start()
    return made


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = serving(tmp_path, token=TOKEN)
    yield made
    made.stop()


@pytest.fixture
def open_receiver(tmp_path: Path) -> Iterator[Receiver]:
    """Without a token."""
    made = serving(tmp_path)
    yield made
    made.stop()


def get(
    receiver: Receiver, path: str, headers: dict[str, str]
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def put(receiver: Receiver, device: str, **changes: Any) -> int:
    body = json.dumps(status_fields(device, SystemClock().wall(), **changes)).encode()
    return ask(receiver, "PUT", f"/devices/{device}", body)[0]


def shown(receiver: Receiver) -> dict[str, Any]:
    status, body, _ = get(receiver, "/devices", BEARER)
    assert status == 200
    facts: dict[str, Any] = json.loads(body)
    return facts


def test_a_heartbeat_is_in_the_page_and_in_the_json(receiver: Receiver) -> None:
    assert put(receiver, "gate-07") == 201

    status, page, headers = get(receiver, "/fleet", BASIC)
    facts = shown(receiver)

    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<b>gate-07</b>" in page
    assert [each["device"] for each in facts["devices"]] == ["gate-07"]
    assert facts["devices"][0]["condition"] == "well"


def test_what_came_since_the_last_look_is_shown_at_once(tmp_path: Path) -> None:
    """No time passes here, so that nothing that the view keeps is too old."""
    receiver = serving(tmp_path, ManualClock(), token=TOKEN)
    try:
        for number in range(3):
            assert len(shown(receiver)["devices"]) == number
            put(receiver, f"gate-{number}")
    finally:
        receiver.stop()


def test_a_browser_stores_nothing_and_no_page_frames_it(receiver: Receiver) -> None:
    headers = get(receiver, "/fleet", BASIC)[2]

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_is_compressed_for_who_reads_that(receiver: Receiver) -> None:
    put(receiver, "gate-07")

    _, body, headers = get(receiver, "/fleet", BASIC | {"Accept-Encoding": "gzip, br"})

    assert headers["Content-Encoding"] == "gzip"
    assert b"gate-07" in gzip.decompress(body)


@pytest.mark.parametrize("path", ["/fleet", "/devices"])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer no"}, {"Authorization": "Basic bm86bm8="}]
)
def test_without_the_token_a_browser_is_asked_for_it(
    receiver: Receiver, path: str, headers: dict[str, str]
) -> None:
    put(receiver, "gate-07")

    status, body, answered = get(receiver, path, headers)

    assert status == 401
    assert answered["WWW-Authenticate"].startswith("Basic ")
    assert b"gate-07" not in body


@pytest.mark.parametrize("path", ["/fleet", "/devices"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebind.example"}, 421),
        ({"Host": "rebind.example:{port}"}, 421),
        ({"Host": "localhost:{port}"}, 200),
        ({"Origin": "https://other.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_no_page_of_another_site_reads_it(
    open_receiver: Receiver, path: str, headers: dict[str, str], status: int
) -> None:
    """Without a token too: the person's browser reaches loopback, and so would any page in it."""
    given = {name: text.format(port=open_receiver.port) for name, text in headers.items()}

    assert get(open_receiver, path, given)[0] == status


def test_a_link_leads_to_the_page_and_not_to_the_json(open_receiver: Receiver) -> None:
    followed = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }

    assert get(open_receiver, "/fleet", followed)[0] == 200
    assert get(open_receiver, "/devices", followed)[0] == 403


def test_what_a_browser_knows_stores_no_capture_and_no_status(receiver: Receiver) -> None:
    """A form of another site would carry the password that the browser remembers."""
    body, headers = form(stored_capture(1))
    status = json.dumps(status_fields("gate-07")).encode()

    assert ask(receiver, body=body, headers=headers | BASIC)[0] == 401
    assert ask(receiver, "PUT", "/devices/gate-07", status, BASIC)[0] == 401
    assert ask(receiver, "DELETE", "/fleet")[0] == 405
    assert shown(receiver)["devices"] == []


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site"])
def test_a_web_page_stores_nothing_without_a_token_either(
    open_receiver: Receiver, name: str
) -> None:
    """A form needs no leave of the receiver, and a rebound name makes a page one of its own."""
    body, headers = form(stored_capture(1))
    status = json.dumps(status_fields("gate-07")).encode()
    of_page = {name: "null"}

    assert ask(open_receiver, body=body, headers=headers | of_page)[0] == 403
    assert ask(open_receiver, "PUT", "/devices/gate-07", status, of_page)[0] == 403
    assert open_receiver.captures == 0
    assert shown(open_receiver)["devices"] == []


def test_captures_of_a_device_are_counted_since_the_start(receiver: Receiver) -> None:
    body, headers = form(stored_capture(1))
    device = stored_capture(1).record["device"]
    put(receiver, "another")

    for _ in range(2):
        ask(receiver, body=body, headers=headers)

    assert {e["device"]: (e["condition"], e["received"]) for e in shown(receiver)["devices"]} == {
        device: ("no heartbeat", 1),
        "another": ("well", 0),
    }


def test_captures_that_were_there_before_name_their_devices(tmp_path: Path) -> None:
    capture = stored_capture(1)
    Dataset(tmp_path, Disk(inside=tmp_path)).store(capture.record_json, capture.image)
    clock = ManualClock()
    receiver = serving(tmp_path, clock, token=TOKEN)
    try:

        def devices() -> list[str]:
            clock.now += 2
            return [each["device"] for each in shown(receiver)["devices"]]

        wait_until(devices)  # they are read in a thread
        assert devices() == [capture.record["device"]]
    finally:
        receiver.stop()


def test_time_without_the_receiver_is_no_silence_of_the_devices(tmp_path: Path) -> None:
    clock = ManualClock()
    first = serving(tmp_path, clock, token=TOKEN)
    ask(first, "PUT", "/devices/gate", json.dumps(status_fields("gate", clock.wall())).encode())
    first.stop()
    clock.now += 3 * DAY
    again = serving(tmp_path, clock, token=TOKEN)
    try:
        clock.now += 600
        soon = shown(again)["devices"][0]
        clock.now += 3600
        later = shown(again)["devices"][0]
    finally:
        again.stop()

    assert (soon["condition"], later["condition"]) == ("well", "silent")
    assert later["last_seen_s"] > 3 * DAY
    assert clock.wall() > WALL


def test_a_folder_that_cannot_be_read_is_said(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "devices").symlink_to(tmp_path.parent)

    status, body, _ = get(receiver, "/fleet", BASIC)

    assert status == 503
    assert b"cannot read the devices" in body
