# ruff: noqa: T201  # a bench prints its result
"""What one frame costs, and where: `python tests/bench/detector.py [MODEL] [--threads N]`.

Prints milliseconds per frame of 1280x720 for each part, the median of many; CPU time beside it.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agent.detector.bundled import bundled_model
from agent.detector.detector import load_detector
from agent.detector.formats import choose
from agent.detector.letterbox import Letterbox, Size
from agent.detector.nms import suppressed
from agent.detector.preparation import InputBuffer
from agent.detector.session import OnnxSession

FRAME = Size(1280, 720)
ROUNDS = 60


def main() -> None:
    """Measure each part alone and the whole."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    pixels = np.random.default_rng(1).integers(0, 256, (FRAME.height, FRAME.width, 3), np.uint8)
    session = OnnxSession(options.model or bundled_model(), providers=(), threads=options.threads)
    known = choose("auto", session.signature).format
    wanted = known.preparation(session.signature)
    size = session.input_size(FRAME, wanted.size, wanted.stride)
    letterbox = Letterbox.fit(FRAME, size, padding=wanted.padding)
    buffer = InputBuffer(wanted, session.signature.input.dtype)
    tensor = buffer.fill(pixels, letterbox)
    outputs = session.run(tensor)
    raw = known.decode(outputs, size=size, floor=0.05)
    detector = load_detector(options.model, threads=options.threads)
    print(f"{session.path.name} as {known.name} at {size.width}x{size.height}")
    print(f"{len(raw.confidences)} boxes above the floor")
    measure("prepare", lambda: buffer.fill(pixels, letterbox))
    measure("run", lambda: session.run(tensor))
    measure("decode", lambda: known.decode(outputs, size=size, floor=0.05))
    measure("suppress", lambda: suppressed(raw, iou=known.nms_iou))
    measure("whole", lambda: detector.detect(pixels))


def measure(name: str, part: Callable[[], object]) -> None:
    """Print the median wall and the mean CPU time of one part."""
    walls, cpu = [], time.process_time()
    for _ in range(ROUNDS):
        start = time.perf_counter()
        part()
        walls.append(time.perf_counter() - start)
    used = (time.process_time() - cpu) / ROUNDS
    print(f"{name:10} {statistics.median(walls) * 1e3:8.2f} ms  {used * 1e3:8.2f} ms CPU")


if __name__ == "__main__":
    main()
