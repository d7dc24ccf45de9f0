"""A process that writes a part is killed at many moments: what it had added is there."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.files import GrowingFile
from agent.pool.store import part as part_module
from agent.pool.store.local_place import LocalPlace
from agent.pool.store.order import RowOrder
from agent.pool.store.store import PartStore
from tests.pool.store.test_row_store import image

KILLS = 12
IMAGES = 10**9  # more than any process writes until it is killed


def write_until_killed(folder: Path) -> None:
    """Add rows, and note each before it is added and after it is kept."""
    begun = os.open(folder / "begun", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    kept = os.open(folder / "kept", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    part = PartStore(LocalPlace(folder)).part("a")
    for n in range(IMAGES):
        if not part.is_finished(image(n).key):
            os.write(begun, b"%d\n" % n)
            part.add(image(n))
            os.write(kept, b"%d\n" % n)


def killed_at_many_moments(folder: Path, chance: random.Random) -> None:
    LocalPlace(folder).prepare()
    first = PartStore(LocalPlace(folder)).part("first")
    first.add(image(IMAGES))
    first.close()  # what Arrow imports for this is imported once
    for _ in range(KILLS):
        process = os.fork()
        if not process:
            try:
                write_until_killed(folder)
            finally:
                os._exit(1)
        notes = folder / "begun"
        before = notes.stat().st_size if notes.exists() else 0
        while not notes.exists() or notes.stat().st_size == before:
            assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended by itself"
            time.sleep(0.001)  # until it is at work
        time.sleep(chance.uniform(0, 0.3))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def noted(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().split()


def lost_and_doubled(folder: Path) -> tuple[set[str], int]:
    """Which images were kept and are not there, and how many were decoded again."""
    stored = {row.key for row in RowOrder(PartStore(LocalPlace(folder))).facts()}
    lost = {n for n in noted(folder, "kept") if image(int(n)).key not in stored}
    begun = noted(folder, "begun")
    return lost, len(begun) - len(set(begun))


@pytest.mark.slow
def test_no_kill_takes_a_row_that_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "MOST_ROWS", 20)  # many are killed while they seal

    killed_at_many_moments(tmp_path, random.Random(1))

    lost, doubled = lost_and_doubled(tmp_path)
    assert lost == set()
    assert doubled <= KILLS
    assert len(noted(tmp_path, "kept")) > 100


def late() -> Callable[[GrowingFile, bytes], None]:
    """A planted bug: rows stay in the memory of the process until there are some."""
    waiting: list[bytes] = []
    append = GrowingFile.append

    def keep(file: GrowingFile, data: bytes) -> None:
        waiting.append(data)
        if len(waiting) == 8:
            append(file, b"".join(waiting))
            waiting.clear()

    return keep


@pytest.mark.slow
def test_rows_that_are_not_written_at_once_are_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GrowingFile, "append", late())

    killed_at_many_moments(tmp_path, random.Random(1))

    assert lost_and_doubled(tmp_path)[1] > KILLS


@pytest.mark.slow
def test_rows_deleted_before_they_are_sealed_are_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: the part in progress is deleted first."""
    monkeypatch.setattr(part_module, "MOST_ROWS", 2)
    seal = part_module.seal

    def hasty(place: LocalPlace, name: str, content: bytes) -> None:
        place.remove_log(name)
        time.sleep(0.1)  # so that a kill between the two is no matter of luck
        seal(place, name, content)

    monkeypatch.setattr(part_module, "seal", hasty)

    killed_at_many_moments(tmp_path, random.Random(1))

    assert lost_and_doubled(tmp_path)[1] > KILLS
