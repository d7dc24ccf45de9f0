"""What an import adds: at most one line of `verdicts.jsonl` for each capture.

- Boxes that are the model's own are `right` where the tool says that a person looked at the image;
  elsewhere they are no review, unless the caller says that all were looked at.
- Removed or changed boxes are `wrong`, added ones alone `missing`, both with all boxes.
- A line that says what is known already is not added, nor one that is older than the review that
  stands. So a second import of a file adds nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.dataset.annotations.comparison import Comparison, compare
from agent.dataset.annotations.objects import objects_of_comparison
from agent.dataset.annotations.source import ReviewError
from agent.dataset.annotations.spelling import require_labels_of_model
from agent.dataset.importing.repeats import says_the_same, shows_the_truth
from agent.dataset.importing.said import Export, Said
from agent.dataset.records import Records
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import Line, objects_of, review_line, standing_lines
from agent.domain import VerdictKind
from agent.printable import printable
from agent.record.summary import Annotate, class_of, confident

_STRETCH = 0.02  # by which the shapes of two images of one capture differ by rounding


@dataclass(slots=True)
class ImportPlan:
    """The lines to add, and what became of all other captures of an export."""

    tool: str
    lines: list[Line] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    known: list[str] = field(default_factory=list)  # it says what the dataset says already
    kept: list[str] = field(default_factory=list)  # a newer review says something else
    replaced: list[str] = field(default_factory=list)  # an older review said something else
    untouched: list[str] = field(default_factory=list)  # the model's own; nobody says: looked at
    unannotated: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    not_shown: dict[str, str] = field(default_factory=dict)  # with a label that the tool lacks
    foreign: int = 0

    @property
    def captures(self) -> int:
        """Captures of the dataset that the export has."""
        parts = self.known, self.kept, self.untouched, self.unannotated, self.skipped
        return len(self.lines) + sum(map(len, parts)) + len(self.not_shown)


@dataclass(frozen=True, slots=True)
class ImportTerms:
    """What the caller says of an export."""

    now: float  # seconds since 1970 UTC
    by: str = ""  # whose reviews they are; empty = as the tool says
    is_reviewed: bool = False  # a person looked at all images in it


def plan_import(
    export: Export, dataset: ReviewedDataset, source: Path, terms: ImportTerms
) -> ImportPlan:
    """Return what to add to a dataset; nothing is written.

    Raises `ReviewError` for an export whose classes or images do not fit the captures.
    """
    records = {name: each.record for name, each in dataset.captures.items()}
    truth = {name: each.boxes for name, each in export.said.items() if each.boxes is not None}
    require_labels_of_model(source, truth, records)
    compared = _compared(export, truth, records, source)
    has_model_boxes = any(each.same or each.raised for each in compared.values())
    plan = ImportPlan(
        export.tool,
        unannotated=[] if terms.is_reviewed else sorted(export.unannotated),
        skipped=sorted(export.skipped),
        foreign=export.foreign,
    )
    for name, said in sorted(_all_said(export, terms).items()):
        record, comparison = records[name], compared.get(name)
        lacks = _label_not_shown(record, export) if "detections" in record else None
        is_looked_at = said.is_looked_at or terms.is_reviewed
        if not is_looked_at and _is_bare(said, comparison, has_model_boxes=has_model_boxes):
            plan.unannotated.append(name)
        elif not is_looked_at and _is_untouched(said, record, comparison):
            plan.untouched.append(name)
        elif lacks is not None and (said.verdict is None or name in export.unannotated):
            plan.not_shown[name] = lacks
        else:
            # Of what was not shown, a verdict is all that is known.
            drawn = comparison if lacks is None else None
            line = _line(name, said, record, drawn, export.tool, terms)
            if _is_standing(name, said, dataset, export):
                plan.known.append(name)
            else:
                _add(plan, line, dataset, said)
    return plan


def _all_said(export: Export, terms: ImportTerms) -> Mapping[str, Said]:
    """Return what is said of each capture; if all were looked at, silence says that it is right."""
    if not terms.is_reviewed:
        return export.said
    silent = Said(verdict=VerdictKind.RIGHT, is_looked_at=True)
    return {**dict.fromkeys(export.unannotated, silent), **export.said}


def _compared(
    export: Export, truth: Mapping[str, Sequence[Any]], records: Records, source: Path
) -> dict[str, Comparison]:
    compared: dict[str, Comparison] = {}
    stretched = []
    for name, boxes in truth.items():
        across, down = _scale(name, export, records[name])
        if "detections" in records[name]:
            compared[name] = compare(records[name], boxes, _grain(across, down))
        if abs(across / down - 1) > _STRETCH and boxes:
            stretched.append((name, *export.sizes[name]))
    if stretched and not any(compared[name].same for name, *_ in stretched if name in compared):
        name, width, height = stretched[0]
        image = records[name]["image"]
        raise ReviewError(
            f"cannot use {printable(source)}: its image of the capture {name} has {width:g} x "
            f"{height:g} pixels, the capture {image['width']} x {image['height']}, and no box says "
            "how one became the other; export without resizing, tiling or cropping"
        )
    return compared


def _scale(name: str, export: Export, record: Mapping[str, Any]) -> tuple[float, float]:
    """Return how many pixels of the capture one pixel of the tool's image has: across, down."""
    image = record["image"]
    width, height = export.sizes.get(name, (image["width"], image["height"]))
    return image["width"] / width, image["height"] / height


