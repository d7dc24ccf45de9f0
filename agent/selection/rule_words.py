"""Says in words why a frame was captured."""

from collections.abc import Mapping
from functools import cache

from agent.printable import printable
from agent.selection.rules import RULE_NAMES, rule_class

_OTHERS: Mapping[str, str] = {
    "requested": "Somebody asked for it",
    "every_nth": "Every nth frame is captured",
    "random_interval": "Drawn at random",
    "auto_label": "The model labelled it: it is sure of all that the frame shows",
    "invalid_output": "The model's output was incomplete, or its run failed",
    "wrong": "A person said that the model is wrong",
    "missing": "A person said that something is missing",
    "unusable": "A person said that the image cannot be judged",
    "unobjected": "It was shown, and nobody objected",
}


@cache
def rule_words(name: str) -> str:
    """Return a sentence for the name of a rule, or of another reason."""
    if name in RULE_NAMES:
        return (rule_class(name).__doc__ or "").partition(".")[0].replace("\n    ", " ")
    return _OTHERS.get(name, printable(name).replace("_", " "))
