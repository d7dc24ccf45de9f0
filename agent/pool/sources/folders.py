"""Lists the images, recordings and captures below a folder, in the order of their paths.

Names, sizes and times alone are read. Hidden files and folders are passed over, and so is a folder
of the output. A link to a folder is not followed, so there are no loops. A link to a file is read
where what it names is in a hidden place below the source, as of tools that keep versions of data
sets; what it names elsewhere below the source is listed anyway. A link that leaves the source is
passed over: nothing is read that the source does not hold.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.errors import TemporaryError
from agent.pool.items import ItemKind
from agent.pool.sources.faults import OF_THE_MACHINE
from agent.pool.sources.found import Found, SourceSummary, Stream
from agent.pool.sources.item_list import ItemGroup
from agent.pool.sources.kinds import HIDDEN, LINK, OUTPUT, OWN_FOLDERS, UNUSABLE, ending, kind_of
from agent.pool.sources.versions import file_version
from agent.printable import printable
from agent.record.verdicts import is_capture_id

_IMAGES = "images"
_RECORDS = "records"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST_CAMERA = 300  # characters


@dataclass(slots=True)
class _Folder:
    """A folder that is being listed."""

    path: str  # with a slash at its end
    entries: Iterator[str]  # what is read of it, sorted; names of folders end with a slash
    groups: dict[ItemKind, ItemGroup]
    records: set[str]  # names of the records of its captures whose image was not seen yet


class FolderSource:
    """A folder as a source. `root` and `output` are absolute and have no links in them."""

    def __init__(
        self,
        root: Path,
        summary: SourceSummary,
        output: Path | None = None,
        roots: Collection[str] = (),
    ) -> None:
        """Make a source; `roots` are those of all sources, with a slash at the end."""
        self._roots = roots
        self._root = f"{root}".rstrip("/") + "/"
        self._name = root.name or "root"
        self.distinct = ""
        """What sets its cameras apart from those of other sources; empty for an only source."""
        self._output = f"{output}/" if output else ""
        self._summary = summary

    def items(self) -> Stream:
        """Yield the items below the folder, sorted by key."""
        stack: list[_Folder] = []
        self._open(self._root, stack)
        while stack:
            folder = stack[-1]
            name = next(folder.entries, None)
            if name is None:
                stack.pop()
                place = folder.groups[ItemKind.CAPTURE].records if folder.records else ""
                for record in sorted(folder.records):
                    self._summary.problem(place + record, "the image of this record is missing")
            elif name.endswith("/"):
                self._open(folder.path + name, stack)
            else:
                yield self._found(folder, name)

    def _open(self, path: str, stack: list[_Folder]) -> None:
        try:
            stack.append(self._opened(path))
        except OSError as error:
            if error.errno in OF_THE_MACHINE:
                raise TemporaryError(
                    f"cannot list {printable(path)}: {error.strerror}; call it again"
                ) from error
            self._summary.problem(path, _why(error))

    def _found(self, folder: _Folder, name: str) -> Found:
        kind = kind_of(name) or ItemKind.IMAGE
        stem = name.removesuffix(".jpg")
        if ItemKind.CAPTURE in folder.groups and is_capture_id(stem):
            if f"{stem}.json" in folder.records:
                folder.records.remove(f"{stem}.json")
                kind = ItemKind.CAPTURE
            else:
                self._summary.without_record += 1
        group = folder.groups[kind]
        record = f"{group.records}{stem}.json" if kind is ItemKind.CAPTURE else ""
        return folder.path + name, group, *_size_and_version(folder.path + name, record)

    def _opened(self, path: str) -> _Folder:
        """List a folder; of a dataset folder only what has images of its own."""
        entries, beside = self._entries(path)
        if {f"{_IMAGES}/", f"{_RECORDS}/"} <= {name for name in entries if name.endswith("/")}:
            entries = [name for name in entries if name.removesuffix("/") not in OWN_FOLDERS]
        inside = path[len(self._root) :]
        if self.distinct:
            inside = f"{self.distinct}/{inside}"
        camera = inside.removesuffix("/") or self._name
        groups = {
            ItemKind.IMAGE: ItemGroup(path, ItemKind.IMAGE, _camera(camera)),
            ItemKind.RECORDING: ItemGroup(path, ItemKind.RECORDING, _camera(inside)),
        }
        dataset, name = os.path.split(path.removesuffix("/"))
        records = self._records(f"{dataset}/{_RECORDS}") if name == _IMAGES else set()
        if records:
            inside = f"{dataset}/"[len(self._root) :].removesuffix("/")
            device = inside or (self._name if path != self._root else Path(dataset).name)
            groups[ItemKind.CAPTURE] = ItemGroup(
                path, ItemKind.CAPTURE, _camera(device), f"{dataset}/{_RECORDS}/"
            )
        elif beside:
            records = beside
            device = dataset if _DATE.fullmatch(name) else f"{dataset}/{name}"
            inside = f"{device}/"[len(self._root) :].removesuffix("/")
            groups[ItemKind.CAPTURE] = ItemGroup(
                path, ItemKind.CAPTURE, _camera(inside or Path(device).name), path
            )
        return _Folder(path, iter(entries), groups, records)

    def _entries(self, path: str) -> tuple[list[str], set[str]]:
        """Return the names in a folder that are read, and of them records; count the others.

        The records are those beside their images, as devices deliver them to a bucket.
        """
        found, records = [], set()
        with os.scandir(path) as entries:
            for entry in entries:
                if _is_record(entry.name) and entry.is_file(follow_symlinks=False):
                    records.add(entry.name)
                elif name := self._name_of(entry, path):
                    found.append(name)
        if not _DATE.fullmatch(Path(path).name):  # in a folder of a day an image may be missing
            images = set(found)
            alone = {name for name in records if name.replace(".json", ".jpg") not in images}
            self._summary.passed_over.update(".json" for _ in alone)
            records -= alone
        return sorted(found), records

    def _name_of(self, entry: os.DirEntry[str], folder: str) -> str:
        """Return the name of what is read, with a slash for a folder; empty for anything else."""
        name = entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if name.startswith("."):
            passed_over = HIDDEN
        elif is_folder and f"{folder}{name}/" == self._output:
            passed_over = OUTPUT
        elif not is_folder and kind_of(name) is None:
            passed_over = LINK if entry.is_symlink() else ending(name)
        elif not _is_utf8(name):
            passed_over = self._problem(folder + name, "its name is not UTF-8; rename it")
        elif entry.is_symlink():
            passed_over = self._link(folder + name)
        elif not is_folder and not entry.is_file(follow_symlinks=False):
            passed_over = self._problem(folder + name, "it is not a regular file")
        else:
            passed_over = ""
        if passed_over:
            self._summary.passed_over[passed_over] += 1
            return ""
        return f"{name}/" if is_folder else name

    def _link(self, link: str) -> str:
        """Return how a link with the name of an image is counted; empty if it is read."""
        target = os.path.realpath(link)
        if not target.startswith(self._root):
            if any(target.startswith(root) for root in self._roots):
                return LINK
            return self._problem(
                link, "the link leaves the source; give what it names as a SOURCE, or copy it"
            )
        if not Path(target).is_file():
            return self._problem(link, "the link names no regular file")
        return "" if "/." in target[len(self._root) - 1 :] else LINK

    def _problem(self, path: str, why: str) -> str:
        self._summary.problem(path, why)
        return UNUSABLE

    def _records(self, folder: str) -> set[str]:
        """Return the names of the records in a folder; none if there is no such folder."""
        if Path(folder).is_symlink():
            return set()
        try:
            with os.scandir(folder) as entries:
                names = (entry.name for entry in entries)
                return {name for name in names if _is_record(name)}
        except (FileNotFoundError, NotADirectoryError):
            return set()
        except OSError as error:
            self._summary.problem(folder, _why(error))
            return set()


def files_of(paths: Collection[Path], names: Mapping[str, str]) -> Iterator[Found]:
    """Yield the items of files that are named one by one, sorted by key.

    They have the camera that they would have with their folder as the source. `names` has the
    distinct name of each of these folders, which end with a slash.
    """
    is_one_folder = len({path.parent for path in paths}) == 1
    for path in sorted(paths, key=str):
        kind = kind_of(path.name) or ItemKind.IMAGE
        folder = f"{path.parent}".rstrip("/") + "/"
        camera, records = names[folder] or "root", ""
        is_capture = path.suffix == ".jpg" and is_capture_id(path.stem)
        record = path.parent.parent / _RECORDS / f"{path.stem}.json"
        if is_capture and path.parent.name == _IMAGES and record.is_file():
            kind, records = ItemKind.CAPTURE, f"{record.parent}/"
            camera = path.parent.parent.name or "root"
        elif is_capture and path.with_suffix(".json").is_file():
            kind, records = ItemKind.CAPTURE, folder
            if _DATE.fullmatch(path.parent.name):
                camera = path.parent.parent.name or "root"
        if kind is ItemKind.RECORDING:
            camera = "" if is_one_folder else f"{camera}/"
        group = ItemGroup(folder, kind, _camera(camera), records)
        own_record = f"{records}{path.stem}.json" if records else ""
        yield f"{path}", group, *_size_and_version(f"{path}", own_record)


def _size_and_version(path: str, record: str) -> tuple[int, int]:
    """Return bytes and version of an image or recording; zeros where the reader will say why."""
    try:
        files = [Path(each).stat() for each in (path, record) if each]
    except OSError:
        return 0, 0
    return files[0].st_size, file_version(*files)


def _is_record(name: str) -> bool:
    return name.endswith(".json") and is_capture_id(name.removesuffix(".json"))


def _camera(text: str) -> str:
    return printable(text, _LONGEST_CAMERA)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _why(error: OSError) -> str:
    return f"the folder cannot be read: {error.strerror or error}"
