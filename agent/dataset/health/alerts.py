"""What is wrong with a dataset and what to do about it, the most severe first."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.dataset.health.balance import FEW_IMAGES
from agent.dataset.health.gaps import FEWEST, LIGHTS, SIZES, Gap, GapKind, gaps
from agent.dataset.health.objects import thirds_of
from agent.dataset.health.quality import Issue
from agent.dataset.health.subject import ProblemKind
from agent.printable import printable

CROWDED = 0.8
"""Share of a class's objects in one third of the image from which the place is an alert."""

_NAMES_SHOWN = 8
_GAP_HOURS = 3  # without an image, from which on they are an alert
_MANY_EMPTY, _EMPTY_WANTED = 0.5, 0.01  # shares of the images
_NEAR_SHARE = 0.05  # of a camera's images
_ISSUE_SHARE = 0.05  # of all images
_RARE_CAMERA = 0.2  # of the even share of a camera
_LABELS_SHOWN = 60  # characters of a label


class Severity(StrEnum):
    """How much an alert matters, the most first."""

    HIGH = "high"  # training or its measurement would be wrong
    MEDIUM = "medium"  # the model would be worse
    LOW = "low"  # good to know


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to do."""

    severity: Severity
    code: str  # stable, for programs
    text: str
    advice: str
    key: str = ""  # of the images behind it
    amount: float = 0.0  # orders alerts of one severity and code


_BAD_FILES = (
    (ProblemKind.BAD_IMAGE, "images that cannot be read", "delete them, or copy them again"),
    (ProblemKind.NO_IMAGE, "images that are missing", "copy them, or remove their labels"),
    (ProblemKind.BAD_RECORD, "invalid records", "deliver the captures again"),
    (ProblemKind.BAD_FILE, "unreadable files of labels", "export them again"),
    (ProblemKind.BAD_ROW, "invalid labels", "export them again"),
    (ProblemKind.UNKNOWN_CLASS, "labels outside of the class list", "fix `names`, or relabel"),
    (ProblemKind.IN_TWO_SPLITS, "images in two splits", "give each split its own images"),
    (ProblemKind.OUTSIDE, "paths out of the dataset", "copy the files into its folder"),
)
_ODD_LABELS = (
    (ProblemKind.BOX_OUTSIDE, "boxes that reach out of their image"),
    (ProblemKind.SAME_BOX, "boxes that are given twice"),
    (ProblemKind.TINY_BOX, "boxes below 3 pixels"),
    (ProblemKind.ORPHAN_LABEL, "files of labels without an image"),
    (ProblemKind.NO_RECORD, "images without a record"),
    (ProblemKind.BAD_VERDICT, "invalid lines of verdicts"),
)


def alerts(health: Mapping[str, Any]) -> list[Alert]:
    """Return the alerts of a report without them, of each severity those of one kind together."""
    found = [
        *_files(health["problems"]),
        *_splits(health["tallies"].get("split", {})),
        *_leaks(health),
        *_classes(health["classes"]),
        *_empty(health["images"]),
        *_places(health),
        *_gaps(gaps(health)),
        *_hours(health["coverage"]),
        *_cameras(health["coverage"], health["duplicates"]),
        *_quality(health["images"]["readable"], health["quality"]["issues"]),
        *_labels(health["images"]["total"], health["tallies"]),
    ]
    severities, codes = list(Severity), list(dict.fromkeys(each.code for each in found))
    return sorted(
        found,
        key=lambda each: (
            severities.index(each.severity), codes.index(each.code), -each.amount, each.text
        ),
    )  # fmt: skip


def _files(problems: Mapping[str, int]) -> Iterator[Alert]:
    for kind, words, advice in _BAD_FILES:
        if count := problems.get(kind, 0):
            key = f"problem:{kind}"
            yield Alert(Severity.HIGH, "file", f"{words}: {count}", advice, key)
    for kind, words in _ODD_LABELS:
        if count := problems.get(kind, 0):
            advice = "look at them, and correct them in the review"
            yield Alert(Severity.MEDIUM, "label", f"{words}: {count}", advice, f"problem:{kind}")


def _splits(splits: Mapping[str, int]) -> Iterator[Alert]:
    if splits and not splits.get("train"):
        counts = ", ".join(f"{name} has {count}" for name, count in splits.items())
        yield Alert(
            Severity.HIGH,
            "no train",
            f"train has no images: {counts}",
            "export with a shorter --gap and --block, or capture on more days",
        )


def _leaks(health: Mapping[str, Any]) -> Iterator[Alert]:
    leakage = health["leakage"]
    for split, found in leakage["splits"].items():
        if found["near"]:
            share = found["near"] / found["images"]
            yield Alert(
                Severity.HIGH,
                "leak",
                f"{split} leaks: {found['near']} of its {found['images']} images "
                f"({share:.0%}) are nearly the same as a training image",
                "split by camera and time (capture-agent dataset export); keep one of each group",
                f"leak:{split}",
                share,
            )
    share = leakage["near_at_random"]
    if not leakage["splits"] and share >= _NEAR_SHARE:
        yield Alert(
            Severity.MEDIUM,
            "random split",
            f"a random split would leak: {share:.0%} of the validation images would nearly equal "
            "a training image",
            "split by camera and time: capture-agent dataset export",
            "near",
            share,
        )


def _classes(classes: Sequence[Mapping[str, Any]]) -> Iterator[Alert]:
    never = [each["label"] for each in classes if not each["objects"]]
    for each in classes:
        if not each["objects"] or not each["deficit"]:
            continue
        few = each["images"] < FEW_IMAGES
        yield Alert(
            Severity.HIGH if few else Severity.MEDIUM,
            "class",
            f"class {_name(each['label'])}: {counted(each['objects'], 'object')} in "
            f"{counted(each['images'], 'image')}, target {each['target']}",
            "capture more of it (AGENT_RULES with rare_label)"
            + ("; variants help most here: capture-agent dataset synthesize" if few else ""),
            f"class:{each['label']}",
            each["deficit"] / each["target"],
        )
    if never and len(never) < len(classes):
        shown = ", ".join(_name(label) for label in never[:_NAMES_SHOWN])
        more = f" and {len(never) - _NAMES_SHOWN} more" if len(never) > _NAMES_SHOWN else ""
        yield Alert(
            Severity.LOW,
            "class never seen",
            f"{len(never)} of {len(classes)} classes were never seen: {shown}{more}",
            "capture them, or train without them",
            amount=len(never) / len(classes),
        )
    if not any(each["objects"] for each in classes):
        advice = "review captures, or lower the thresholds"
        yield Alert(Severity.HIGH, "no objects", "no image has a labelled object", advice)


def _empty(images: Mapping[str, Any]) -> Iterator[Alert]:
    known, empty = images["labels_known"], images["empty"]
    if known < FEWEST:
        return
    share = empty / known
    if share > _MANY_EMPTY:
        yield Alert(
            Severity.MEDIUM,
            "empty",
            f"{share:.0%} of the images show no object",
            "keep 1 to 10 % of them for training, or capture more objects",
            "empty",
            share,
        )
    elif share < _EMPTY_WANTED:
        yield Alert(
            Severity.LOW,
            "empty",
            f"{empty} of {known} images show no object",
            "add some: they teach the model what is no object",
            "empty",
        )


def _places(health: Mapping[str, Any]) -> Iterator[Alert]:
    ninths = health["places"]["ninths"]
    for label, grid in ninths.items():
        if sum(map(sum, grid)) < FEWEST:
            continue
        third, share = max(thirds_of(ninths, label).items(), key=lambda each: each[1])
        if share >= CROWDED and third in {"upper", "lower", "left", "right"}:
            yield Alert(
                Severity.LOW,
                "place",
                f"{share:.0%} of the boxes of {_name(label)} are in the {third} third",
                "move or add a camera; shifted variants: capture-agent dataset synthesize",
                f"class:{label}",
                share,
            )


def _gaps(found: Sequence[Gap]) -> Iterator[Alert]:
    for gap in found:
        if gap.kind is GapKind.LIGHT:
            yield Alert(
                Severity.MEDIUM if gap.value == LIGHTS[0] and not gap.have else Severity.LOW,
                "light",
                f"{gap.have} images are {gap.value}, {gap.wanted} are wanted",
                "capture at other times of day; variants: capture-agent dataset synthesize",
                f"light:{gap.value}",
                gap.missing / gap.wanted,
            )
    by_label: dict[str, list[Gap]] = defaultdict(list)
    for gap in found:
        if gap.kind is GapKind.SIZE:
            by_label[gap.label].append(gap)
    for label, missing in by_label.items():
        counts = " and ".join(f"{gap.have} {gap.value}" for gap in sorted(missing, key=_size_order))
        wanted = f"{missing[0].wanted}{' of each' if len(missing) > 1 else ''} are wanted"
        yield Alert(
            Severity.LOW,
            "size",
            f"class {_name(label)}: only {counts} objects; {wanted}",
            "use a camera nearer or farther; variants: capture-agent dataset synthesize",
            f"class:{label}",
            max(gap.missing / gap.wanted for gap in missing),
        )


def _hours(coverage: Mapping[str, Any]) -> Iterator[Alert]:
    timed = sum(sum(row) for row in coverage["hours"].values())
    for gap in coverage["gaps"]:
        hours = (gap["to"] - gap["from"]) % 24 or 24
        if timed >= FEWEST and hours >= _GAP_HOURS:
            yield Alert(
                Severity.MEDIUM,
                "hours",
                f"no frame between {gap['from']:02}:00 and {gap['to']:02}:00",
                "capture then too, if the model has to work then",
                amount=hours / 24,
            )
    if coverage["not_synchronized"]:
        yield Alert(
            Severity.LOW,
            "clock",
            f"{coverage['not_synchronized']} images were taken while the clock was not "
            "synchronized: their hour is not known",
            "give the devices a time server",
            "untimed",
        )


def _cameras(coverage: Mapping[str, Any], duplicates: Mapping[str, Any]) -> Iterator[Alert]:
    cameras = coverage["cameras"]
    for camera, count in cameras.items():
        even = sum(cameras.values()) / len(cameras)
        if count < _RARE_CAMERA * even:
            yield Alert(
                Severity.LOW,
                "camera",
                f"{_name(camera)}: {count} images, the even share is {even:.0f}",
                "look whether it works, or raise its share of the budget",
                f"camera:{camera}",
                1 - count / even,
            )
    for camera, count in duplicates["near_by_camera"].items():
        if count >= max(2, _NEAR_SHARE * cameras.get(camera, 0)):
            yield Alert(
                Severity.MEDIUM,
                "near-duplicates",
                f"{_name(camera) or 'the dataset'}: {count} near-duplicates",
                "keep one of each group; they teach nothing new and leak between splits",
                f"near:{camera}",
                count / max(1, cameras.get(camera, count)),
            )
    if duplicates["exact"]:
        yield Alert(
            Severity.MEDIUM,
            "duplicates",
            f"{duplicates['exact']} images are exact copies of others",
            "delete the copies",
            "exact",
        )


def _quality(readable: int, issues: Mapping[str, int]) -> Iterator[Alert]:
    advice = {
        Issue.DARK: "look whether labels can be seen in them; light the place",
        Issue.LIGHT: "lower the exposure of the camera",
        Issue.BLURRY: "clean or focus the camera, or shorten its exposure",
        Issue.BLURRED: "clean or focus the camera, or shorten its exposure",
        Issue.LOW_INFORMATION: "look whether the camera is covered",
        Issue.ODD_ASPECT_RATIO: "crop them: a model squeezes them to its square",
        Issue.ODD_SIZE: "look where they come from",
    }
    for issue, words in advice.items():
        count = issues[issue]
        if count:
            yield Alert(
                Severity.MEDIUM if count > _ISSUE_SHARE * readable else Severity.LOW,
                "quality",
                f"{count} images are {issue}" if " " not in issue else f"{count} images: {issue}",
                words,
                f"issue:{issue}",
                count / readable,
            )


def _labels(total: int, tallies: Mapping[str, Mapping[str, int]]) -> Iterator[Alert]:
    untouched = tallies["origin"].get("model", 0)
    if untouched:
        yield Alert(
            Severity.MEDIUM if untouched > total / 2 else Severity.LOW,
            "not reviewed",
            f"{untouched} of {total} images have the model's own labels, which nobody checked",
            "review them: capture-agent review",
            "origin:model",
            untouched / total,
        )


def _size_order(gap: Gap) -> int:
    return SIZES.index(gap.value)


def counted(count: int, word: str) -> str:
    """Return a count with its noun: `1 image`, `2 images`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _name(label: str) -> str:
    return printable(label, _LABELS_SHOWN)
