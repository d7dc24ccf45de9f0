"""The known-good model: a copy of the last model that ran on this device, with all its files.

    models/SPOOL-HASH/known-good.json   which slot is in use, its owner, checksums, settings
    models/SPOOL-HASH/a/  b/            the model under its own name, its weights, and a sidecar

Each spool has a folder of its own, named after the whole path of the spool, because daemons may
share a state directory. The manifest names the spool that owns the copy, and a store changes or
deletes nothing that another spool owns.

A new model is copied into the slot that is not in use. `known-good.json` is replaced, by renaming,
only after all files of the copy are synced: whenever the power fails, the previous copy or the new
one is complete. The copies are not hard links: overwriting the source in place would change both.

Earlier versions used the folder `models/SPOOL`, without a hash. It is neither read nor deleted.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.files import Disk

MANIFEST = "known-good.json"
SLOTS = ("a", "b")

_NAME_LENGTH = 40  # characters of the spool's name; a file name has at most 255 bytes
_HASH_LENGTH = 12  # hex digits


def known_good_folder(state_dir: Path, spool_dir: Path) -> Path:
    """Return the folder of one spool's known-good model; different spools never share one."""
    spool = spool_dir.resolve()
    digest = hashlib.sha256(bytes(spool)).hexdigest()
    return state_dir / "models" / f"{spool.name[:_NAME_LENGTH]}-{digest[:_HASH_LENGTH]}"


@dataclass(frozen=True, slots=True)
class KnownGoodModel:
    """What the manifest says about the copy."""

    slot: str
    model: str  # the name of the ONNX file
    files: Mapping[str, str]  # path relative to the slot -> sha256 in hex
    settings: Mapping[str, str]  # the settings that it ran with

    @property
    def sha256(self) -> str:
        """The checksum of the ONNX file, in hex."""
        return self.files[self.model]


@dataclass(frozen=True, slots=True)
class ModelParts:
    """The files of a model, and the settings that it runs with."""

    model: Path
    sha256: str
    weight_files: Iterable[Path]  # its weight files, in the model's folder or below
    description: str  # the sidecar, as JSON
    settings: Mapping[str, str]


class KnownGoodStore:
    """The folder of one spool's known-good model."""

    def __init__(self, folder: Path, disk: Disk, *, spool: Path, min_free: int) -> None:
        """Use `folder`, which belongs to `spool`.

        Args:
            folder: Where the copy is; see `known_good_folder`.
            disk: Writes the files.
            spool: The folder of the spool that owns the copy.
            min_free: Bytes of the disk that stay free.
        """
        self._folder = folder
        self._disk = disk
        self._spool = str(spool.resolve())
        self._min_free = min_free

    def look(self) -> KnownGoodModel | None:
        """Return the known-good model; None if there is none, or its manifest is not usable."""
        manifest = self._manifest() or {}
        try:
            kept = KnownGoodModel(
                manifest["slot"], manifest["model"], manifest["files"], manifest["settings"]
            )
            is_ours = manifest["spool"] == self._spool
        except (KeyError, TypeError):
            return None
        return kept if is_ours and kept.slot in SLOTS and kept.model in kept.files else None

    def verify(self, kept: KnownGoodModel) -> Path | None:
        """Return the path of the copy; None if a file of it is missing or was changed."""
        folder = self._folder / kept.slot
        try:
            sums = {name: self._disk.checksum(folder / name) for name in kept.files}
        except OSError:
            return None
        return folder / kept.model if sums == kept.files else None

    def keep(self, parts: ModelParts) -> bool:
        """Replace the known-good model by this one; False if it is the same already.

        Raises:
            OSError: The disk refuses, has no room, the model was changed since it was loaded, or
                the folder belongs to another spool. The previous copy is still complete.
        """
        self._require_own()
        sources = {parts.model.name: parts.model}
        home = parts.model.resolve().parent
        sources |= {str(path.relative_to(home)): path for path in parts.weight_files}
        sidecar = parts.model.with_suffix(".json").name
        sums = {
            name: parts.sha256 if path == parts.model else self._disk.checksum(path)
            for name, path in sources.items()
        }
        sums[sidecar] = hashlib.sha256(parts.description.encode()).hexdigest()
        before = self.look()
        if before is not None and before.files == sums and self._is_complete(before):
            if before.settings == parts.settings:
                return False
            slot = before.slot
        else:
            slot = SLOTS[before is not None and before.slot == SLOTS[0]]
            self._require_room(sources.values())
            self._fill(self._folder / slot, sources, sums, (sidecar, parts.description))
        manifest = {
            "spool": self._spool,
            "slot": slot,
            "model": parts.model.name,
            "files": sums,
            "settings": dict(parts.settings),
        }
        text = json.dumps(manifest, indent=1)
        self._disk.write_durably(self._folder / MANIFEST, text.encode())
        self._disk.remove_tree(self._folder / SLOTS[slot == SLOTS[0]])
        return True

    def forget(self) -> None:
        """Delete the known-good model of this spool, and no other's. Raises `OSError`."""
        if self._other_owner() is not None:
            return
        if self._disk.size(self._folder / MANIFEST):
            self._disk.remove(self._folder / MANIFEST)
            self._disk.sync_directory(self._folder)
        for slot in SLOTS:
            self._disk.remove_tree(self._folder / slot)

    def _manifest(self) -> dict[str, Any] | None:
        """Return the manifest; None if there is none, or it is not a JSON object."""
        try:
            manifest = json.loads(self._disk.read(self._folder / MANIFEST))
        except (OSError, ValueError):
            return None
        return manifest if isinstance(manifest, dict) else None

    def _require_own(self) -> None:
        """Raise `OSError` if another spool owns the copy in the folder."""
        owner = self._other_owner()
        if owner is not None:
            raise OSError(f"{self._folder} belongs to the spool {owner}")

    def _other_owner(self) -> str | None:
        """Return which other spool owns the copy; None if it is this one, or there is no copy."""
        manifest = self._manifest() or {}
        owner = manifest.get("spool", "of an earlier version")
        return str(owner) if manifest.get("slot") in SLOTS and owner != self._spool else None

    def _fill(
        self,
        folder: Path,
        sources: Mapping[str, Path],
        sums: Mapping[str, str],
        sidecar: tuple[str, str],
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
        name, text = sidecar
        self._disk.write_durably(folder / name, text.encode())

    def _is_complete(self, kept: KnownGoodModel) -> bool:
        """Whether all its files exist; `verify` compares their content when they are needed."""
        folder = self._folder / kept.slot
        return all(self._disk.size(folder / name) for name in kept.files)

    def _require_room(self, files: Iterable[Path]) -> None:
        place = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        size = sum(path.stat().st_size for path in files)
        free = self._disk.free_bytes(place)
        if free - size < self._min_free:
            raise OSError(
                f"the copy needs {size / 1e6:.0f} MB; {free / 1e6:.0f} MB are free, of which "
                f"{self._min_free / 1e6:.0f} MB must stay free (AGENT_SPOOL_MIN_FREE)"
            )
