"""Says in words why a frame was captured."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from agent.printable import printable
from agent.selection.rules import RULE_NAMES, rule_class

_OTHERS: Mapping[str, str] = {
    "requested": "Somebody asked for it",
    "every_nth": "Every nth frame is captured",
    "random_interval": "Drawn at random",
    "invalid_output": "The model's output was incomplete, or its run failed",
    "verdict/wrong": "A person said that the model is wrong",
    "verdict/missing": "A person said that something is missing",
    "verdict/unobjected": "It was shown, and nobody objected",
}


def rule_words(rule: Any) -> str:
    """Return a sentence for a rule of a record, or for its name."""
    name = rule.get("name", "") if isinstance(rule, Mapping) else rule
    return _words(str(name))


@cache
def _words(name: str) -> str:
    if name in RULE_NAMES:
        return (rule_class(name).__doc__ or "").partition(".")[0].replace("\n    ", " ")
    return _OTHERS.get(name, printable(name).replace("_", " "))
