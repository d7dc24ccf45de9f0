"""Writes an export into a folder of its own: whole, or known as unfinished.

The first file is `.unfinished`, the last one `dataset.json`. So a folder with `dataset.json` is
whole, also after a power cut, and one that an interrupted export left is cleared by the next.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from agent.dataset.export import coco_form, cvat_form, yolo_form
from agent.dataset.export.contents import Contents, ExportedCapture
from agent.dataset.export.options import ExportFormat
from agent.dataset.splits import Split
from agent.errors import ConfigurationError, TemporaryError
from agent.files import Disk, read_regular_file
from agent.printable import printable

FILE = "dataset.json"
MANIFEST = "captures.jsonl"
SCHEMA = 1

_UNFINISHED = ".unfinished"
_LOCK = ".lock"
_THREADS = 4  # that write at once: most of the time is spent waiting for the disk
_JSON_MAX = 100_000_000  # bytes of a `dataset.json`
_OF_A_FILE_SYSTEM = frozenset({"lost+found", "System Volume Information"})


_FORMS: Mapping[ExportFormat, ModuleType] = {
    ExportFormat.YOLO: yolo_form,
    ExportFormat.COCO: coco_form,
    ExportFormat.CVAT: cvat_form,
}


def write_export(
    contents: Contents,
    form: ExportFormat,
    out: Path,
    disk: Disk,
    *,
    progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> bool:
    """Write an export into `out`; return False if the same version is there already.

    Raises:
        ConfigurationError: Something else is in `out`, or another version.
        TemporaryError: Another export is writing there, or an image changed meanwhile.
        OSError: The disk refuses. Call it again.
    """
    out = out.absolute()
    if is_written(contents, form, out):
        return False
    disk.make_directory(out)
    with _locked(disk, out):
        if is_written(contents, form, out):  # by the process that held the lock
            return False
        _clear(disk, out)
        _write_all(contents, form, out, disk, progress)
    return True


def is_written(contents: Contents, form: ExportFormat, out: Path) -> bool:
    """Return whether `out` has this very export; False if it may be written there.

    Raises `ConfigurationError` if something else is in `out`.
    """
    if not out.exists():
        return False
    if not out.is_dir():
        raise ConfigurationError(f"cannot export to {printable(out)}: it is not a folder")
    names = {path.name for path in out.iterdir()} - _OF_A_FILE_SYSTEM - {_LOCK}
    if FILE not in names:
        if names and _UNFINISHED not in names:
            raise ConfigurationError(
                f"cannot export to {printable(out)}: it is not empty, and no export of "
                "capture-agent; choose a new folder"
            )
        return False
    theirs = read_export(out)
    version = contents.version
    if (theirs.get("version"), theirs.get("format")) != (version, form.value):
        raise ConfigurationError(
            f"cannot export to {printable(out)}: it has version "
            f"{printable(str(theirs.get('version'))[:12])} in the format "
            f"{printable(theirs.get('format'))}, and this would be {version[:12]} in {form}. "
            f"Versions are never changed; choose a new folder, such as "
            f"{printable(out.name)}-{version[:8]}"
        )
    missing = [
        place
        for each in contents.captures
        if not (out / (place := _FORMS[form].image_place(contents, each))).is_file()
    ]
    if missing:
        raise ConfigurationError(
            f"cannot use {printable(out)}: it is this version, but {len(missing)} of its images "
            f"are missing, such as {printable(missing[0])}; delete the folder, and export again"
        )
    return True


def read_export(out: Path) -> Mapping[str, Any]:
    """Return the `dataset.json` of an export.

    Raises `ConfigurationError` for a file that is not one.
    """
    path = out / FILE
    try:
        made = json.loads(read_regular_file(path, _JSON_MAX))
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"cannot use {printable(path)}: {printable(why)}; choose a new folder"
        ) from error
    if not isinstance(made, dict) or "version" not in made:
        raise ConfigurationError(
            f"cannot use {printable(path)}: it has no `version`; choose a new folder"
        )
    return made


def summary_of(contents: Contents, form: ExportFormat) -> dict[str, Any]:
    """Return what `dataset.json` says."""
    counts = contents.counts()
    return {
        "schema": SCHEMA,
        "version": contents.version,
        "format": form.value,
        "task": contents.task,
        "classes": list(contents.classes),
        "splits": {
            split: {"captures": sum(by_origin.values()), "by_origin": by_origin}
            for split, by_origin in counts.items()
        },
        "left_out": dict(contents.left_out),
        "leaks": {
            split.value: [asdict(row) for row in rows] for split, rows in contents.leaks.items()
        },
        "settings": {
            "block_seconds": contents.terms.block,
            "gap_seconds": contents.terms.gap,
            "val": contents.terms.val,
            "test": "random" if contents.terms.has_test else "none",
            "origins": [origin.value for origin in contents.origins],
        },
        "parents": [dict(each) for each in contents.parents],
    }


def _write_all(
    contents: Contents,
    form: ExportFormat,
    out: Path,
    disk: Disk,
    progress: Callable[[int, int], object],
) -> None:
    kind = _FORMS[form]
    disk.write_durably(out / _UNFINISHED, b"")
    for folder in kind.folders(contents):
        disk.make_directory(out / folder)

    def copy(capture: ExportedCapture) -> None:
        place = out / kind.image_place(contents, capture)
        if disk.copy(capture.image_path, place) != capture.record["image"]["sha256"]:
            raise TemporaryError(
                f"cannot export: {printable(capture.image_path)} changed meanwhile; call it again"
            )

    def put(file: tuple[PurePosixPath, str]) -> None:
        disk.make_directory(out / file[0].parent)
        disk.write(out / file[0], file[1].encode("utf-8", "backslashreplace"))

    total = len(contents.captures)
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="export")
    try:
        for done, _ in enumerate(pool.map(copy, contents.captures), start=1):
            progress(done, total)
        for _ in pool.map(put, kind.files(contents)):
            pass
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    lines = (json.dumps(each.facts, ensure_ascii=True) + "\n" for each in contents.captures)
    disk.write(out / MANIFEST, "".join(lines).encode())
    for folder in (out, *(path for path in sorted(out.rglob("*")) if path.is_dir())):
        disk.sync_directory(folder)
    summary = json.dumps(summary_of(contents, form), indent=1).encode()
    disk.write_durably(out / FILE, summary + b"\n")
    disk.remove(out / _UNFINISHED)
    disk.remove(out / _LOCK)


def _clear(disk: Disk, out: Path) -> None:
    """Remove what an interrupted export of any form left."""
    if not (out / _UNFINISHED).is_file():
        return
    for kind in _FORMS.values():
        for name in kind.FOLDERS:
            if (out / name).is_dir() and not (out / name).is_symlink():
                disk.remove_tree(out / name)
    for split in Split:
        for path in sorted(out.glob(f"{split}-*.txt")):
            disk.remove(path)
    for name in (MANIFEST, "data.yaml", "labels.json"):
        disk.remove(out / name)


@contextmanager
def _locked(disk: Disk, out: Path) -> Iterator[None]:
    """Hold the lock of an export's folder; raise `TemporaryError` if another process has it."""
    try:
        with disk.locked(out / _LOCK, seconds=0):
            yield
    except BlockingIOError as error:
        raise TemporaryError(
            f"cannot export to {printable(out)}: another export is writing there; wait for it"
        ) from error
