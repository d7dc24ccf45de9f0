"""What listing a source finds, and what it passes over."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.camera.images.folder import counted
from agent.pool.items import ItemKind
from agent.pool.sources.item_list import ItemGroup
from agent.printable import printable

_MOST = 1000  # problems that are kept; all are counted
_LONGEST = 500  # characters of a name in a problem

Found = tuple[str, ItemGroup, int, int]
"""Key, group, bytes and version of one item."""

Stream = Iterator[Found]
"""The items of a source, sorted by key."""


@dataclass(slots=True)
class SourceSummary:
    """What a source consists of, for people and for `report.json`."""

    source: str  # as it may be shown
    items: Counter[ItemKind] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    """Files that are not read: how many there are of each ending, or kind."""
    repeated: int = 0
    """Items that another source has too: they count there."""
    without_record: int = 0
    """Images that are named like captures but have no record: they are read as images."""
    problems: list[str] = field(default_factory=list)
    """What cannot be listed, each a sentence for people; the first 1000."""
    problem_count: int = 0

    def problem(self, name: object, why: object) -> None:
        """Note what cannot be listed, and why."""
        self.problem_count += 1
        if len(self.problems) < _MOST:
            self.problems.append(f"{printable(name, _LONGEST)}: {printable(why)}")

    def line(self) -> str:
        """Return such as `photos: 12 images, 1 recording; passed over 3 .txt`."""
        kinds = [
            f"{self.items[kind]} {kind}{'s' * (self.items[kind] != 1)}"
            for kind in ItemKind
            if self.items[kind]
        ]
        notes = [", ".join(kinds) or "no items of its own"]
        if self.repeated:
            notes.append(f"{self.repeated} that other sources have too")
        if self.passed_over:
            notes.append(f"passed over {self.others()}")
        if self.problem_count:
            notes.append(f"{self.problem_count} cannot be listed, the first: {self.problems[0]}")
        return f"{self.source}: {'; '.join(notes)}"

    def others(self) -> str:
        """Return such as `12 .txt, 1 hidden`: what is passed over, the most frequent first."""
        return counted(self.passed_over_by_count())

    def passed_over_by_count(self) -> dict[str, int]:
        """Return what is passed over, the most frequent first; the same on every machine."""
        return dict(sorted(self.passed_over.items(), key=lambda each: (-each[1], each[0])))