def _grain(across: float, down: float) -> float:
    # Corner and length are both rounded, and a right or lower side is off by both.
    return 1.5 * max(across, down) if max(across, down) > 1 else 1.0


def _is_standing(name: str, said: Said, dataset: ReviewedDataset, export: Export) -> bool:
    """Whether the labels that a tool shows are those of the capture's standing review."""
    record, review = dataset.captures[name].record, dataset.review(name)
    if review is None:
        return False
    grain = _grain(*_scale(name, export, record))
    return shows_the_truth(said, record, objects_of(record, review), grain)


def _is_bare(said: Said, comparison: Comparison | None, *, has_model_boxes: bool) -> bool:
    """Whether nothing says that a person took the model's boxes away: perhaps they never came."""
    if said.verdict is not None:
        return False
    if comparison is None:
        return not said.labels
    return not said.boxes and bool(comparison.removed) and not has_model_boxes


def _is_untouched(said: Said, record: Mapping[str, Any], comparison: Comparison | None) -> bool:
    if said.verdict is not None:
        return False
    if comparison is not None:
        return comparison.is_untouched
    return said.labels is None or said.labels == _model_labels(record)


def _label_not_shown(record: Mapping[str, Any], export: Export) -> str | None:
    """Return a label that the model reported and the tool cannot show, so that nobody judged it."""
    if export.labels is None:
        return None
    reported = sorted({str(each["label"]) for each in confident(record)})
    return next((label for label in reported if label not in export.labels), None)


def _line(
    name: str,
    said: Said,
    record: Mapping[str, Any],
    comparison: Comparison | None,
    tool: str,
    terms: ImportTerms,
) -> Line:
    try:
        verdict, boxes, labels = _judged(said, record, comparison)
        return review_line(
            name,
            verdict,
            at=min(said.at, terms.now) if said.at is not None else terms.now,
            by=terms.by or said.by or tool,
            boxes=boxes,
            labels=labels,
            note=said.note,
        )
    except (ValueError, OverflowError) as error:
        raise ReviewError(
            f"cannot import the review of the capture {name}: {printable(error)}"
        ) from error


def _judged(
    said: Said, record: Mapping[str, Any], comparison: Comparison | None
) -> tuple[VerdictKind, list[dict[str, Any]] | None, list[str] | None]:
    """Return the verdict, and the objects or the classes of the image where they differ."""
    if said.verdict is VerdictKind.UNUSABLE:
        return said.verdict, None, None
    if comparison is not None and comparison.verdict is not VerdictKind.RIGHT:
        return comparison.verdict, objects_of_comparison(record, comparison), None
    if said.labels is not None and "classes" in record and said.labels != _model_labels(record):
        return VerdictKind.WRONG, None, list(said.labels)
    return said.verdict or VerdictKind.RIGHT, None, None


def _model_labels(record: Mapping[str, Any]) -> tuple[str, ...]:
    best = class_of(record, Annotate.THRESHOLD)
    return () if best is None else (best.label,)


def _add(plan: ImportPlan, line: Line, dataset: ReviewedDataset, said: Said) -> None:
    """Add a line to the plan, unless the dataset knows it or has a newer one."""
    lines = dataset.lines_of(line["id"])
    mine = [each for each in lines if each.get("by") == line["by"]]
    latest = standing_lines(mine).get(line["id"])
    standing = standing_lines(lines).get(line["id"])
    if latest is not None and says_the_same(line, latest):
        # What this user says has not changed since it came in.
        is_overruled = standing is not None and not says_the_same(line, standing)
        (plan.kept if is_overruled else plan.known).append(line["id"])
        return
    if standing is not None and says_the_same(line, standing):
        plan.known.append(line["id"])
        return
    if standing is not None:
        if said.at is not None and _moment(standing) > _moment(line):
            plan.kept.append(line["id"])
            return
        plan.replaced.append(line["id"])
    plan.lines.append(line)
    plan.verdicts[line["verdict"]] += 1


def _moment(line: Line) -> datetime:
    return datetime.fromisoformat(line["at"])
