"""What must hold before two dataset folders are merged."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from agent.dataset.captures import DatasetCapture
from agent.dataset.records import part_folders
from agent.errors import ConfigurationError
from agent.printable import printable

_NAMED = 5  # contradictions that a message names
_OF_A_FILE_SYSTEM = frozenset({"lost+found", "System Volume Information"})


def check_folders(sources: Sequence[Path], out: Path) -> None:
    """Raise `ConfigurationError` for folders that cannot be merged, with all reasons."""
    problems = []
    for source in sources:
        if not source.is_dir():
            problems.append(f"cannot merge {printable(source)}: there is no such folder")
        elif not _has_records(source):
            problems.append(
                f"cannot merge {printable(source)}: it has no captures; give a dataset folder, "
                "which holds images/ and records/"
            )
        if _is_inside(source, out) or _is_inside(out, source):
            problems.append(
                f"cannot merge {printable(source)} into {printable(out)}: one is inside of the "
                "other; choose a folder beside them"
            )
    if out.exists() and not out.is_dir():
        problems.append(f"cannot merge into {printable(out)}: it is not a folder")
    elif out.is_dir() and not _has_records(out) and any(_visible(out)):
        problems.append(
            f"cannot merge into {printable(out)}: it is not empty, and no dataset; choose a new "
            "folder, or a dataset to extend"
        )
    if problems:
        raise ConfigurationError("\n".join(problems))


def check_contradictions(found: Mapping[Path, Mapping[str, DatasetCapture]]) -> None:
    """Raise `ConfigurationError` if two folders have different images or clips of one id."""
    first: dict[str, tuple[Path, DatasetCapture]] = {}
    wrong: list[str] = []
    for folder, captures in found.items():
        for name, capture in captures.items():
            where, known = first.setdefault(name, (folder, capture))
            wrong += [
                f"  {name}: the {part} in {printable(where)} is another one than in "
                f"{printable(folder)}"
                for part in ("image", "clip")
                if _sha256(known, part) != _sha256(capture, part)
            ]
    if wrong:
        more = [f"  and {len(wrong) - _NAMED} more"] if len(wrong) > _NAMED else []
        why = (
            f"cannot merge: {len(wrong)} times one id stands for two different files, so one "
            "folder was changed. Nothing was merged. Find out which, and move the records of "
            "these captures out of it:"
        )
        raise ConfigurationError("\n".join([why, *wrong[:_NAMED], *more]))


def _sha256(capture: DatasetCapture, part: str) -> object:
    about = capture.record.get(part)
    return about.get("sha256") if isinstance(about, dict) else None


def _has_records(folder: Path) -> bool:
    return any((part / "records").is_dir() for part in (folder, *part_folders(folder)))


def _visible(folder: Path) -> Collection[Path]:
    return [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name not in _OF_A_FILE_SYSTEM
    ]


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same folder."""
    return one.resolve() == other.resolve()


def _is_inside(inner: Path, outer: Path) -> bool:
    return not is_same(inner, outer) and inner.resolve().is_relative_to(outer.resolve())
