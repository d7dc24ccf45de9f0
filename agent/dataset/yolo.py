"""YOLO labels: one text row for each box, and a `data.yaml` with the class names.

Pure text in, text out. No YAML library: names are written as JSON strings, which YAML reads too.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.record.summary import sides

_NAME = re.compile(r" {2}(\d{1,9}): (\".*\")")


def rows(
    detections: Sequence[Mapping[str, Any]],
    classes: Sequence[int],
    *,
    width: int,
    height: int,
) -> str:
    """Return a row `class x_centre y_centre width height` per box, in normalized coordinates.

    `classes` has the class of each detection. Boxes are cut at the edges of the image; of one that
    is outside of it nothing remains. Raises `ValueError` for a box that is not four finite numbers.
    """
    lines = []
    for detection, number in zip(detections, classes, strict=True):
        x_min, y_min, x_max, y_max = sides(detection)
        left, right = _cut(x_min / width), _cut(x_max / width)
        top, bottom = _cut(y_min / height), _cut(y_max / height)
        if right > left and bottom > top:
            shares = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
            texts = " ".join(f"{share:.6f}" for share in shares)
            lines.append(f"{number} {texts}\n")
    return "".join(lines)


def data_yaml(names: Sequence[str]) -> str:
    """Return the `data.yaml` of a dataset whose class i is `names[i]`.

    Without `path`, trainers look beside the file, so the folder may be moved or read elsewhere.
    """
    lines = [
        "# Written by capture-agent. The numbers are the model's own; a label keeps its number.",
        "# train and val are the same images: split them by camera and time before you train.",
        "train: images",
        "val: images",
        "names:" if names else "names: {}",
        *(f"  {index}: {_quoted(name)}" for index, name in enumerate(names)),
    ]
    return "\n".join(lines) + "\n"


def names_of(text: str) -> list[str]:
    """Return the class names of a `data.yaml` that the agent wrote, by class.

    Raises `ValueError` for any other text: labels numbered otherwise would be silently wrong.
    """
    lines = text.splitlines()
    if "names: {}" in lines:
        return []
    names: list[str] = []
    for line in lines[lines.index("names:") + 1 :]:
        match = _NAME.fullmatch(line)
        if match is None or int(match[1]) != len(names):
            raise ValueError(f"the line {line!r} is not ours")
        names.append(json.loads(match[2]))
    return names


def _cut(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _quoted(text: str) -> str:
    # YAML takes letters of any language as they are, but wants invisible characters escaped; its
    # escapes of up to four digits are JSON's.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(
        c if c.isprintable() or ord(c) > 0xFFFF else f"\\u{ord(c):04x}"  # noqa: PLR2004
        for c in quoted
    )
