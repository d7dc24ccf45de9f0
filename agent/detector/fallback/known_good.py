"""The last model that proved itself, kept on this device with all that it needs.

    models/last-good.json   which of the two folders holds it, checksums, the settings it ran with
    models/a/  models/b/    the model under its own name, its other weights, and a description

A new one goes into the folder that is not in use, and only when every file of it is on the medium
does `last-good.json` change, by renaming: whenever the power fails, the old one or the new one is
there, whole. The copies are no links: a file that is written over in place would change both.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.files import Disk

MANIFEST = "last-good.json"
SLOTS = ("a", "b")


@dataclass(frozen=True, slots=True)
class KnownGoodModel:
    """A model that proved itself."""

    slot: str
    model: str  # the name of its file
    files: Mapping[str, str]  # sha256 in hex of each file of the folder, by its path in there
    settings: Mapping[str, str]  # what it ran with

    @property
    def sha256(self) -> str:
        """Of the model's file, in hex."""
        return self.files[self.model]


@dataclass(frozen=True, slots=True)
class ModelParts:
    """What makes a model on disk."""

    model: Path
    sha256: str
    beside: Iterable[Path]  # in the model's folder or below
    description: str  # to stand beside it, as JSON
    settings: Mapping[str, str]


class KnownGoodStore:
    """The folder `models` of the state directory."""

    def __init__(self, folder: Path, disk: Disk, *, min_free: int) -> None:
        """`min_free`: bytes of the disk that are left to others."""
        self._folder = folder
        self._disk = disk
        self._min_free = min_free

    def look(self) -> KnownGoodModel | None:
        """Return what is kept; None where nothing is, or nothing that can be read."""
        try:
            said = json.loads(self._disk.read(self._folder / MANIFEST))
            kept = KnownGoodModel(said["slot"], said["model"], said["files"], said["settings"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return kept if kept.slot in SLOTS and kept.model in kept.files else None

    def checked(self, kept: KnownGoodModel) -> Path | None:
        """Return the path of the kept model; None where a file of it is not what it was."""
        folder = self._folder / kept.slot
        try:
            sums = {name: self._disk.checksum(folder / name) for name in kept.files}
        except OSError:
            return None
        return folder / kept.model if sums == kept.files else None

    def keep(self, parts: ModelParts) -> bool:
        """Keep this model instead of the one before; false where it is kept already.

        Raises:
            OSError: The disk refuses, has no room, or the model is not what it was when it was
                loaded. The one before is still there.
        """
        sources = {parts.model.name: parts.model}
        home = parts.model.resolve().parent
        sources |= {str(path.relative_to(home)): path for path in parts.beside}
        described = parts.model.with_suffix(".json").name
        sums = {
            name: parts.sha256 if path == parts.model else self._disk.checksum(path)
            for name, path in sources.items()
        }
        sums[described] = hashlib.sha256(parts.description.encode()).hexdigest()
        before = self.look()
        if before is not None and before.files == sums and self._complete(before):
            if before.settings == parts.settings:
                return False
            slot = before.slot
        else:
            slot = SLOTS[before is not None and before.slot == SLOTS[0]]
            self._require_room(sources.values())
            self._fill(self._folder / slot, sources, sums, (described, parts.description))
        kept = {"slot": slot, "model": parts.model.name, "files": sums}
        text = json.dumps({**kept, "settings": dict(parts.settings)}, indent=1)
        self._disk.write_durably(self._folder / MANIFEST, text.encode())
        self._disk.remove_tree(self._folder / SLOTS[slot == SLOTS[0]])
        return True

    def forget(self) -> None:
        """Keep nothing. Raises `OSError`."""
        if self._disk.size(self._folder / MANIFEST):
            self._disk.remove(self._folder / MANIFEST)
            self._disk.sync_directory(self._folder)
        for slot in SLOTS:
            self._disk.remove_tree(self._folder / slot)

    def _fill(
        self,
        folder: Path,
        sources: Mapping[str, Path],
        sums: Mapping[str, str],
        described: tuple[str, str],
    ) -> None:
        """Copy a model into an empty folder, durably."""
        self._disk.remove_tree(folder)
        self._disk.make_directory(folder)
        for name, source in sources.items():
            copy = folder / name
            self._disk.make_directory(copy.parent)
            if self._disk.copy(source, copy) != sums[name]:
                raise OSError(f"{source} changed while it was copied")
            self._disk.sync_directory(copy.parent)
        name, text = described
        self._disk.write_durably(folder / name, text.encode())

    def _complete(self, kept: KnownGoodModel) -> bool:
        """Whether its files are all there; their content is looked at when they are needed."""
        folder = self._folder / kept.slot
        return all(self._disk.size(folder / name) for name in kept.files)

    def _require_room(self, files: Iterable[Path]) -> None:
        place = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        size = sum(path.stat().st_size for path in files)
        free = self._disk.free_bytes(place)
        if free - size < self._min_free:
            raise OSError(
                f"it takes {size / 1e6:.0f} MB of disk, and {free / 1e6:.0f} MB are free, of which "
                f"{self._min_free / 1e6:.0f} MB are left to others (AGENT_SPOOL_MIN_FREE)"
            )
