"""Puts a health report together: one JSON object with stable names, and the images behind it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import tzinfo
from typing import Any

from agent.dataset.health import coverage, duplicates, objects, quality
from agent.dataset.health.alerts import alerts
from agent.dataset.health.coverage import camera_name
from agent.dataset.health.examine import Examined
from agent.dataset.health.findings import ImagesByKey
from agent.dataset.health.gaps import gaps
from agent.dataset.health.objects import Targets
from agent.dataset.health.subject import Subject
from agent.dataset.leakage import leaks

SCHEMA = 1
PROBLEMS_MAX = 1000
"""Problems that a report names one by one; all are counted."""

_HELD_OUT = 0.2  # share of the images that a random split holds out
_GROUPS_MAX = 1000  # groups of near-duplicates that a report names


@dataclass(frozen=True, slots=True)
class Health:
    """A report, and what the page shows behind its figures."""

    report: dict[str, Any]
    examined: Sequence[Examined]
    images: ImagesByKey = field(default_factory=ImagesByKey)


def health_of(
    subject: Subject,
    examined: Sequence[Examined],
    *,
    targets: Targets,
    zone: tzinfo | None,
    made_at: str,
    agent: str,
) -> Health:
    """Return the report on a dataset whose images were examined; see docs/health.md for its form.

    `made_at` and `agent` are the time and version that it names. The problems of the labels are
    added to those of `subject`.
    """
    found = ImagesByKey()
    objects.note_problems(subject, examined)
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "made_at": made_at,
        "agent": agent,
        "dataset": subject.directory.name,
        "layout": subject.layout.value,
        "images": {**_images(examined, found), "synthetic": subject.synthetic},
        "classes": objects.classes(subject, examined, targets, found),
        "places": objects.places(examined, found),
        "sizes": objects.sizes(examined, found),
        "objects_per_image": objects.counts(examined, found),
        "dimensions": quality.shapes(examined, found),
        "light": quality.light(examined, found),
        "quality": quality.quality(examined, found),
        "coverage": coverage.coverage(examined, zone, found),
        "duplicates": {},
        "leakage": {},
        "tallies": coverage.tallies(examined, found),
        "problems": _problems(subject, examined, found),
        "problem_list": [asdict(each) for each in subject.problems[:PROBLEMS_MAX]],
    }
    if subject.synthetic:
        report["tallies"]["origin"]["synthetic"] = subject.synthetic
    exact, near = _groups(examined)
    report["duplicates"] = _duplicates(examined, exact, near, found)
    report["leakage"] = _leakage(examined, found)
    report["alerts"] = [asdict(each) for each in alerts(report)]
    report["gaps"] = [{**asdict(gap), "missing": gap.missing} for gap in gaps(report)]
    return Health(report, examined, found)


def _images(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, Any]:
    known = [each for each in examined if each.image.objects is not None]
    empty = [number for number, each in enumerate(examined) if each.image.is_empty]
    found.add_all("empty", empty)
    unlabelled = [number for number, each in enumerate(examined) if not each.image.is_labelled]
    found.add_all("unlabelled", unlabelled)
    found.add_all("all", range(len(examined)))
    return {
        "total": len(examined),
        "readable": sum(each.facts is not None for each in examined),
        "labels_known": len(known),
        "without_labels": len(unlabelled),
        "empty": len(empty),
        "empty_share": round(len(empty) / len(known), 4) if known else None,
        "objects": sum(len(each.image.objects or ()) for each in examined),
    }


def _problems(subject: Subject, examined: Sequence[Examined], found: ImagesByKey) -> dict[str, int]:
    numbers = {each.image.name: number for number, each in enumerate(examined)}
    counts: Counter[str] = Counter()
    for problem in subject.problems:
        counts[problem.kind.value] += 1
        if problem.image in numbers:
            found.add(f"problem:{problem.kind}", numbers[problem.image])
    return dict(sorted(counts.items()))


def _groups(examined: Sequence[Examined]) -> tuple[list[list[int]], list[list[int]]]:
    exact = duplicates.exact_groups([each.sha256 for each in examined])
    copies = {number for group in exact for number in group[1:]}
    near = duplicates.near_groups(
        [
            each.facts.hash if each.facts and number not in copies else None
            for number, each in enumerate(examined)
        ]
    )
    return exact, near


def _duplicates(
    examined: Sequence[Examined],
    exact: Sequence[Sequence[int]],
    near: Sequence[Sequence[int]],
    found: ImagesByKey,
) -> dict[str, Any]:
    by_camera: Counter[str] = Counter()
    for place, group in enumerate(near):
        found.add_all("near", group)
        found.add_all(f"near group:{place}", group)
        for number in group[1:]:
            moment = examined[number].image.moment
            camera = camera_name(moment.device, moment.camera) if moment else ""
            by_camera[camera] += 1
            found.add_all(f"near:{camera}", (group[0], number))
    for group in exact:
        found.add_all("exact", group)
    return {
        "exact": duplicates.superfluous(exact),
        "near": duplicates.superfluous(near),
        "near_by_camera": dict(sorted(by_camera.items())),
        "exact_groups": _named(examined, exact),
        "near_groups": _named(examined, near),
    }


def _named(examined: Sequence[Examined], groups: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[examined[number].image.name for number in group] for group in groups[:_GROUPS_MAX]]


def _leakage(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, Any]:
    splits = [each.image.split for each in examined]
    hashes = [each.facts.hash if each.facts else None for each in examined]
    near = duplicates.neighbours(hashes, [each.sha256 for each in examined], splits)
    sizes = Counter(split for split in splits if split and split != "train")
    by_split: Counter[str] = Counter()
    for number in near.leaking(splits):
        by_split[splits[number]] += 1
        found.add(f"leak:{splits[number]}", number)
    return {
        "splits": {
            split: {
                "images": size,
                "near": by_split[split],
                "seconds": _seconds(examined, split),
            }
            for split, size in sorted(sizes.items())
        },
        "near_at_random": round(near.leaking_at_random(_HELD_OUT), 4),
        "seconds_at_random": _seconds_at_random(examined),
    }


def _seconds(examined: Sequence[Examined], split: str) -> dict[str, float]:
    """Return the share of a split's frames with a training frame near in time, by seconds."""
    moments = {each.image.name: each.image.moment for each in examined if each.image.moment}
    of_split = {
        name: [each.image.name for each in examined if each.image.split == name]
        for name in (split, "train")
    }
    held_out, train = ([n for n in of_split[each] if n in moments] for each in (split, "train"))
    return {f"{leak.within:g}": leak.share for leak in leaks(moments, train, held_out)}


def _seconds_at_random(examined: Sequence[Examined]) -> dict[str, float]:
    """Return the share of held-out frames that a random split leaks, by seconds.

    A frame leaks if a training frame of the same camera is within so many seconds.
    """
    moments = {each.image.name: each.image.moment for each in examined if each.image.moment}
    held_out = list(moments)[: int(len(moments) * _HELD_OUT)]
    rest = list(moments)[len(held_out) :]
    return {f"{leak.within:g}": leak.at_random for leak in leaks(moments, rest, held_out)}
