"""Frames a second at 720p and CPU a frame: `python -m tests.bench.push [--rounds N]`."""

import argparse
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import ROOT
from tests.bench.pipeline.daemon import Daemon
from tests.bench.pipeline.table import Row, as_markdown, as_text, machine
from tests.bench.push.frames import FORM, form, images
from tests.ports import free_port

PACED_FPS = 25
SIDES = ("tcp", "unix", "loop", "decode")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a number of frames took."""

    frames: float
    seconds: float
    cpu_s: float
    memory_mb: float = 0.0

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds of a frame."""
        return 1000 * self.cpu_s / self.frames


class UnixConnection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        """See the base class."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def pushed(side: str, frames: int, fps: float) -> Cost:
    """Push frames to a daemon over one connection."""
    port = free_port()
    bodies = [form(image, n) for n, image in enumerate(images())]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "api.sock"
        settings = {
            "AGENT_CAMERAS": "line=push:?task=detect",
            "AGENT_API": f"127.0.0.1:{port}" if side == "tcp" else f"unix:{path}",
            "AGENT_FPS": "0",
        }
        with Daemon(Path(folder), settings) as daemon:
            daemon.ready()
            connection = (
                http.client.HTTPConnection("127.0.0.1", port)
                if side == "tcp"
                else UnixConnection(path)
            )
            _send(connection, bodies[0])
            cpu, began = daemon.cpu_s(), time.perf_counter()
            for frame in range(frames):
                _send(connection, bodies[frame % len(bodies)])
                if fps:
                    time.sleep(max(0.0, began + (frame + 1) / fps - time.perf_counter()))
            seconds = time.perf_counter() - began
            cost = daemon.cpu_s() - cpu
            memory = daemon.memory_mb("VmHWM")
            connection.close()
            daemon.stop()
            daemon.event("agent stopped")
            analysed = daemon.sum_of("frames_analysed") - 1
        return Cost(analysed, seconds, cost, memory)


def _send(connection: http.client.HTTPConnection, body: bytes) -> None:
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
            connection.request("POST", "/v1/frames/line", body, FORM)
            break
        time.sleep(0.1)  # the socket comes right after the daemon is ready
    response = connection.getresponse()
    text = response.read()
    assert response.status == http.HTTPStatus.ACCEPTED, text


def alone(side: str, frames: int, fps: float) -> Cost:
    """Do the same work without HTTP, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.push.loop", str(frames), str(fps), side],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return Cost(*json.loads(done.stdout))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--markdown", action="store_true", help="the table of docs/push.md")
    options = parser.parse_args()
    names = {"tcp": "TCP", "unix": "a unix socket"}
    rows: list[Row] = []
    memory = Row("largest resident set, no model loaded", "MB", digits=0)
    for fps, how in ((0.0, "as fast as they are taken"), (PACED_FPS, f"{PACED_FPS} a second")):
        costs: dict[str, list[Cost]] = {side: [] for side in SIDES}
        for number in range(options.rounds):
            for side in SIDES if number % 2 == 0 else reversed(SIDES):
                run = pushed if side in names else alone
                costs[side].append(run(side, options.frames, fps))
        for side, name in names.items():
            rate = Row(f"720p over {name}, {how}", "frames/s", other_name="without HTTP")
            rate.daemon = [each.fps for each in costs[side]]
            rate.other = [each.fps for each in costs["loop"]]
            cpu = Row(f"CPU per frame over {name}, {how}", "ms", other_name="without HTTP")
            cpu.daemon = [each.cpu_ms for each in costs[side]]
            cpu.other = [each.cpu_ms for each in costs["loop"]]
            rows += [rate, cpu]
            memory.daemon += [each.memory_mb for each in costs[side]]
        decode = Row(f"CPU per frame without HTTP, {how}", "ms", other_name="decoding alone")
        decode.daemon = [each.cpu_ms for each in costs["loop"]]
        decode.other = [each.cpu_ms for each in costs["decode"]]
        rows.append(decode)
    rows.append(memory)
    print(as_markdown(rows) if options.markdown else as_text(rows))
    size = sum(map(len, images())) / len(images()) / 1000
    print(f"\n{machine()}; images of {size:.0f} kB; {options.rounds} rounds, medians")


if __name__ == "__main__":
    main()
