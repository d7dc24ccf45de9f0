"""One call of `capture-agent pool`, from the sources to the report, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.errors import ConfigurationError, TemporaryError
from agent.factories import pool as parts_of
from agent.files import is_disk_full
from agent.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from agent.factories.pool_after import FormerImages
    from agent.pool.choices import Bounds, Choice
    from agent.pool.engine import AnalysisProgress
    from agent.pool.output.chosen import ChosenImage
    from agent.pool.output.counts import PoolCounts
    from agent.pool.run import AnalysedItems
    from agent.pool.sources.listing import Listing
    from agent.settings.declarations import Settings


_LONGEST = 500  # characters of a path


@dataclass(frozen=True, slots=True)
class PoolCall:
    """What the command was asked for."""

    sources: Sequence[str]
    out: str
    take: int
    after: Sequence[str] = ()
    per_camera: int | None = None
    per_class: Sequence[str] = ()
    degraded: int | None = None
    ids: bool = False
    feedback: str = "AGENT_FEEDBACK"  # where the feedback file was named


class PoolRun:
    """Runs a call. Each step raises `ConfigurationError` or `TemporaryError` for the command."""

    def __init__(
        self,
        settings: Settings,
        call: PoolCall,
        *,
        engine: str = "local",
        address: str | None = None,
        workers: int | None = None,
    ) -> None:
        """Check what can be checked before anything is read; the model is loaded."""
        from agent.factories.pool_analysis import analyser_factory, begun_analysis
        from agent.pool.output.asked import asked_bounds
        from agent.pool.run import Analysis
        from agent.pool.sources.reader import ItemReader

        self._settings = settings
        self._call = call
        found = parts_of.engine_of(
            engine,
            address=address,
            workers=workers,
            out=call.out,
            providers=settings.providers,
        )
        self._spec, self._parts = begun_analysis(settings, ItemReader)
        self._model = self._parts.detector.info
        self._bounds = asked_bounds(
            call.take,
            per_camera=call.per_camera,
            per_class=call.per_class,
            labels=self._model.labels,
            degraded=call.degraded,
        )
        self._chances = parts_of.chances_of(settings, self._model, named=call.feedback)
        self._analysis = Analysis(
            found,
            analyser_factory(self._spec, ItemReader),
            parts_of.kept_settings(settings, self._model),
        )
        self._warnings: list[str] = []
        self._output = parts_of.output_of(call.out)
        self._place = parts_of.place_of(call.out)
        self._listing: Listing | None = None
        self._analysed: AnalysedItems | None = None
        self._former: FormerImages | None = None
        self._choice: Choice | None = None
        self._chosen: list[ChosenImage] = []

    def owned(self) -> AbstractContextManager[None]:
        """Keep other calls out of the output within the block."""
        return self._output.owned()

    def list_items(self, counted: Callable[[int], None]) -> None:
        """Find out what the sources and the former choices consist of."""
        from agent.factories.pool_after import former_images
        from agent.factories.pool_analysis import analyser_factory
        from agent.factories.pool_masks import check_masks
        from agent.pool.sources.listing import list_items
        from agent.pool.sources.reader import ItemReader

        self._listing = list_items(self._call.sources, output=self._call.out, progress=counted)
        check_masks(self._settings.masks, self._listing.items)
        makes = analyser_factory(self._spec, partial(ItemReader, self._listing.readable))
        self._analysis = replace(self._analysis, make_analyser=makes)
        self._former = former_images(self._call.after, self._call.out, self._analysis)
        self._warnings += self._former.warnings

    def analyse(self, told: Callable[[AnalysisProgress], None]) -> None:
        """Analyse what is not kept yet."""
        self._pool.analyse(told)
        assert self._former is not None  # noqa: S101 (steps are in order)
        self._former.analyse(told)

    def choose(self, told: Callable[[int], None] | None = None) -> None:
        """Choose from what is kept; `told` is how many are chosen so far."""
        from agent.pool.store.sealed import DamagedPart

        try:
            assert self._former is not None  # noqa: S101
            covered = list(self._former.candidates(self._chances))
            self._counts = self._pool.counts()
            self._counts.gone = self._pool.gone()
            _require_images(self._counts)
            self._choice = self._pool.choose(self._bounds, self._chances, covered, told)
            self._chosen = self._pool.chosen(self._choice.picks, self._chances)
        except DamagedPart as error:
            raise TemporaryError(
                f"{self._pool.give_up(error)}; call the same command again"
            ) from error
        if gone := self._counts.gone:
            self._warnings.append(
                f"images and recordings of an earlier call that are in no SOURCE any more: "
                f"{len(gone):,}, such as {printable(gone[0], _LONGEST)}; none of them is chosen"
            )
        if len(self._chosen) < self._bounds.take:
            self._warnings.append(_fewer(self._chosen, self._bounds, self._counts, self._choice))

    @property
    def _pool(self) -> AnalysedItems:
        if self._analysed is None:
            from agent.pool.run import AnalysedItems

            assert self._listing is not None  # noqa: S101 (steps are in order)
            self._analysed = AnalysedItems(self._place, self._listing.items, self._analysis)
        return self._analysed

    @property
    def chosen_count(self) -> int:
        """How many images are chosen."""
        return len(self._chosen)

    def write(self, copied: Callable[[int], object]) -> dict[str, Any]:
        """Write captures or ids, page and report; return the report."""
        from agent.pool.output.captures import CaptureMaker
        from agent.pool.output.write import write_captures, write_ids

        try:
            if self._call.ids:
                return write_ids(self._output, self._chosen, self._report)
            feedback = self._chances.sha256 if self._chances is not None else None
            maker = CaptureMaker(self._parts, feedback=feedback)
            return write_captures(self._output, self._chosen, maker, self._report, copied)
        except OSError as error:
            fix = "make room there" if is_disk_full(error) else "check the rights of the folder"
            raise ConfigurationError(
                f"cannot write into {printable(self._call.out)}: {error.strerror or error}; {fix} "
                "and call it again: what was analysed stays"
            ) from error

    def _report(self, chosen: Sequence[ChosenImage], lost: Mapping[str, str]) -> dict[str, Any]:
        from agent.pool.output.report import report_of

        assert self._listing is not None  # noqa: S101 (steps are in order)
        assert self._choice is not None  # noqa: S101
        warnings = list(self._warnings)
        if lost:
            key, why = next(iter(lost.items()))
            warnings.append(
                f"{len(lost)} chosen images cannot be read any more, such as "
                f"{printable(key, _LONGEST)}: {printable(why)}"
            )
        return report_of(
            self._listing.sources,
            chosen,
            self._counts,
            self._choice,
            model=self._model,
            settings=self._settings_facts(),
            lost=lost,
            warnings=warnings,
        )

    def _settings_facts(self) -> dict[str, Any]:
        """Return what the report says of the settings."""
        bounds, plan = self._bounds, self._parts.plan
        return {
            "take": bounds.take,
            "per_camera": bounds.per_camera,
            "per_class": {
                **({} if bounds.per_class is None else {"": bounds.per_class}),
                **bounds.labels,
            },
            "degraded": bounds.most_degraded,
            "after": [printable(each) for each in self._call.after],
            "ids": self._call.ids,
            "fps": self._settings.fps,
            "threshold": plan.thresholds.default,
            "thresholds": dict(plan.thresholds.labels),
            "floor": plan.thresholds.floor,
            "rules": list(plan.rules),
            "rule_options": {name: dict(each) for name, each in plan.rule_options.items()},
            "redact": list(plan.redact),
            "feedback": self._chances.sha256 if self._chances is not None else None,
        }


def _require_images(counts: PoolCounts) -> None:
    if counts.images:
        return
    key, why = min(counts.problems.items())
    raise ConfigurationError(
        f"cannot choose from this pool: none of its {len(counts.problems)} images can be read; the "
        f"first is {printable(key, _LONGEST)}: {printable(why)}"
    )


def _fewer(
    chosen: Sequence[ChosenImage], bounds: Bounds, counts: PoolCounts, choice: Choice
) -> str:
    """Return why fewer images are chosen than were asked for."""
    left_out = counts.images - len(chosen)
    if not left_out:
        return f"all {counts.images} images of the pool are chosen: --take {bounds.take} is more"
    why = [
        f"{count} {words}"
        for count, words in (
            (counts.unusable, "black, covered or frozen"),
            (choice.shown_before, "chosen or labelled before"),
            (choice.near_duplicates, f"near-duplicate{'s' * (choice.near_duplicates != 1)}"),
        )
        if count
    ]
    taken = sum(each.row.is_degraded for each in chosen)
    dark = counts.degraded - taken
    if dark and taken == bounds.most_degraded:
        why.append(
            f"{dark} dark, overexposed or blurred: --degraded {bounds.most_degraded} lets no more "
            "be chosen"
        )
    if bounds.per_camera is not None or bounds.per_class is not None or bounds.labels:
        why.append("the rest beyond --per-camera or --per-class")
    return (
        f"{len(chosen)} images are chosen, fewer than --take {bounds.take}: of "
        f"{counts.images} images the others are left out ({'; '.join(why)})"
    )
