"""Lists, retries and deletes the captures in `rejected/`, which the endpoint refused."""

from collections.abc import Collection, Iterator

from agent.domain import SpoolEntry
from agent.errors import ConfigurationError, SpoolUnavailable
from agent.files import Disk
from agent.record.file_format import file_name, parse_name
from agent.spool.layout import SpoolPaths
from agent.spool.spool import Spool


def list_rejected(disk: Disk, paths: SpoolPaths) -> list[SpoolEntry]:
    """Return the rejected captures, oldest first. Needs no lock."""
    entries = (parse_name(file.name, file.size) for file in disk.files(paths.rejected))
    return sorted((entry for entry in entries if entry), key=lambda entry: entry.sequence)


def retry_rejected(
    spool: Spool, disk: Disk, paths: SpoolPaths, ids: Collection[str] | None = None
) -> int:
    """Put rejected captures back into the spool, those with these ids or all; return how many.

    Raises `ConfigurationError` for an id that is not among them, `SpoolUnavailable` on a disk
    error.
    """
    chosen = list(_chosen(disk, paths, ids))
    for entry in chosen:
        try:
            spool.requeue(entry)
        except ValueError as error:
            raise ConfigurationError(
                f"{error}. `capture-agent rejected drop {entry.id}` deletes the other file."
            ) from error
    return len(chosen)


def drop_rejected(disk: Disk, paths: SpoolPaths, ids: Collection[str] | None = None) -> int:
    """Delete rejected captures durably, those with these ids or all; return how many.

    They stay counted as rejected. Raises as `retry_rejected` does.
    """
    chosen = list(_chosen(disk, paths, ids))
    try:
        for entry in chosen:
            disk.remove(paths.rejected / file_name(entry))
        disk.sync_directory(paths.rejected)
    except OSError as error:
        raise SpoolUnavailable(f"cannot delete a rejected capture: {error}") from error
    return len(chosen)


def _chosen(disk: Disk, paths: SpoolPaths, ids: Collection[str] | None) -> Iterator[SpoolEntry]:
    entries = {entry.id: entry for entry in list_rejected(disk, paths)}
    for name in entries if ids is None else ids:
        if name not in entries:
            raise ConfigurationError(f"cannot find {name} among the rejected captures")
        yield entries[name]
