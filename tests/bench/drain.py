"""The upload rate of a backlog: `python -m tests.bench.drain [--captures N]`.

Sends captures of 200 kB through spool, uploader and HTTP target, and compares with two plain loops
of `requests` on the same number of connections: one posts the same bodies from memory, the other
reads each from a file in the spool's folder and deletes the file afterwards. All three run
alternately, against a minimal server in another process that only returns receipts.
"""

import argparse
import hashlib
import multiprocessing
import os
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import requests
import structlog

from agent.domain import Lane
from agent.logs import Log
from agent.runtime.drain import Drain
from agent.spool.recovery import open_spool
from agent.spool.types import NewCapture, SpoolLimits
from agent.system import SystemClock, full_jitter, new_id
from agent.upload.backoff import Backoff
from agent.upload.http.options import HttpOptions
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import record_of

IMAGE_BYTES = 200_000
_ID = re.compile(rb'"id": ?"([0-9a-f-]{36})"')
_SHA256 = re.compile(rb'"sha256": ?"([0-9a-f]{64})"')
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")


def main() -> None:
    """Print the captures per second of all three, and the median ratios."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--captures", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", help="the folder for the spool, such as /dev/shm")
    options = parser.parse_args()
    ready: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(ready,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ready.get()}/captures"
    made = [realistic_capture(number) for number in range(options.captures)]
    ratios: dict[str, list[float]] = {"from memory": [], "from files": []}
    try:
        for number in range(options.rounds):
            print(f"round {number + 1}")
            bare = {
                "from memory": bare_loop(url, made, options.connections),
                "from files": bare_loop_from_files(url, made, options.connections, options.dir),
            }
            ours = through_the_spool(url, made, options.connections, options.dir)
            for name, figures in bare.items():
                show(f"bare, {name}", len(made), *figures)
                ratios[name].append(figures[0] / ours[0])
            show("agent", len(made), *ours)
    finally:
        server.terminate()
        server.join()
    for name, found in ratios.items():
        print(f"agent to bare, {name}: median ratio {statistics.median(found):.2f}")


def show(name: str, captures: int, seconds: float, cpu: float) -> None:
    """Print one line of results."""
    print(f"{name:18} {captures / seconds:7.0f} captures/s {cpu / captures * 1e3:6.2f} ms CPU each")


def realistic_capture(number: int) -> NewCapture:
    """Return a capture with a record of a usual length."""
    identity = new_id(time.time())
    image = hashlib.shake_256(number.to_bytes(4, "big")).digest(IMAGE_BYTES)
    box = {"label": "car", "class_id": 2, "confidence": 0.4321, "box": [1.5, 2.5, 100.5, 200.5]}
    record = record_of(number, image, id=identity, device="bench", detections=[box] * 8)
    return NewCapture(identity, Lane.SCORE, 0.5, record, image)


def through_the_spool(
    url: str, made: Sequence[NewCapture], connections: int, place: str | None
) -> tuple[float, float]:
    """Return wall and CPU seconds from the first request to an empty spool."""
    clock, latest = SystemClock(), 0.0

    def note(_logger: object, _method: str, _event: object) -> Any:
        nonlocal latest
        latest = time.perf_counter()
        raise structlog.DropEvent

    # The last log line is the time of the last delivery; `run` itself notices the end later.
    log: Log = structlog.wrap_logger(None, processors=[note])
    with tempfile.TemporaryDirectory(dir=place) as folder:
        limits = SpoolLimits(10 * IMAGE_BYTES * len(made))
        with open_spool(Path(folder) / "spool", limits, clock=clock, log=log) as spool:
            for start in range(0, len(made), 50):
                spool.put(made[start : start + 50])
            network = HttpOptions(workers=connections)
            with EndpointTarget(url, token="s3cret", clock=clock, network=network) as target:
                backoff = Backoff(full_jitter, first_bound=0.0)
                drain = Drain(spool, target, backoff, workers=connections, clock=clock, log=log)
                began, cpu = time.perf_counter(), time.process_time()
                drain.run(lambda: None)
                took, used = latest - began, time.process_time() - cpu
            if spool.waiting():
                sys.exit(f"{spool.waiting()} are left: {drain.reason}")
    return took, used


def bare_loop_from_files(
    url: str, made: Sequence[NewCapture], connections: int, place: str | None
) -> tuple[float, float]:
    """Return the same for posts of files, each deleted after its response."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        for one in made:
            with (Path(folder) / one.id).open("wb") as file:
                file.write(one.image)
                file.flush()
                os.fsync(file.fileno())
        return bare_loop(url, made, connections, Path(folder))


def bare_loop(
    url: str, made: Sequence[NewCapture], connections: int, folder: Path | None = None
) -> tuple[float, float]:
    """Return the same for posts without checks, from memory or from files in `folder`."""
    work: SimpleQueue[NewCapture] = SimpleQueue()
    for one in made:
        work.put(one)

    def post() -> None:
        with requests.Session() as session:
            session.trust_env = False
            while True:
                try:
                    one = work.get_nowait()
                except Empty:
                    return
                image = (folder / one.id).read_bytes() if folder else one.image
                files: dict[str, Any] = {
                    "record": (None, str(dict(one.record)).replace("'", '"'), "application/json"),
                    "image": (f"{one.id}.jpg", image, "image/jpeg"),
                }
                headers = {"Idempotency-Key": f'"{one.id}"', "Authorization": "Bearer s3cret"}
                session.post(url, files=files, headers=headers, timeout=30).raise_for_status()
                if folder:
                    (folder / one.id).unlink()

    threads = [threading.Thread(target=post) for _ in range(connections)]
    began, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, time.process_time() - cpu


def serve(ready: "multiprocessing.Queue[int]") -> None:
    """Respond to every request with the receipt of its capture."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ready.put(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=respond, args=(connection,), daemon=True).start()


def respond(connection: socket.socket) -> None:
    """Serve one connection until it is closed."""
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            length = end = 0
            while not end or length < end:
                received = connection.recv_into(view[length:])
                if not received:
                    return
                length += received
                head = buffer.find(b"\r\n\r\n", 0, 4096) if not end else -1
                if head >= 0:
                    match = _LENGTH.search(buffer, 0, head)
                    end = head + 4 + int(match[1]) if match else head + 4
            identity, sha256 = _ID.search(buffer, 0, length), _SHA256.search(buffer, 0, length)
            if identity is None or sha256 is None:
                return
            body = b'{"id": "%s", "sha256": "%s"}' % (bytes(identity[1]), bytes(sha256[1]))
            head_text = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
            connection.sendall(head_text + b"Content-Length: %d\r\n\r\n" % len(body) + body)


if __name__ == "__main__":
    main()
