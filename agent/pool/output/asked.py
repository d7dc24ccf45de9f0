"""Reads the bounds of the choice as a person writes them; all that is wrong is told at once."""

import difflib
from collections.abc import Collection, Sequence

from agent.errors import ConfigurationError
from agent.pool.choices import Bounds
from agent.printable import printable

MOST = 1_000_000_000
"""Images that can be asked for."""


def asked_bounds(
    take: int,
    *,
    per_camera: int | None,
    per_class: Sequence[str],
    labels: Collection[str],
    degraded: int | None = None,
) -> Bounds:
    """Return the bounds of `--take`, `--per-camera`, `--per-class` and `--degraded`.

    `labels` are those of the model; empty where it does not know them. Raises `ConfigurationError`
    with all that is wrong.
    """
    problems = []
    if not 1 <= take <= MOST:
        problems.append(f"cannot use --take {take}: it must be from 1 to {MOST}")
    if per_camera is not None and not 1 <= per_camera <= MOST:
        problems.append(
            f"cannot use --per-camera {per_camera}: it must be from 1 to {MOST}; leave it out for "
            "no bound"
        )
    if degraded is not None and not 0 <= degraded <= MOST:
        problems.append(
            f"cannot use --degraded {degraded}: it must be from 0 to {MOST}; leave it out for 5 % "
            "of --take"
        )
    each: int | None = None
    named: dict[str, int] = {}
    for text in per_class:
        label, mark, number = text.rpartition("=")
        count = _count(number)
        why = (
            f"{printable(number) or 'nothing'} is not a number from 0 to {MOST}"
            if count is None
            else _refusal(label, named, labels)
            if mark
            else _refusal_of_all(count, each)
        )
        if why:
            problems.append(f"cannot use --per-class {printable(text)}: {why}")
        elif mark:
            named[label] = count or 0
        else:
            each = count
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Bounds(take, per_camera, each, named, degraded)


def _refusal(label: str, named: Collection[str], labels: Collection[str]) -> str:
    """Return why one label cannot have a bound; empty if it can."""
    if label in named:
        return f"{printable(label)} is given twice"
    if not labels or label in labels:
        return ""
    near = difflib.get_close_matches(label, labels, 1)
    hint = f"; did you mean {printable(near[0])}?" if near else ""
    return f"the model has no label {printable(label)}{hint}"


def _refusal_of_all(count: int, each: int | None) -> str:
    """Return why all labels cannot have a bound; empty if they can."""
    if each is not None:
        return "it is given twice"
    return "" if count else "no class could have an image; write LABEL=0 for one class"


def _count(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST)):
        return None
    return int(text) if int(text) <= MOST else None
