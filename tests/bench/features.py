"""How well objects are recognized by features of the model, grey crops and frame hashes.

python -m tests.bench.features SEQUENCE... [--model FILE] [--label person] [--apart 1] [--again]

A sequence is a MOTChallenge folder: `img1/`, `gt/gt.txt` and `seqinfo.ini`. First table: for each
labelled object the most alike one is searched in all frames that are at least `--apart` seconds
away; how often is it the same object?

`--again`: a day on which each sequence comes three times, in other light and with noise. Of two
doubtful boxes at one place (IoU from 0.1) in two passes, how many does the cover take for the same,
where they are and where they are not? And how many distinct failures does the selection find if it
knows what it purchased by features, by crops, or not at all by looks?
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

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
from agent.selection.suspects import margin
from tests.bench.labelled import detector_of
from tests.bench.selection.failures import GAP_S, MATCH_IOU, Episodes, Seen, Truth, overlaps
from tests.bench.selection.mot import FLOOR, Labelled, read
from tests.bench.selection.ours import CropsOnly, Piece, TracksOnly, choose, plan_of, stream
from tests.bench.selection.policies import found
from tests.bench.selection.table import half_width, interval

SAME_PLACE_IOU = 0.1
MOST_PAIRS = 5000
NEAR_LOGITS = 1.6
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
        made = maker.features_of([box for _, box in truth.objects])
        for (track, box), feature in zip(truth.objects, made, strict=True):
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


@dataclass(frozen=True)
class Passes:
    """One sequence, seen several times in other light."""

    pieces: Sequence[Piece]
    truth: Sequence[Truth]  # of each frame of a pass


def passes(folder: Path, detector: Detector, label: str, thresholds: Thresholds) -> Passes:
    """Return the passes of one sequence; a failure that comes again is the same episode."""
    read_passes = [
        read(folder, InOtherLight(detector, factor), label=label, keep_pixels=True)
        for factor in LIGHTS
    ]
    fps, all_truth = read_passes[0].fps, read_passes[0].truth
    episodes = Episodes(int(GAP_S * fps))
    seen: list[list[Seen]] = [[] for _ in LIGHTS]
    for n, truth in enumerate(all_truth):
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
            frames.append(Seen(observation, episodes.failures(n, acted_on, truth)))
    return Passes([Piece(frames, fps, BREAK_S) for frames in seen], all_truth)


@dataclass(frozen=True)
class Doubtful:
    """Boxes with a confidence near the threshold, in all passes."""

    run: NDArray[np.intp]  # number of the pass
    thing: NDArray[np.intp]  # a track, or one of the numbers below
    boxes: FloatArray  # [n, 4], as shares of the frame
    features: Sequence[Feature]
    crops: Sequence[bytes]


BACKGROUND, UNCLEAR = -1, -2
BESIDE = 0.2
"""A box with less overlap shows no labelled object, one with less than `MATCH_IOU` is unclear."""


def doubtful(seen: Passes, label: str, threshold: float) -> Doubtful:
    """Collect the boxes that rules would name: at most 1.6 logits from the threshold."""
    runs, things, boxes, features, looks = [], [], [], [], []
    for run, piece in enumerate(seen.pieces):
        for each, truth in zip(piece.frames, seen.truth, strict=True):
            observation = each.observation
            height, width = observation.frame.pixels.shape[:2]
            assert observation.grey is not None
            if observation.features is None:
                continue
            made = observation.features.features_of([each.box for each in observation.detections])
            for detection, feature in zip(observation.detections, made, strict=True):
                box = detection.box
                is_near = abs(margin(detection.confidence, threshold)) < NEAR_LOGITS
                if detection.label != label or feature is None or not is_near:
                    continue
                share = np.array([box.x_min, box.y_min, box.x_max, box.y_max], np.float32)
                share /= (width, height, width, height)
                runs.append(run)
                things.append(_thing(box, truth))
                boxes.append(share)
                features.append(feature)
                looks += crops(observation.grey, observation.frame.pixels, share[None])
    return Doubtful(np.array(runs), np.array(things), np.array(boxes), features, looks)


def _thing(box: Box, truth: Truth) -> int:
    overlap = overlaps([box], [each for _, each in truth.objects])[0]
    if not overlap.size or overlap.max() < BESIDE:
        return BACKGROUND
    best = int(overlap.argmax())
    return truth.objects[best][0] if overlap[best] >= MATCH_IOU else UNCLEAR


def taken_for_same(found: Doubtful) -> dict[str, tuple[float, float]]:
    """Return which share of pairs from two passes counts as the same, by features and crops.

    The boxes of a pair are at one place; NaN where there is no such pair.
    """
    boxes = [Box(*box) for box in found.boxes.tolist()]
    overlap = overlaps(boxes, boxes)
    rows, columns = np.nonzero(np.triu(overlap >= SAME_PLACE_IOU, 1))
    rows, columns = (each[found.run[rows] != found.run[columns]] for each in (rows, columns))
    one, other = found.thing[rows], found.thing[columns]
    kinds = {
        "the same object": (one == other) & (one >= 0),
        "the same background": (one == BACKGROUND)
        & (other == BACKGROUND)
        & (overlap[rows, columns] >= MATCH_IOU),
        "something else": (one != other) & (one != UNCLEAR) & (other != UNCLEAR),
    }
    draw = np.random.default_rng(0)
    shares = {}
    for kind, wanted in kinds.items():
        chosen = draw.permutation(np.flatnonzero(wanted))[:MOST_PAIRS]
        if not len(chosen):
            shares[kind] = math.nan, math.nan
            continue
        a, b = rows[chosen], columns[chosen]
        agree = features_agree([found.features[n] for n in a], [found.features[n] for n in b])
        alike, _ = look_same(
            grown(found.boxes[a]),
            [found.crops[n] for n in a],
            grown(found.boxes[b]),
            [found.crops[n] for n in b],
        )
        shares[kind] = float(agree.mean()), float(alike.mean())
    return shares


COVERS: Mapping[str, Callable[[], Cover]] = {
    "features": Cover,
    "grey crops": CropsOnly,
    "tracks alone": TracksOnly,
}


def again(folders: Sequence[Path], detector: Detector, options: argparse.Namespace) -> None:
    """Print what the selection finds on a day whose scenes come three times."""
    thresholds = Thresholds(options.threshold, floor=min(FLOOR, options.threshold))
    seen = [passes(folder, detector, options.label, thresholds) for folder in folders]
    for folder, each in zip(folders, seen, strict=True):
        print(f"{folder.name}: doubtful boxes at one place, seen again in other light")
        found_boxes = doubtful(each, options.label, options.threshold)
        for kind, (by_features, by_crops) in taken_for_same(found_boxes).items():
            print(f"  {kind:20s} is taken for the same: features {by_features:.3f}", end="")
            print(f", grey crops {by_crops:.3f}")
    pieces = [each.pieces for each in seen]
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
    if options.again:
        again(options.sequences, detector, options)


if __name__ == "__main__":
    main()
