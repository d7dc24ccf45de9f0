"""How well objects are recognized by features of the model, grey crops and frame hashes.

python -m tests.bench.features SEQUENCE... [--model FILE] [--label person] [--apart 1] [--again]

A sequence is a MOTChallenge folder: `img1/`, `gt/gt.txt` and `seqinfo.ini`. First table: for each
labelled object the most alike one is searched in all frames that are at least `--apart` seconds
away; how often is it the same object? Second table: of boxes at one place (IoU from 0.1), how many
does the cover take for the same where they are, and where they are not?

`--again`: a day on which each sequence comes three times, in other light and with noise. Distinct
failures that the selection finds if it knows what it purchased by features, by crops, or not at
all by looks.
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np

from agent.camera.thumbnail import small_grey
from agent.domain import Box, Feature, FloatArray, Frame, Pixels, Prediction, Thresholds
from agent.ports import Detector
from agent.selection.cover import Cover
from agent.selection.similarity import (
    crops,
    difference_hash,
    features_agree,
    grown,
    hash_distance,
    look_same,
)
from tests.bench.labelled import detector_of
from tests.bench.selection.failures import GAP_S, Episodes, Seen, Truth, overlaps
from tests.bench.selection.mot import FLOOR, Labelled, read
from tests.bench.selection.ours import CropsOnly, Piece, TracksOnly, choose, plan_of, stream
from tests.bench.selection.policies import found
from tests.bench.selection.table import half_width, interval

SAME_PLACE_IOU = 0.1
MOST_PAIRS = 5000
BREAK_S = 30.0
NOISE = 4.0  # grey levels, standard deviation
LIGHTS = (1.0, 0.7, 1.2)
"""Factors of the three passes; from the second on with noise."""


@dataclass(frozen=True)
class Objects:
    """All labelled objects of a sequence that have a feature, with what they look like."""

    frame: Sequence[int]
    track: Sequence[int]
    boxes: FloatArray  # [n, 4], as shares of the frame
    features: Sequence[Feature]
    crops: Sequence[bytes]
    hashes: Sequence[int]  # of the frame


def objects_of(sequence: Labelled) -> Objects:
    """Collect the labelled objects of a sequence that was read with its pixels."""
    frames, tracks, boxes, features, looks, hashes = [], [], [], [], [], []
    for n, (observation, truth) in enumerate(
        zip(sequence.observations, sequence.truth, strict=True)
    ):
        maker, grey = observation.features, observation.grey
        assert maker is not None, "the model has no object features"
        assert grey is not None
        height, width = observation.frame.pixels.shape[:2]
        for track, box in truth.objects:
            feature = maker.feature_of(box)
            if feature is None:
                continue
            share = np.array(
                [box.x_min / width, box.y_min / height, box.x_max / width, box.y_max / height],
                np.float32,
            )
            frames.append(n)
            tracks.append(track)
            boxes.append(share)
            features.append(feature)
            looks += crops(grey, observation.frame.pixels, share[None])
            hashes.append(difference_hash(grey))
    return Objects(frames, tracks, np.array(boxes), features, looks, hashes)


def recognized(objects: Objects, apart: float) -> dict[str, float]:
    """Return the share of objects whose most alike one is the same; `apart` is in frames."""
    frame, track = np.array(objects.frame), np.array(objects.track)
    features = np.array(objects.features, np.float32)
    levels = np.array([np.frombuffer(each, np.uint8) for each in objects.crops], np.float32)
    levels -= levels.mean(axis=1, keepdims=True)
    levels /= np.linalg.norm(levels, axis=1, keepdims=True) + 1e-6
    boxes = [Box(*box) for box in objects.boxes.tolist()]
    place = overlaps(boxes, boxes)
    bits = np.array(
        [[hash_distance(a, b) for b in objects.hashes] for a in objects.hashes], np.float32
    )
    alike = {
        "features": features @ features.T,
        "grey crops": levels @ levels.T,
        "frame hashes, then place": place - 10 * bits,
        "place alone": place,
    }
    shares: dict[str, float] = {}
    far = np.abs(frame[:, None] - frame[None]) >= apart
    same = track[:, None] == track[None]
    rows = (far & same).any(axis=1)
    for name, matrix in alike.items():
        nearest = np.where(far, matrix, -np.inf).argmax(axis=1)
        shares[name] = float((track[nearest] == track)[rows].mean())
    shares["chance"] = float(((far & same).sum(axis=1) / far.sum(axis=1))[rows].mean())
    return shares


def taken_for_same(objects: Objects) -> dict[str, tuple[float, float]]:
    """Return which share of equal and of different objects at one place counts as the same.

    NaN where there is no such pair.
    """
    boxes = [Box(*box) for box in objects.boxes.tolist()]
    rows, columns = np.nonzero(np.triu(overlaps(boxes, boxes) >= SAME_PLACE_IOU, 1))
    frame, track = np.array(objects.frame), np.array(objects.track)
    draw = np.random.default_rng(0)
    shares: dict[str, list[float]] = {"features": [], "grey crops": []}
    for is_same in (True, False):
        wanted = (frame[rows] != frame[columns]) & ((track[rows] == track[columns]) == is_same)
        chosen = draw.permutation(np.flatnonzero(wanted))[:MOST_PAIRS]
        if not len(chosen):
            for values in shares.values():
                values.append(math.nan)
            continue
        a, b = rows[chosen], columns[chosen]
        by_features = features_agree(
            [objects.features[n] for n in a], [objects.features[n] for n in b]
        )
        by_crops, _ = look_same(
            grown(objects.boxes[a]),
            [objects.crops[n] for n in a],
            grown(objects.boxes[b]),
            [objects.crops[n] for n in b],
        )
        shares["features"].append(float(by_features.mean()))
        shares["grey crops"].append(float(by_crops.mean()))
    return {name: (both[0], both[1]) for name, both in shares.items()}


class InOtherLight:
    """A detector that sees each frame darker or brighter, and with noise."""

    def __init__(self, detector: Detector, factor: float) -> None:
        self.info = detector.info
        self._detector = detector
        self._factor = factor

    def detect(self, pixels: Pixels) -> Prediction:
        """Detect in the changed frame."""
        return self._detector.detect(changed(pixels, self._factor))


def changed(pixels: Pixels, factor: float) -> Pixels:
    """Return a frame in other light, with noise that its pixels seed."""
    if factor == 1:
        return pixels
    noise = np.random.default_rng(int(pixels[::7, ::7].sum())).normal(0, NOISE, pixels.shape)
    return np.clip(pixels * np.float32(factor) + noise, 0, 255).astype(np.uint8)


def passes(folder: Path, detector: Detector, label: str, thresholds: Thresholds) -> list[Piece]:
    """Return the passes of one sequence; a failure that comes again is the same episode."""
    read_passes = [
        read(folder, InOtherLight(detector, factor), label=label, keep_pixels=True)
        for factor in LIGHTS
    ]
    fps = read_passes[0].fps
    episodes = Episodes(int(GAP_S * fps))
    seen: list[list[Seen]] = [[] for _ in LIGHTS]
    for n, truth in enumerate(read_passes[0].truth):
        for factor, one, frames in zip(LIGHTS, read_passes, seen, strict=True):
            observation = one.observations[n]
            pixels = changed(observation.frame.pixels, factor)
            frame: Frame = replace(observation.frame, pixels=pixels)
            observation = replace(observation, frame=frame, grey=small_grey(pixels))
            acted_on = [
                each
                for each in observation.detections
                if each.label == label and each.confidence >= thresholds.of(label)
            ]
            failures = episodes.failures(n, acted_on, Truth(truth.objects, truth.ignored))
            frames.append(Seen(observation, failures))
    return [Piece(frames, fps, BREAK_S) for frames in seen]


COVERS: Mapping[str, Callable[[], Cover]] = {
    "features": Cover,
    "grey crops": CropsOnly,
    "tracks alone": TracksOnly,
}


def again(folders: Sequence[Path], detector: Detector, options: argparse.Namespace) -> None:
    """Print what the selection finds on a day whose scenes come three times."""
    thresholds = Thresholds(options.threshold, floor=min(FLOOR, options.threshold))
    pieces = [passes(folder, detector, options.label, thresholds) for folder in folders]
    for share in (0.01, 0.02, 0.05):
        results: dict[str, list[float]] = {name: [] for name in COVERS}
        for three in pieces:
            for start in range(options.starts):
                cut = start * len(three[0].frames) // options.starts
                day = stream(
                    [
                        replace(each, frames=[*each.frames[cut:], *each.frames[:cut]])
                        for each in three
                    ]
                )
                credits_ = max(3, round(share * len(day)))
                plan = plan_of(credits_, thresholds, random_share=0.0)
                length = day[-1].observation.frame.at + 1 / three[0].fps
                plan = replace(plan, period_s=length)
                for name, cover in COVERS.items():
                    taken = choose(day, plan, cover=cover())
                    results[name].append(found(day, [each.frame for each in taken]))
        print(f"{share:.0%} of the frames of a day that shows each scene three times")
        base = results["grey crops"]
        for name, values in results.items():
            gain = [a - b for a, b in zip(values, base, strict=True)]
            print(
                f"  {name:14s} {interval(values)} distinct failures;"
                f" {mean(gain):+.2f} ±{half_width(gain):.2f} beside grey crops"
            )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("sequences", nargs="+", type=Path, help="MOTChallenge folders")
    parser.add_argument("--model", type=Path, help="an ONNX model; default: the bundled one")
    parser.add_argument("--label", default="person", help="the label that is judged")
    parser.add_argument("--apart", type=float, default=1.0, help="seconds between two sights")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--starts", type=int, default=5, help="frames at which a day begins")
    parser.add_argument("--again", action="store_true", help="also the day whose scenes come again")
    options = parser.parse_args()
    detector = detector_of(options.model)
    for folder in options.sequences:
        sequence = read(folder, detector, label=options.label, keep_pixels=True)
        objects = objects_of(sequence)
        print(f"{sequence.name}: {len(objects.frame)} objects")
        for name, share in recognized(objects, options.apart * sequence.fps).items():
            print(f"  the most alike is the same, by {name:24s} {share:.3f}")
        for name, (same, other) in taken_for_same(objects).items():
            print(
                f"  taken for the same at one place, by {name:10s} {same:.3f}, others {other:.3f}"
            )
    if options.again:
        again(options.sequences, detector, options)


if __name__ == "__main__":
    main()
