"""Labels in AGENT_THRESHOLDS that the model does not have. Pure."""

import difflib
from collections.abc import Iterable, Sequence

from agent.printable import printable


def unknown_labels(wanted: Iterable[str], labels: Sequence[str]) -> str:
    """Return the wanted labels that are not among the model's, each with the nearest real one.

    Empty if the model has all of them.
    """
    return ", ".join(_with_hint(each, labels) for each in wanted if each not in labels)


def _with_hint(label: str, labels: Sequence[str]) -> str:
    by_key = {_key(each): each for each in reversed(labels)}
    near = difflib.get_close_matches(_key(label), by_key, n=1, cutoff=0.7)
    hint = f" (did you mean {printable(by_key[near[0]])}?)" if near else ""
    return printable(label) + hint


def _key(label: str) -> str:
    """Return a label without case and without what separates its words."""
    return "".join(c for c in label.casefold() if c.isalnum())
