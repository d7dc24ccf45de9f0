"""Factors of groups of suspects: how often they were failures, against what their rule expected.

A group is a rule and a side of the threshold, then its label, its camera, or both. Its reviewed
suspects have the sum `expected` of their `p`, and `failures` of them turned out to be some. With a
prior that is worth `STRENGTH` expected failures the factor is

    smooth = (16 x parent + failures) / (16 + expected),

the posterior mean of a Beta distribution of the chance whose pseudo-suspects have as many expected
failures: with few reviews nothing moves.

The parent is what other groups say, without the group's own reviews, so that none counts twice: of
a rule and side all other rules of that side; of a label or camera the rest of the rule and side; of
a label on a camera the product of both effects. What one camera shows may be special to it, so to
others it says at most half as much as the prior (`CAMERA_MOST`).

On a camera of its own a rule may also find nothing ever: a tree that looks like a person stays one.
So there the factor has the prior 0.98 x Gamma(16 x parent, 16) + 0.02 x (useless: 0.02), with the
number of failures as Poisson distributed. After 7 expected failures of which none came true the
second part weighs more than 0.8, and the rule has lost its credits; no smooth prior is so fast.

The strength is a compromise: on labelled video (docs/feedback.md) 4 to 32 differ by less than
chance, and a higher one loses less where the rules were right.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.evaluation.suspect_evidence import Evidence
from agent.selection.feedback import FACTOR_MAX, Side, SuspectFactor, factor_of

STRENGTH = 16.0
"""Expected failures that the prior is worth."""

CAMERA_MOST = 8.0
"""Expected failures of one camera that count for others."""

USELESS_SHARE = 0.02
"""Probability, before any review, that a group of suspects is useless on a camera."""

USELESS_FACTOR = 0.02

_TOLD = 0.01  # a factor that differs by less from that without its group is left out

_Key = tuple[str, Side, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Tally:
    """The reviewed suspects of a group."""

    reviewed: int = 0
    expected: float = 0.0  # sum of their `p`
    failures: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        """Join two groups without common suspects."""
        return Tally(
            self.reviewed + other.reviewed,
            self.expected + other.expected,
            self.failures + other.failures,
        )


def smooth(tally: Tally, parent: float = 1.0) -> float:
    """Return the posterior mean of a group's factor, above 0 and at most `FACTOR_MAX`."""
    mean = (STRENGTH * parent + tally.failures) / (STRENGTH + tally.expected)
    return min(FACTOR_MAX, mean)


def on_camera(tally: Tally, parent: float = 1.0) -> float:
    """Return the posterior mean of the factor of a group of one camera, which may be useless."""
    if not tally.reviewed:
        return parent
    found, expected = tally.failures, tally.expected
    shape = STRENGTH * parent
    usual = smooth(tally, parent)
    # Logarithms of the probability of what was found, but for a common factor.
    if_usual = (
        math.lgamma(shape + found)
        - math.lgamma(shape)
        + shape * math.log(STRENGTH)
        - (shape + found) * math.log(STRENGTH + expected)
    )
    if_useless = found * math.log(USELESS_FACTOR) - USELESS_FACTOR * expected
    odds = math.log(USELESS_SHARE / (1 - USELESS_SHARE)) + if_useless - if_usual
    useless = 1 / (1 + math.exp(-min(max(odds, -700.0), 700.0)))
    return useless * min(USELESS_FACTOR, usual) + (1 - useless) * usual


def suspect_factors(evidence: Iterable[Evidence]) -> list[SuspectFactor]:
    """Return the factors of all groups that have reviews and say something of their own."""
    tallies = _Tallies(evidence)
    factors: dict[_Key, float] = {}
    found = []
    for key in tallies.groups():
        rule, side, label, camera = key
        factor = tallies.factor(key)
        if label is not None or camera is not None:
            other = factor_of(factors, rule, side, label=label or "", camera=camera or "")
            if abs(factor - other) < _TOLD:
                continue
        factors[key] = factor
        tally = tallies.whole(key)
        found.append(
            SuspectFactor(
                rule,
                side,
                label,
                camera,
                tally.reviewed,
                round(tally.failures, 3),
                round(tally.expected, 3),
                round(factor, 4),
            )
        )
    return found


class _Tallies:
    """The reviewed suspects by rule and side, then by label and camera."""

    def __init__(self, evidence: Iterable[Evidence]) -> None:
        self._tallies: dict[tuple[str, Side], dict[tuple[str, str], Tally]] = {}
        for each in evidence:
            cells = self._tallies.setdefault((each.rule, each.side), {})
            place = each.label, each.camera
            cells[place] = cells.get(place, Tally()) + Tally(1, each.prior, each.failure)
        sides = {side for _, side in self._tallies}
        self._of_side = {
            (rule, side): smooth(self._of_other_rules(rule, side))
            for rule, _ in self._tallies
            for side in sides
        }

    def groups(self) -> list[_Key]:
        """Return all groups with reviews, the general ones first."""
        found: set[_Key] = set()
        for (rule, side), cells in self._tallies.items():
            for label, camera in cells:
                named = label or None
                found |= {(rule, side, None, None), (rule, side, None, camera)}
                found |= {(rule, side, named, None), (rule, side, named, camera)}
        return sorted(found, key=lambda key: (key[3] is not None, key[2] is not None, str(key)))

    def whole(self, key: _Key) -> Tally:
        """Return all reviewed suspects of a group."""
        rule, side, label, camera = key
        cells = self._tallies[rule, side]
        return sum(
            (cells[at] for at in cells if label in {None, at[0]} and camera in {None, at[1]}),
            Tally(),
        )

    def factor(self, key: _Key) -> float:
        """Return the factor of a group."""
        rule, side, label, camera = key
        parent = self._of_side[rule, side]
        cells = self._tallies[rule, side]
        if camera is None:
            if label is None:
                return smooth(_from_afar(cells), parent)
            rest = smooth(_from_afar({at: cells[at] for at in cells if at[0] != label}), parent)
            return smooth(_from_afar({at: cells[at] for at in cells if at[0] == label}), rest)
        afar = {at: cells[at] for at in cells if at[1] != camera}
        here = {at: cells[at] for at in cells if at[1] == camera}
        if label is None:
            return on_camera(sum(here.values(), Tally()), smooth(_from_afar(afar), parent))
        rest = smooth(_from_afar({at: afar[at] for at in afar if at[0] != label}), parent)
        of_label = smooth(_from_afar({at: afar[at] for at in afar if at[0] == label}), rest)
        beside = sum((here[at] for at in here if at[0] != label), Tally())
        both = of_label * on_camera(beside, rest) / rest
        return on_camera(here[label, camera], min(both, FACTOR_MAX))

    def _of_other_rules(self, rule: str, side: Side) -> Tally:
        """Return what the other rules of a side found, each camera bounded over all of them."""
        cells: dict[tuple[str, str], Tally] = {}
        for (name, where), found in self._tallies.items():
            if where is side and name != rule:
                for place, tally in found.items():
                    cells[place] = cells.get(place, Tally()) + tally
        return _from_afar(cells)


def _from_afar(cells: Mapping[tuple[str, str], Tally]) -> Tally:
    """Return what cameras say to others: each at most `CAMERA_MOST` expected failures."""
    cameras: dict[str, Tally] = {}
    for (_, camera), tally in cells.items():
        cameras[camera] = cameras.get(camera, Tally()) + tally
    total = Tally()
    for tally in cameras.values():
        share = min(1.0, CAMERA_MOST / tally.expected) if tally.expected else 1.0
        total += Tally(tally.reviewed, share * tally.expected, share * tally.failures)
    return total
