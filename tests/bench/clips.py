"""The lead and the cost of clips: `python -m tests.bench.clips [--seconds S] [--rounds N]`.

Runs the daemon on a street of 1280 x 720 in real time, with AGENT_CLIP and without, in turns. For
each rate it prints the shortest and the median lead of the captures before which so much was
analysed, the frames missing, the most bytes of the ring, and how much more CPU an analysed frame
takes.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from typing import Any

import av
import cv2

from tests.end_to_end.command import COMMAND, clip, environment

LEAD_S, TAIL_S = 3.0, 2.0
RATES = (5, 10, 25)
_FPS = 25


def street(file: Path, seconds: float) -> None:
    """Write a recording of 1280 x 720: the street, forwards and backwards."""
    reader = cv2.VideoCapture(str(clip()))
    frames = []
    while (read := reader.read())[0]:
        frames.append(cv2.resize(read[1], (1280, 720)))
    frames += frames[::-1]
    with av.open(str(file), "w") as video:
        stream = video.add_stream("libx264", rate=_FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for number in range(round(seconds * _FPS)):
            pixels = frames[number % len(frames)]
            video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        video.mux(stream.encode())


def run(folder: Path, recording: Path, *, fps: float, span: str) -> tuple[float, int, list[Any]]:
    """Return the CPU ms of an analysed frame, the most bytes of the ring, and the records."""
    folder.mkdir()
    metrics = folder / "agent.prom"
    settings = {
        "AGENT_CAMERAS": recording,
        "AGENT_FPS": fps,
        "AGENT_CLIP": span,
        "AGENT_RULES": "none",
        "AGENT_RANDOM_INTERVAL": "2s",
        "AGENT_METRICS_FILE": metrics,
    }
    before = getrusage(RUSAGE_CHILDREN)
    used = 0
    with subprocess.Popen(
        [COMMAND, "run"],
        env=environment(folder, settings),
        cwd=folder,
        stderr=subprocess.DEVNULL,
    ) as daemon:
        while daemon.poll() is None:
            time.sleep(0.5)
            if metrics.exists():
                found = re.search(r"clip_ring_bytes (\d+)", metrics.read_text(encoding="utf-8"))
                used = max(used, int(found[1]) if found else 0)
    after = getrusage(RUSAGE_CHILDREN)
    out = folder / "out"
    subprocess.run(
        [COMMAND, "export", str(out)],
        env=environment(folder, {}),
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    records = [json.loads(file.read_bytes()) for file in out.glob("records/*.json")]
    analysed = re.search(r"frames_analysed_total (\d+)", metrics.read_text(encoding="utf-8"))
    frames = max(1, int(analysed[1]) if analysed else 0)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return 1000 * cpu / frames, used, sorted(records, key=lambda each: each["monotonic_ns"])


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES)
    options = parser.parse_args()
    print("fps  captures  lead min  median  tail median  missing  ring kB  clip kB  CPU ms a frame")
    with tempfile.TemporaryDirectory() as place:
        recording = Path(place) / "street.mp4"
        street(recording, options.seconds)
        for fps in options.rates:
            with_clips, without, most, records = [], [], 0, []
            for number in range(options.rounds):
                root = Path(place) / f"{fps}-{number}"
                root.mkdir()
                cpu, used, made = run(root / "on", recording, fps=fps, span=f"{LEAD_S}s {TAIL_S}s")
                with_clips.append(cpu)
                without.append(run(root / "off", recording, fps=fps, span="off")[0])
                most = max(most, used)
                first = made[0]["monotonic_ns"] / 1e9 - made[0]["clip"]["lead"] if made else 0.0
                records += [
                    each for each in made if each["monotonic_ns"] / 1e9 - first >= LEAD_S + 1 / fps
                ]
            leads = [each["clip"]["lead"] for each in records] or [0.0]
            tails = [each["clip"]["tail"] for each in records] or [0.0]
            sizes = [each["clip"]["bytes"] for each in records] or [0]
            missing = sum(each["clip"]["dropped"] for each in records)
            added = median(with_clips) - median(without)
            print(
                f"{fps:3}  {len(records):8}  {min(leads):8.3f}  {median(leads):6.3f}  "
                f"{median(tails):11.3f}  {missing:7}  {most / 1e3:7.0f}  "
                f"{median(sizes) / 1e3:7.0f}  {added:14.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
