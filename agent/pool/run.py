"""Runs a pool: analyses what is not kept yet, chooses from what is kept, and describes the choice.

The former choices of `--after` are analysed as the pool is, into a store of their own: what they
show is compared by the same model, whichever chose them.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import overload

from agent.pool.analysis.candidate import PoolChances, candidate_of, named_with
from agent.pool.candidates import Candidate
from agent.pool.choice.greedy import choose
from agent.pool.choices import Bounds, Choice, Pick
from agent.pool.engine import AnalysisProgress, Engine, MakesAnalyser
from agent.pool.items import PoolItem
from agent.pool.output.chosen import ChosenImage, ChosenSuspect
from agent.pool.output.counts import PoolCounts
from agent.pool.rows import PoolRow
from agent.pool.store.order import RowOrder
from agent.pool.store.place import Place
from agent.pool.store.sealed import DamagedPart
from agent.pool.store.store import PartStore
from agent.pool.store.terms import check_settings
from agent.selection.suspects import strongest

Progress = Callable[[AnalysisProgress], None]


@dataclass(frozen=True, slots=True)
class Analysis:
    """How items are analysed, and what the rows depend on."""

    engine: Engine
    make_analyser: MakesAnalyser
    settings: Mapping[str, str]


class AnalysedItems:
    """Items whose rows are all kept."""

    def __init__(self, place: Place, items: Sequence[PoolItem], analysis: Analysis) -> None:
        """`items` are sorted by key."""
        self._place = place
        self._items = items
        self._analysis = analysis
        self._order: RowOrder | None = None

    def analyse(self, progress: Progress) -> None:
        """Analyse the items that are not kept yet.

        Raises `ConfigurationError` where a person must change something, such as rows of other
        settings, and `TemporaryError` where calling again helps.
        """
        self._place.prepare()
        check_settings(self._place, self._analysis.settings)
        open_store = partial(PartStore, self._place)
        self._analysis.engine.run(self._items, self._analysis.make_analyser, open_store, progress)

    def give_up(self, error: DamagedPart) -> str:
        """Leave out rows that cannot be read, so that they are made again; return what to tell."""
        return PartStore(self._place).give_up(error)

    @property
    def order(self) -> RowOrder:
        """The rows of the items, in the order of their keys."""
        if self._order is None:
            store = PartStore(self._place)
            kept = store.kept()
            count = len(kept.finished) + len(kept.unread)
            is_all = count == len(self._items) and not kept.begun
            wanted = None if is_all else frozenset(item.identity for item in self._items)
            self._order = RowOrder(store, wanted)
        return self._order

    def gone(self) -> list[str]:
        """Return the keys of items that were analysed and are in no source any more, sorted."""
        return sorted(key for key in self.order.left_out if not self._has(key))

    def _has(self, key: str) -> bool:
        number = bisect_left(_Keys(self._items), key)
        return number < len(self._items) and self._items[number].key == key

    def item(self, key: str) -> PoolItem:
        """Return the item with this key."""
        return self._items[bisect_left(_Keys(self._items), key)]

    def counts(self) -> PoolCounts:
        """Count what was found."""
        counts = PoolCounts()
        for row in self.order.facts():
            counts.add(row)
        return counts

    def candidates(self, chances: PoolChances | None) -> Iterator[Candidate]:
        """Yield all that was analysed as candidates."""
        for shard in self.order.shards(partial(candidate_of, chances=chances)):
            yield from shard

    def choose(
        self,
        bounds: Bounds,
        chances: PoolChances | None,
        covered: Collection[Candidate],
        told: Callable[[int], None] | None = None,
    ) -> Choice:
        """Choose from the items; `covered` was shown before, `told` is how many are chosen."""
        weights = chances.weights if chances is not None else MappingProxyType[str, float]({})
        shards = self.order.shards(partial(candidate_of, chances=chances))
        return choose(shards, bounds, covered, weights=weights, told=told)

    def chosen(self, picks: Sequence[Pick], chances: PoolChances | None) -> list[ChosenImage]:
        """Return the picks with their rows and items, in their order."""
        rows = self.order.rows([pick.key for pick in picks])
        return [
            self._described(number, pick, row, chances)
            for number, (pick, row) in enumerate(zip(picks, rows, strict=True), 1)
        ]

    def _described(
        self, order: int, pick: Pick, row: PoolRow, chances: PoolChances | None
    ) -> ChosenImage:
        named = named_with(row, chances)
        priors = named
        if chances is not None:  # sorted as `named`: by the `p` that counts
            priors = tuple(sorted(row.suspects, key=lambda each: -chances.p(each, row.camera)))
        added = {
            id(suspect): value for suspect, value in zip(strongest(named), pick.added, strict=True)
        }
        found = [
            ChosenSuspect(prior, each.p, added.get(id(each)))
            for prior, each in zip(priors, named, strict=False)
        ]
        return ChosenImage(order, row, self.item(row.item), pick.value, pick.label, tuple(found))


class _Keys(Sequence[str]):
    """The keys of items, without a copy of them."""

    def __init__(self, items: Sequence[PoolItem]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [item.key for item in self._items[number]]
        return self._items[number].key
