"""The model's labels compared with those of a labelling project, for people to read."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from agent.printable import printable

_SHOWN = 40  # characters of one label
_LIST = 300  # characters of a list of labels


def missing(used: Iterable[str], known: Collection[str]) -> list[str]:
    """Return a sentence for each used label that is not known."""
    found = []
    for label in sorted(set(used) - set(known)):
        near = nearest(label, known)
        hint = f"; it has {printable(near, _SHOWN)}" if near is not None else ""
        found.append(f"the project has no label {printable(label, _SHOWN)}{hint}")
    return found


def comparison(model: Collection[str], project: Collection[str]) -> str | None:
    """Return what would not arrive of the model's labels, with both lists; None if all would."""
    absent = [label for label in model if label not in project]
    if not absent:
        return None
    near = [(label, nearest(label, project)) for label in absent]
    hints = [
        f"{printable(label, _SHOWN)} is there as {printable(other, _SHOWN)}"
        for label, other in near
        if other is not None
    ]
    share = "all" if len(absent) == len(set(model)) else f"{len(absent)} of {len(set(model))}"
    return (
        f"the project lacks {share} labels of the model, so their boxes would be left out. The "
        f"model has {_listed(model)}; the project has {_listed(project)}"
        + (f"; {', '.join(hints[:5])}" if hints else "")
        + ". Spell the labels in the labelling interface as the model does"
    )


def nearest(label: str, known: Collection[str]) -> str | None:
    """Return the known label that is nearest to another one; None if none is near.

    One that differs in case, blanks or marks alone is nearest.
    """
    plain = {_plain(other): other for other in sorted(known)}
    if _plain(label) in plain:
        return plain[_plain(label)]
    close = get_close_matches(_plain(label), plain, n=1, cutoff=0.8)
    return plain[close[0]] if close else None


def _plain(label: str) -> str:
    return "".join(c for c in label.casefold() if c.isalnum())


def _listed(labels: Collection[str]) -> str:
    return printable(", ".join(sorted(labels)), _LIST) or "none"
