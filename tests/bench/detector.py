"""The cost of a frame in each part of the detector: `python -m tests.bench.detector [MODEL]`.

Prints the median wall time and the mean CPU time of preprocessing a 1080p frame (`--image` for a
real one), of the model and of the whole, and their share of one run of the model; also of
post-processing a `[1, 84, 8400]` output with 0, 50 and 2,000 candidates above the floor, and of
masks: keeping 20 of a frame, of usual and of large objects, and computing their polygons.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from agent.detector.detector import load_detector
from agent.detector.formats.contract import PrototypeMasks
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.ultralytics import Ultralytics
from agent.detector.letterbox import Letterbox, Padding, Size
from agent.detector.masks import masks_of
from agent.detector.model_file.bundled import bundled_model
from agent.detector.nms import non_maximum_suppression
from agent.detector.providers import Hardware
from agent.domain import Box, FloatArray, Mask, Polygon

HEIGHT, WIDTH = 1080, 1920
FLOOR = 0.05
SQUARE = Size(640, 640)


def main() -> None:
    """Measure each part, and the whole."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--image", type=Path)
    options = parser.parse_args()
    measure = partial(measured, rounds=options.rounds)
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    if options.image is not None:
        read = cv2.imread(str(options.image))
        assert read is not None, options.image
        pixels = np.asarray(read, np.uint8)
    path = options.model or bundled_model()
    detector = load_detector(path, hardware=Hardware(threads=options.threads), floor=FLOOR)
    letterbox, shown = detector._letterbox(pixels)
    buffer, session = detector._buffer(), detector._session
    tensor = buffer.fill(shown, letterbox)
    size = letterbox.input
    print(f"{path.name}, {detector.decided}, at {size.width}x{size.height}")
    run = measure("run", lambda: session.run(tensor, size))
    prepare = measure("prepare 1080p", lambda: buffer.fill(shown, letterbox), run)
    measure("whole", lambda: detector.detect(pixels), run)
    asked = [each.mask for each in detector.detect(pixels).detections if each.mask is not None]
    if asked:

        def kept() -> list[Mask | None]:
            return [each.mask for each in detector.detect(pixels).detections]

        measure(f"whole, {len(asked)} polygons", partial(polygons, kept), run)
    known = Ultralytics()
    for count in (0, 50, 2000):
        outputs = [candidates(count)]

        def found(outputs: list[FloatArray] = outputs) -> DecodedDetections:
            raw = known.decode(outputs, size=SQUARE, floor=FLOOR)
            return non_maximum_suppression(raw, iou=known.nms_iou)

        after = measure(f"[1,84,8400] {count}", found, run)
        print(f"{'':22} with preprocessing {(prepare + after) / run:6.1%} of a run")
    for side in (60, 500):
        keep = partial(masks_of, *scene(side))
        measure(f"20 masks, {side} px", keep, run)
        measure(f"with polygons, {side} px", partial(polygons, keep), run)


def polygons(keep: Callable[[], Sequence[Mask | None]]) -> list[Polygon]:
    """Return the polygons of all masks."""
    return [mask.polygon() for mask in keep() if mask is not None]


def scene(side: int) -> tuple[PrototypeMasks, list[Box], FloatArray, Letterbox]:
    """Return what 20 masks of a 1080p frame are made from; `side` of their boxes, in its pixels."""
    random = np.random.default_rng(3)
    letterbox = Letterbox.fit(Size(WIDTH, HEIGHT), SQUARE, padding=Padding.CENTRED)
    rough = random.normal(0, 1, (32, 20, 20)).astype(np.float32)
    prototypes = np.stack([cv2.resize(each, (160, 160)) for each in rough]).astype(np.float32)
    places = random.uniform([0, 0], [WIDTH - side, HEIGHT - side], (20, 2)).tolist()
    boxes = [Box(x, y, x + side, y + side) for x, y in places]
    source = PrototypeMasks(random.normal(0, 1, (20, 32)).astype(np.float32), prototypes)
    return source, boxes, np.zeros((20, 4), np.float32), letterbox


def candidates(count: int) -> FloatArray:
    """Return a `[1, 84, 8400]` output with `count` cells above the floor, as in a crowd."""
    random = np.random.default_rng(2)
    output = np.empty((1, 84, 8400), np.float32)
    output[0, :2] = random.uniform(0, 640, (2, 8400))
    output[0, 2:4] = random.uniform(10, 120, (2, 8400))
    output[0, 4:] = random.uniform(0, FLOOR * 0.9, (80, 8400))
    cells = random.choice(8400, count, replace=False)
    output[0, 4 + random.integers(0, 80, count), cells] = random.uniform(FLOOR, 1, count)
    return output


def measured(
    name: str, part: Callable[[], object], run: float | None = None, *, rounds: int
) -> float:
    """Print the median wall and the mean CPU time of one part; return the median, in seconds."""
    part()
    walls, cpu = [], time.process_time()
    for _ in range(rounds):
        start = time.perf_counter()
        part()
        walls.append(time.perf_counter() - start)
    used = (time.process_time() - cpu) / rounds
    median = statistics.median(walls)
    share = f"  {median / run:6.1%} of a run" if run else ""
    print(f"{name:22} {median * 1e3:8.2f} ms  {used * 1e3:8.2f} ms CPU{share}")
    return median


if __name__ == "__main__":
    main()
