"""The cost of the selection per frame, compared with one run of the bundled model.

python -m tests.bench.selection_cost [--frames N]

The whole selection of a 1080p frame, resizing included, should take at most 1.5 ms.
"""

import argparse
import random
import time
from statistics import median

import numpy as np

from agent.camera.thumbnail import small_grey
from agent.detector.detector import load_detector
from agent.detector.model_file.bundled import bundled_model
from agent.detector.providers import Hardware
from agent.domain import Box, Detection, Frame, Observation, Pixels, Thresholds
from agent.selection.device import Selection
from agent.selection.feedback import Side
from agent.selection.plan import SelectionPlan
from agent.selection.rules import RULE_NAMES
from tests.fakes.feedback import factor, feedback

FLOOR = 0.05
BOUND_MS = 1.5  # of the whole selection, for a 1080p frame


def main() -> None:
    """Print one line per number of detections, in milliseconds of one core."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--frames", type=int, default=400)
    options = parser.parse_args()
    model = model_ms()
    for count in (0, 10, 60, 200):
        shrink, choose, reviewed = selection_ms(count, options.frames)
        whole = [a + b for a, b in zip(shrink, choose, strict=True)]
        more = median([b - a for a, b in zip(choose, reviewed, strict=True)])
        usual, slow = np.percentile(whole, [50, 95])
        print(
            f"{count:4d} detections: resize {median(shrink):.2f} ms, choose {median(choose):.2f} ms"
            f" (medians); whole {usual:.2f} ms, 95th percentile {slow:.2f} ms"
            f" (bound {BOUND_MS} ms), {usual / model:.0%} of one run of the model ({model:.0f} ms);"
            f" a feedback file adds {more:.3f} ms"
        )


def selection_ms(count: int, frames: int) -> tuple[list[float], list[float], list[float]]:
    """Return the times of resizing each 1080p frame, of its selection, and of one with feedback.

    Each frame has `count` moving detections. The feedback changes no `p`, so that both do the same.
    """
    draw = random.Random(1)
    places = [(draw.uniform(0, 1800), draw.uniform(0, 980), draw.gauss(0, 6)) for _ in range(count)]
    # Six detections are confident; the others are a little above the low floor.
    usual = [0.8 if n < 6 else FLOOR + draw.expovariate(14) for n in range(count)]
    plan = SelectionPlan(RULE_NAMES, Thresholds(0.5, floor=FLOOR), "seed", per_day=100)
    selections = [Selection(["gate"], plan, new_id=lambda at: f"{at}") for _ in range(2)]
    groups = [factor(rule, side, 1.0) for rule in RULE_NAMES for side in Side]
    selections[1].use(feedback(*groups))
    images = [_image(seed) for seed in range(4)]
    shrink: list[float] = []
    choose: tuple[list[float], list[float]] = [], []
    for n in range(frames):
        pixels = images[n % 4]
        detections = [
            Detection(
                "car", 0, min(0.99, max(FLOOR, draw.gauss(mean, 0.03))), _box(x + speed * n, y)
            )
            for (x, y, speed), mean in zip(places, usual, strict=True)
        ]
        detections.sort(key=lambda d: -d.confidence)
        frame = Frame("gate", n, pixels, n / 5, n / 5, 0, n, "day")
        began = time.thread_time()
        grey = small_grey(pixels)
        shrink.append(time.thread_time() - began)
        observation = Observation(frame, tuple(detections), grey=grey)
        for which in (0, 1) if n % 2 else (1, 0):
            began = time.thread_time()
            selections[which].observe(observation, n / 5)
            choose[which].append(time.thread_time() - began)
    plain, reviewed = ([1000 * each for each in times] for times in choose)
    return [1000 * each for each in shrink], plain, reviewed


def model_ms() -> float:
    """Return the median time of the bundled model on one thread."""
    detector = load_detector(
        bundled_model(), hardware=Hardware(("CPUExecutionProvider",), 1, None), floor=FLOOR
    )
    seconds = []
    for _ in range(12):
        began = time.perf_counter()
        detector.detect(_image(0))
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)


def _image(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (1080, 1920, 3), np.uint8)


def _box(x: float, y: float) -> Box:
    return Box(x, y, x + 100, y + 90)


if __name__ == "__main__":
    main()
