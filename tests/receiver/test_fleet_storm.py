"""A thousand devices at once, at a real receiver: none is lost, and a kill leaves no half file."""

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from agent.record.device_status import checked_status
from agent.system import SystemClock
from tests.fakes.fleet import status_fields
from tests.limits import LIMIT_S

pytestmark = pytest.mark.slow

DEVICES, KILLS = 1000, 5
THREADS = 32  # an address has 64 connections at most, and may have one that ends beside each
READER = "127.0.0.2"  # another sender


class RealReceiver:
    """`capture-agent receive` as a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "agent", "receive", "--dir", str(folder), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.search(r":(\d+)/captures", self.process.stdout.readline())
        assert found is not None
        self.port = int(found[1])

    def ask(self, method: str, path: str, body: bytes = b"", source: str = "") -> tuple[int, bytes]:
        address = (source, 0) if source else None
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=60, source_address=address
        )
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def put(self, number: int, waiting: int = 0) -> int:
        name = f"gate-{number:04}"
        fields = status_fields(name, SystemClock().wall(), waiting=waiting, since_boot_s=waiting)
        return self.ask("PUT", f"/devices/{name}", json.dumps(fields).encode())[0]

    def rows(self) -> dict[str, dict[str, Any]]:
        status, body = self.ask("GET", "/devices", source=READER)
        assert status == 200
        found = json.loads(body)
        assert found["problems"] == []
        return {each["device"]: each for each in found["devices"]}

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.communicate(timeout=LIMIT_S)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[RealReceiver]:
    made = RealReceiver(tmp_path)
    yield made
    made.end(signal.SIGTERM)


def test_no_row_is_lost_when_all_arrive_at_once(receiver: RealReceiver) -> None:
    is_over = Event()

    def look() -> list[int]:
        counts = []
        while not is_over.is_set():
            status, page = receiver.ask("GET", "/fleet", source=READER)
            assert status == 200
            counts.append(page.count(b"<tr"))
        return counts

    with ThreadPoolExecutor(THREADS + 1) as pool:
        looking = pool.submit(look)
        try:
            stored = list(pool.map(receiver.put, range(DEVICES)))
        finally:
            is_over.set()
        counts = looking.result()

    assert stored == [201] * DEVICES
    assert sorted(receiver.rows()) == [f"gate-{number:04}" for number in range(DEVICES)]
    assert counts == sorted(counts)  # a row that was there once stays


def test_a_kill_leaves_whole_files_with_all_that_was_confirmed(tmp_path: Path) -> None:
    for kill in range(1, KILLS + 1):
        confirmed = sent_until_killed(RealReceiver(tmp_path), 1000 * kill)

        files = [each for each in (tmp_path / "devices").iterdir() if each.suffix == ".json"]
        statuses = [checked_status(each.read_bytes()) for each in files]
        found = {status["device"]: status["waiting"] for status in statuses}
        assert confirmed
        assert all(found[name] >= waiting for name, waiting in confirmed.items())


def sent_until_killed(receiver: RealReceiver, first: int) -> dict[str, int]:
    """Let many devices send until the receiver is killed; return the last confirmed of each."""
    confirmed: dict[str, int] = {}
    is_busy = Event()

    def send(number: int) -> None:
        for waiting in range(first, first + 100):
            try:
                status = receiver.put(number, waiting)
            except (OSError, http.client.HTTPException):
                return  # it was killed
            assert status in {200, 201}
            confirmed[f"gate-{number:04}"] = waiting
            if len(confirmed) == THREADS // 2:
                is_busy.set()

    with ThreadPoolExecutor(THREADS) as pool:
        sending = [pool.submit(send, number) for number in range(THREADS)]
        try:
            assert is_busy.wait(LIMIT_S)
        finally:
            receiver.end(signal.SIGKILL)
    for each in sending:
        each.result()
    return confirmed
