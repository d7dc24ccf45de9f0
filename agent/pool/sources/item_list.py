"""Millions of items in little memory."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from agent.pool.items import ItemKind, PoolItem


@dataclass(frozen=True, slots=True, eq=False)
class ItemGroup:
    """What the items of one kind in one folder share."""

    prefix: str
    """What their keys begin with: the folder, with a slash at its end."""
    kind: ItemKind
    camera: str
    """Their camera; of recordings what stands before their name, with a slash, or empty."""
    records: str = ""
    """What the keys of the records of captures begin with."""

    def item(self, name: str, size: int, version: int) -> PoolItem:
        """Return the item whose key is `prefix` + `name`."""
        camera = self.camera + name if self.kind is ItemKind.RECORDING else self.camera
        record = f"{self.records}{name.rpartition('.')[0]}.json" if self.records else ""
        return PoolItem(self.prefix + name, self.kind, camera, record, size, version)


class ItemList(Sequence[PoolItem]):
    """Items by number, made when they are asked for.

    Each takes the bytes of its name and 28 more; folders are kept once. Can be pickled.
    """

    def __init__(self) -> None:
        self._names = bytearray()
        self._ends = array("Q")
        self._group_of = array("I")
        self._sizes = array("Q")
        self._versions = array("Q")
        self._groups: list[ItemGroup] = []
        self._numbers: dict[ItemGroup, int] = {}

    def add(self, key: str, group: ItemGroup, size: int, version: int) -> None:
        """Add an item; its key begins with the prefix of its group."""
        number = self._numbers.get(group)
        if number is None:
            number = self._numbers[group] = len(self._groups)
            self._groups.append(group)
        self._names += key[len(group.prefix) :].encode()
        self._ends.append(len(self._names))
        self._group_of.append(number)
        self._sizes.append(size)
        self._versions.append(version)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> PoolItem: ...
    @overload
    def __getitem__(self, index: slice) -> list[PoolItem]: ...
    def __getitem__(self, index: int | slice) -> PoolItem | list[PoolItem]:
        numbers = range(len(self))[index]
        return self._item(numbers) if isinstance(numbers, int) else [*map(self._item, numbers)]

    def __iter__(self) -> Iterator[PoolItem]:
        return map(self._item, range(len(self)))

    def _item(self, number: int) -> PoolItem:
        begin = self._ends[number - 1] if number else 0
        name = self._names[begin : self._ends[number]].decode()
        group = self._groups[self._group_of[number]]
        return group.item(name, self._sizes[number], self._versions[number])
