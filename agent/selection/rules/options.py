"""Options of rules: declared as fields of a rule's dataclass, set by `AGENT_RULE_OPTIONS`.

    @dataclass(frozen=True, slots=True)
    class EdgeBox:
        thresholds: Thresholds
        margin: float = option(8.0, ge=0, le=500, unit="pixels", meaning="Distance to the edge.")

`AGENT_RULE_OPTIONS="edge_box.margin=12"` sets it for all cameras.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from agent.selection.rules import RULE_NAMES, rule_class

_KEY = "rule option"

RuleOptions = Mapping[str, Mapping[str, float]]
"""Values by rule name and option name."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a rule."""

    name: str
    default: float  # an int if only whole numbers are allowed
    ge: float
    le: float
    meaning: str
    unit: str = ""

    @property
    def allowed(self) -> str:
        """Return the allowed values, in words."""
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        unit = f" {self.unit}" if self.unit else ""
        return f"{kind} between {self.ge:g} and {self.le:g}{unit}"


def option(default: float, *, ge: float, le: float, meaning: str, unit: str = "") -> Any:
    """Declare an option as a field of a rule's dataclass; the bounds are inclusive."""
    text = {"ge": ge, "le": le, "meaning": meaning, "unit": unit}
    return field(default=default, metadata={_KEY: text})


def options_of(rule: type) -> Mapping[str, Option]:
    """Return the options that a rule's class declares, by name."""
    return {
        each.name: Option(each.name, each.default, **each.metadata[_KEY])
        for each in fields(rule)
        if _KEY in each.metadata and each.default is not MISSING
    }


def parse_rule_options(text: str) -> RuleOptions:
    """Read `rule.option=number` pairs, separated by spaces.

    Raise `ValueError` that names the wrong pair and the allowed values.
    """
    found: dict[str, dict[str, float]] = {}
    for pair in text.split():
        name, equals, value = pair.partition("=")
        rule, dot, option_name = name.partition(".")
        if not (equals and dot and value):
            raise ValueError(f"must be pairs such as weak_track.least_frames=4, not {pair}")
        if rule not in RULE_NAMES:
            raise ValueError(
                f"{pair}: there is no rule {rule}{_hint(rule, RULE_NAMES)}; "
                f"rules are {', '.join(RULE_NAMES)}"
            )
        declared = options_of(rule_class(rule))
        if option_name not in declared:
            has = f"its options are {', '.join(declared)}" if declared else "it has no options"
            hint = _hint(option_name, declared)
            raise ValueError(f"{pair}: {rule} has no option {option_name}{hint}; {has}")
        if option_name in found.get(rule, {}):
            raise ValueError(f"{pair}: {name} is set twice")
        found.setdefault(rule, {})[option_name] = _number(pair, value, declared[option_name])
    return found


def _hint(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _number(pair: str, text: str, declared: Option) -> float:
    kind = int if isinstance(declared.default, int) else float
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not declared.ge <= value <= declared.le:  # NaN is in no interval
        raise ValueError(f"{pair}: must be {declared.allowed}")
    return value
