"""The images of former choices, which `--after` names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.factories.pool import place_of
from agent.pool.candidates import Candidate
from agent.pool.output.former import FormerChoice, former_choice, has_images
from agent.printable import printable
from agent.selection.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.pool.analysis.candidate import PoolChances
    from agent.pool.engine import AnalysisProgress
    from agent.pool.run import AnalysedItems, Analysis

_STORE = "after"  # beside the rows of the pool


@dataclass(slots=True)
class FormerImages:
    """What was shown before the choice."""

    analysed: AnalysedItems | None = None
    choices: list[FormerChoice] = field(default_factory=list)  # of which there are no images
    warnings: list[str] = field(default_factory=list)

    def analyse(self, told: Callable[[AnalysisProgress], None]) -> None:
        """Analyse what is not kept yet."""
        if self.analysed is not None:
            self.analysed.analyse(told)

    def candidates(self, chances: PoolChances | None) -> Iterator[Candidate]:
        """Yield what was shown; of a choice without images, what it is known by."""
        if self.analysed is not None:
            yield from self.analysed.candidates(chances)
        for choice in self.choices:
            for name in sorted(choice.ids):
                yield Candidate(name, name, View(""))
            for digest in sorted(choice.digests):
                yield Candidate(digest, "", View("", digest=digest))


def former_images(after: Sequence[str], out: str, analysis: Analysis) -> FormerImages:
    """Return what the folders of `--after` have; raises `ConfigurationError` with all problems."""
    from agent.dataset.bucket_address import is_bucket
    from agent.pool.run import AnalysedItems
    from agent.pool.sources.listing import list_items

    found = FormerImages()
    places: list[str] = []
    problems = []
    for each in dict.fromkeys(after):
        try:
            if not is_bucket(each):
                _check_apart(each, out)
                choice = former_choice(Path(each))
                if choice is not None:
                    found.choices.append(choice)
                    if not has_images(Path(each)):
                        found.warnings.append(
                            f"--after {printable(each)} has ids and no images: they are not "
                            "chosen again, but what they would show does not count as shown"
                        )
                        continue
            places.append(each)
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems))
    if places:
        try:
            listing = list_items(places)
        except ConfigurationError as error:
            raise ConfigurationError(f"cannot use --after: {error}") from error
        found.analysed = AnalysedItems(place_of(out, below=_STORE), listing.items, analysis)
    return found


def _check_apart(folder: str, out: str) -> None:
    if Path(folder).resolve() == Path(out).resolve():
        raise ConfigurationError(
            f"cannot use --after {printable(folder)}: it is --out itself; name a new folder for "
            "--out to go on from it"
        )
