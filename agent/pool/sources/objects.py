"""Lists the images, recordings and captures below a prefix of a bucket, in the order of keys.

    PREFIX/DEVICE/yyyy-mm-dd/ID.jpg, ID.mjpeg, ID.json    captures, as devices deliver them
    PREFIX/images/ID.jpg, PREFIX/records/ID.json          captures, as of a dataset folder
    PREFIX/any/depth/NAME.png                             images and recordings of anybody

One page of the store's answer is in memory, and the names of the records of one dataset folder.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.dataset.bucket import Bucket, ListedObject, ObjectDenied, ObjectMissing
from agent.dataset.bucket_address import SCHEME
from agent.errors import ConfigurationError
from agent.pool.items import ItemKind
from agent.pool.sources.found import Found, SourceSummary, Stream
from agent.pool.sources.item_list import ItemGroup
from agent.pool.sources.kinds import AGENT, FOLDER, HIDDEN, OUTPUT, OWN_FOLDERS, ending, kind_of
from agent.pool.sources.sorted_objects import SortedObjects
from agent.pool.sources.versions import object_version
from agent.printable import printable
from agent.record.verdicts import is_capture_id

_PARTS = frozenset({"jpg", "json", "mjpeg"})
_OWN = frozenset({"devices", "verdicts"})  # the statuses of devices, and reviews
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST_CAMERA = 300  # characters
_RECORDS_KEPT = 4  # dataset folders whose names of records are in memory


@dataclass(slots=True)
class _Capture:
    """The objects of what may be a capture; they follow each other."""

    place: str = ""  # key without ending
    parts: dict[str, ListedObject] = field(default_factory=dict)  # by ending
    after: list[Found] = field(default_factory=list)  # others that are between them


class BucketSource:
    """What is below a prefix as a source. `bucket` is opened without a prefix."""

    def __init__(
        self,
        bucket: Bucket,
        place: tuple[str, str],
        summary: SourceSummary,
        *,
        output: str | None = None,
        is_sorted: bool = True,
    ) -> None:
        """Make a source of bucket and prefix; `output` is a prefix in the same bucket."""
        self.name, self._prefix = place
        self.distinct = ""
        """What sets its cameras apart from those of other sources; empty for an only source."""
        self._bucket = bucket
        self._begin = f"{SCHEME}{self.name}/"
        self._look_below(self._prefix)
        self._output = f"{output}/" if output is not None else None
        self._summary = summary
        self._objects = SortedObjects(bucket, place, summary, is_sorted=is_sorted)
        self._groups: dict[tuple[str, ItemKind, str], ItemGroup] = {}
        self._records_of: dict[str, dict[str, str]] = {}
        self._samples: list[str] = []  # keys of items: the 1st, 2nd, 4th, 8th, ...
        self._count = 0

    def readable(self) -> str | None:
        """Return the key of an object that can be read, once all were listed; None without any.

        Raises `ConfigurationError` if all that are asked for are denied.
        """
        denied = None
        for key in self._samples:
            try:
                self._bucket.check_readable(key)
            except ObjectDenied as error:
                denied = denied or error
            except ObjectMissing:
                continue
            else:
                return key
        if denied is not None:
            raise ConfigurationError(
                f"cannot use the source {self._summary.source!r}: none of {len(self._samples)} "
                f"objects in it may be read: {denied.why}"
            )
        return None

    def items(self) -> Stream:
        """Yield the items below the prefix, sorted by key.

        Raises `ConfigurationError`, `TemporaryError`, and `NotSorted` before any wrong order.
        """
        pending = _Capture()
        is_any = False
        for found in self._objects:
            key, is_any = found.key, True
            if pending.parts and not key.startswith(f"{pending.place}."):
                yield from self._capture(pending)
                pending = _Capture()
            if self._is_passed_over(key, found.size):
                continue
            place, _, kind = key.rpartition(".")
            if kind in _PARTS and (
                place == pending.place or is_capture_id(place.rpartition("/")[2])
            ):
                pending.place = place
                pending.parts[kind] = found
            elif item := self._file(found):
                if pending.parts:
                    pending.after.append(item)
                else:
                    yield item
        if pending.parts:
            yield from self._capture(pending)
        if not is_any:
            yield from self._alone()

    def _alone(self) -> Stream:
        """Yield the object whose key is the prefix; its folder is the source then."""
        key = self._prefix
        found = self._bucket.about(key) if kind_of(key) else None
        if found is None:
            return
        place, _, kind = key.rpartition(".")
        folder, _, stem = place.rpartition("/")
        self._look_below(folder)
        if kind == "jpg" and is_capture_id(stem):
            record = self._bucket.about(f"{place}.json")
            parts = {"jpg": found, **({"json": record} if record is not None else {})}
            yield from self._capture(_Capture(place, parts))
        elif item := self._file(found):
            yield item

    def _look_below(self, prefix: str) -> None:
        parts = [self.name, *filter(None, prefix.split("/"))]
        self._name = next(
            (each for each in reversed(parts) if not _DATE.fullmatch(each)), self.name
        )
        self._cut = len(prefix) + 1 if prefix else 0

    def _is_passed_over(self, key: str, size: int) -> bool:
        """Whether an object is of no interest, whatever its kind; count it then."""
        inside = key[self._cut :]
        if self._output is not None and key.startswith(self._output):
            reason = OUTPUT
        elif inside.startswith(".") or "/." in inside:
            reason = HIDDEN
        elif not size and "." not in key.rpartition("/")[2]:
            reason = FOLDER  # consoles make an empty object for a folder
        else:
            return self._is_of_dataset(key)
        self._summary.passed_over[reason] += 1
        return True

    def _is_of_dataset(self, key: str) -> bool:
        """Whether an object of a dataset folder is no image of its own."""
        parts = key.split("/")
        if OWN_FOLDERS.isdisjoint(parts):
            return False
        for number in range(len(parts) - 1):
            if parts[number] in OWN_FOLDERS:
                dataset = "/".join(parts[:number])
                if len(dataset) + 1 >= self._cut and (records := self._records(dataset)):
                    stem = parts[-1].removesuffix(".json")
                    if parts[number] == "records" and stem in records:
                        self._summary.problem(self._begin + key, "its image is missing")
                    return True
        return False

    def _file(self, found: ListedObject) -> Found | None:
        folder, _, name = found.key.rpartition("/")
        kind = kind_of(name)
        if kind is None:
            is_own = folder.rpartition("/")[2] in _OWN and name.endswith((".json", ".jsonl"))
            self._summary.passed_over[AGENT if is_own else ending(name)] += 1
            return None
        inside = folder[self._cut :]
        if self.distinct:
            inside = f"{self.distinct}/{inside}".removesuffix("/")
        if kind is ItemKind.RECORDING:
            camera = f"{inside}/" if inside else ""
        else:
            camera = inside or self._name
        return self._found(found, kind, camera)

    def _capture(self, capture: _Capture) -> Iterator[Found]:
        folder, _, stem = capture.place.rpartition("/")
        camera = self._device(folder)
        if "jpg" in capture.parts:
            kind, records, tag = ItemKind.IMAGE, "", ""
            if "json" in capture.parts:
                kind, records = ItemKind.CAPTURE, f"{folder}/" if folder else ""
                tag = capture.parts["json"].tag
            elif folder == "images" or folder.endswith("/images"):
                dataset = folder.removesuffix("images").removesuffix("/")
                if stem in (names := self._records(dataset)):
                    tag = names.pop(stem)
                    kind = ItemKind.CAPTURE
                    records = f"{dataset}/records/" if dataset else "records/"
                    camera = self._device(dataset)
            self._summary.without_record += kind is ItemKind.IMAGE
            if kind is ItemKind.CAPTURE:
                records = self._begin + records
            yield self._found(capture.parts["jpg"], kind, camera, records, tag)
        elif "json" in capture.parts and _DATE.fullmatch(folder.rpartition("/")[2]):
            self._summary.problem(f"{self._begin}{capture.place}.json", "its image is missing")
        else:
            self._summary.passed_over.update(f".{kind}" for kind in capture.parts)
        yield from capture.after

    def _device(self, folder: str) -> str:
        """Return the folder of a device: that of its captures without the day."""
        inside = folder[self._cut :]
        before, _, last = inside.rpartition("/")
        return (before if _DATE.fullmatch(last) else inside) or self._name

    def _found(
        self, found: ListedObject, kind: ItemKind, camera: str, records: str = "", tag: str = ""
    ) -> Found:
        """Return an item; `tag` is that of the record of a capture."""
        key = found.key
        prefix = f"{self._begin}{key[: key.rfind('/') + 1]}"
        known = (prefix, kind, records)
        group = self._groups.get(known)
        if group is None:
            self._groups = {each: made for each, made in self._groups.items() if each[0] == prefix}
            shown = printable(camera, _LONGEST_CAMERA)
            group = self._groups[known] = ItemGroup(prefix, kind, shown, records)
        self._count += 1
        if self._count & (self._count - 1) == 0:
            self._samples.append(key)
        tags = (found.tag, tag) if tag else (found.tag,)
        return self._begin + key, group, found.size, object_version(*tags)

    def _records(self, dataset: str) -> dict[str, str]:
        """Return the records of a dataset folder whose images were not seen yet: ETags by id."""
        known = self._records_of.get(dataset)
        if known is None:
            if len(self._records_of) >= _RECORDS_KEPT:
                self._records_of.pop(next(iter(self._records_of)))
            below = f"{dataset}/records" if dataset else "records"
            known = self._records_of[dataset] = {}
            for each in self._bucket.listed(below):
                name = each.key.rpartition("/")[2]
                if name.endswith(".json") and is_capture_id(name.removesuffix(".json")):
                    known[name.removesuffix(".json")] = each.tag
        return known
