"""What clients of the API cost the cameras: `python -m tests.bench.api [--rounds N]`.

One daemon analyses a folder of images as fast as it can, while kinds of clients come in turn, each
in a process of its own that yields the processor to the daemon (nice 19). The frames that the
daemon analysed in each turn are compared with those of the quiet turn of the same round.
"""

import argparse
import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

from tests import ROOT
from tests.end_to_end.command import NEVER_ENDS, Daemon, clip, quick_model
from tests.fakes.api import ApiClient

IMAGES = 30_000
OK = 200


def main() -> None:
    """Print a line for each kind of client, and the cost of an API that nobody asks."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _idle(Path(folder) / "idle", min(options.rounds, 3), 2 * options.seconds)
        _clients(Path(folder) / "clients", options.rounds, options.seconds)


def _clients(folder: Path, rounds: int, seconds: float) -> None:
    folder.mkdir()
    path = folder / "api.sock"
    kinds = {
        "nobody": "",
        "32 connections that ask without a pause": "hammer",
        "32 connections that never finish a request": "slow_heads",
        "connects and closes without a pause": "storm",
        "a viewer of the live page": "viewer",
    }
    settings = {
        "AGENT_CAMERAS": _many_images(folder),
        "AGENT_FPS": 0,
        "AGENT_RULES": "none",
        "AGENT_RANDOM_INTERVAL": "off",
        "AGENT_API": f"unix:{path}",
    }
    frames: dict[str, list[float]] = {name: [] for name in kinds}
    answers: dict[str, list[float]] = {name: [] for name in kinds}
    with Daemon(folder, **settings) as daemon:
        daemon.wait_for("camera opened")
        client = ApiClient(path=path)
        for _ in range(rounds):
            for name, kind in kinds.items():
                analysed, responses = _turn(client, kind, seconds)
                frames[name].append(analysed)
                answers[name].append(responses)
        assert daemon.process.poll() is None, "the images did not last"
    quiet = frames["nobody"]
    print(f"{'client':45} {'frames/s':>9} {'of quiet':>9} {'answers/s':>10}")
    for name in kinds:
        shares = [each / base for each, base in zip(frames[name], quiet, strict=True)]
        print(
            f"{name:45} {statistics.median(frames[name]):9.1f} {statistics.median(shares):9.2f} "
            f"{statistics.median(answers[name]):10.1f}"
        )


def _turn(client: ApiClient, kind: str, seconds: float) -> tuple[float, float]:
    """Return frames and responses a second while clients of this kind are there."""
    process = None
    if kind:
        words = [sys.executable, "-m", "tests.bench.api_clients", kind, str(client.path)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
    began, (analysed, responses) = time.monotonic(), _counts(client)
    time.sleep(seconds)
    now, (then, answered) = time.monotonic(), _counts(client)
    while then == analysed:  # a daemon that did not run has no speed
        time.sleep(seconds)
        now, (then, answered) = time.monotonic(), _counts(client)
    if process is not None:
        process.kill()
        process.communicate()
    return (then - analysed) / (now - began), (answered - responses) / (now - began)


def _counts(client: ApiClient) -> tuple[int, int]:
    """Return the frames and responses so far; a crowded server is asked again."""
    analysed = responses = 0
    for line in _metrics(client).splitlines():
        if line.startswith("capture_agent_frames_analysed_total"):
            analysed = int(float(line.split()[-1]))
        elif line.startswith("capture_agent_api_responses_total"):
            responses += int(float(line.split()[-1]))
    return analysed, responses


def _metrics(client: ApiClient) -> str:
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            response = client.get("/metrics")
            if response.status == OK:
                return response.body.decode()
        time.sleep(0.01)


def _idle(folder: Path, rounds: int, seconds: float) -> None:
    """Print what an API costs that nobody asks."""
    folder.mkdir()
    found: dict[str, list[tuple[float, float]]] = {"off": [], f"unix:{folder}/api.sock": []}
    for _ in range(rounds):
        for api, figures in found.items():
            settings = {
                "AGENT_CAMERAS": NEVER_ENDS,
                "AGENT_MODEL": quick_model(),
                "AGENT_API": api,
            }
            with Daemon(folder, **settings) as daemon:
                daemon.wait_for("camera lost")
                time.sleep(1.0)
                before = _cpu_s(daemon.process.pid)
                time.sleep(seconds)
                used = (_cpu_s(daemon.process.pid) - before) / seconds
                figures.append((_rss_mb(daemon.process.pid), used))
    (rss, cpu), (rss_api, cpu_api) = (
        [statistics.median(each) for each in zip(*figures, strict=True)]
        for figures in found.values()
    )
    print(
        f"nobody asks: memory {rss:.1f} to {rss_api:.1f} MB, "
        f"{100 * cpu:.2f} to {100 * cpu_api:.2f} % of a processor"
    )


def _many_images(folder: Path) -> str:
    """Make a folder whose images last longer than the turns: links to one frame of a street."""
    whole, pixels = cv2.VideoCapture(str(clip())).read()
    assert whole
    frame, images = folder / "frame.jpg", folder / "images"
    cv2.imwrite(str(frame), pixels)
    images.mkdir()
    for number in range(IMAGES):
        (images / f"frame{number}.jpg").hardlink_to(frame)
    return f"street={images}"


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(process: int) -> float:
    text = Path(f"/proc/{process}/status").read_text("utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
