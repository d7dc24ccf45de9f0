"""Writes the chosen images into a dataset folder.

    1  the captures of the former choice that are not chosen any more are looked up: if a person
       worked on one of them, nothing is changed
    2  `.pool/choice.json` names the captures of both choices
    3  the former ones are removed, the chosen ones are stored; records of those that are in both
       get their new reason and value
    4  `.pool/choice.json` names the chosen ones

A kill at any point leaves what the next call completes.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager

from agent.dataset.folder import Dataset
from agent.dataset.removal import remove_capture, stored_captures, worked_on
from agent.errors import ConfigurationError, DamagedDataset, UnfitCapture
from agent.files import Disk
from agent.pool.output.captures import OutputCapture
from agent.pool.output.chosen import ChosenImage
from agent.pool.output.in_order import in_order
from agent.pool.output.place import ChoiceFile, owned_folder
from agent.printable import printable

_THREADS = 4  # that write at once: most of the time is spent waiting for the disk


class FolderOutput:
    """A dataset folder that follows the newest choice."""

    def __init__(self, dataset: Dataset, choice: ChoiceFile, disk: Disk) -> None:
        self._directory = dataset.directory
        self._dataset = dataset
        self._choice = choice
        self._disk = disk
        self._touched: frozenset[str] = frozenset()  # captures that people worked on

    def owned(self) -> AbstractContextManager[None]:
        """Keep other calls out of the folder within the block; raises `TemporaryError`."""
        return owned_folder(self._directory, self._disk)

    def begin(self, chosen: AbstractSet[str]) -> None:
        """Make room for a choice: remove what a former one put here and this one does not.

        Raises `ConfigurationError`, before anything is changed, if people worked on such captures.
        """
        own = self._choice.ids()
        stored = stored_captures(self._directory, own)
        self._touched = frozenset(each.id for each in worked_on(self._directory, stored))
        gone = [each for each in stored if each.id not in chosen]
        if touched := [each for each in gone if each.id in self._touched]:
            out = printable(self._directory)
            raise ConfigurationError(
                f"cannot choose again in {out}: people have worked on {len(touched)} of its images "
                f"that would not be chosen any more, such as {touched[0].id}; name another --out, "
                f"and add --after {out} to go on from these images"
            )
        self._choice.note(own | chosen)
        for capture in gone:
            remove_capture(capture, self._disk)

    def store(
        self, captures: Iterable[OutputCapture], progress: Callable[[int], object]
    ) -> dict[str, str]:
        """Store captures; return the keys of those that cannot be stored, with the reason.

        `progress` gets how many are done. Raises `ConfigurationError` and `OSError`.
        """
        problems: dict[str, str] = {}

        def put(capture: OutputCapture) -> tuple[str, str]:
            try:
                if not self._dataset.store(capture.record, capture.image):
                    self._renew(capture)
            except UnfitCapture as error:
                return capture.chosen.row.key, str(error)
            return "", ""

        try:
            for done, (key, why) in enumerate(in_order(put, captures, threads=_THREADS), 1):
                if why:
                    problems[key] = why
                progress(done)
        except DamagedDataset as error:
            raise ConfigurationError(str(error)) from error
        return problems

    def copy(self, chosen: ChosenImage) -> bool:
        """Copy nothing: what is stored in a folder passes through this process."""
        del chosen
        return False

    def unchanging(self, ids: AbstractSet[str]) -> AbstractSet[str]:
        """Return none: the records of an earlier choice get their new reason and value."""
        del ids
        return frozenset()

    def stored(self, ids: AbstractSet[str]) -> AbstractSet[str]:
        """Return those of `ids` that an earlier call stored."""
        return {each.id for each in stored_captures(self._directory, ids)}

    def _renew(self, capture: OutputCapture) -> None:
        """Write the record of a capture that was stored by a former choice, if it is another.

        Its objects are the same, so its labels are too. What people reviewed stays as they saw it.
        """
        name = capture.chosen.row.id
        if name in self._touched:
            return
        for stored in stored_captures(self._directory, (name,)):
            if self._disk.read(stored.record_path) != capture.record:
                self._disk.write_durably(stored.record_path, capture.record)

    def finish(self, chosen: AbstractSet[str]) -> None:
        """Note that the folder has this choice alone."""
        self._choice.note(chosen)

    def write(self, name: str, data: bytes) -> None:
        """Write a file beside the captures."""
        self._disk.write_durably(self._directory / name, data)

    def remove(self, name: str) -> None:
        """Remove such a file of a former call."""
        self._disk.remove(self._directory / name)
