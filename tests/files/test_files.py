"""One suite for the real disk and the one in memory, then the tests of each alone."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.files import Disk, FileEntry, read_regular_file
from tests.fakes.disk.power_cut import (
    DiskFault,
    PowerCut,
    PowerCutDisk,
    keep_everything,
    keep_nothing,
)

MakeDisk = Callable[[Path], Disk]


@pytest.fixture(params=[lambda _: Disk(), PowerCutDisk], ids=["real", "power cut"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    made: Disk = request.param(tmp_path)
    return made


def test_a_folder_is_made_with_its_parents_and_again_without_harm(
    disk: Disk, tmp_path: Path
) -> None:
    for _ in range(2):
        disk.make_directory(tmp_path / "a" / "b")
    disk.write(tmp_path / "a" / "b" / "file", b"1")

    assert list(disk.files(tmp_path / "a")) == []
    assert list(disk.file_names(tmp_path / "a")) == []
    assert list(disk.files(tmp_path / "a" / "b")) == [FileEntry("file", 1)]
    assert list(disk.file_names(tmp_path / "a" / "b")) == ["file"]


def test_a_written_file_is_read_back_whole_or_its_beginning(disk: Disk, tmp_path: Path) -> None:
    disk.write_durably(tmp_path / "file", b"12345")

    assert disk.read(tmp_path / "file") == b"12345"
    assert disk.beginning(tmp_path / "file", 2) == (b"12", 5)
    assert disk.beginning(tmp_path / "file", 9) == (b"12345", 5)
    assert disk.size(tmp_path / "file") == 5


def test_a_file_is_read_whole_up_to_a_limit_even_if_it_does_not_say_its_size(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_bytes(b"12345")

    assert read_regular_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(ValueError, match="more than"):
        read_regular_file(tmp_path / "file", 4)
    assert Path("/proc/self/cmdline").stat().st_size == 0
    cmdline = Path("/proc/self/cmdline").read_bytes()
    assert read_regular_file(Path("/proc/self/cmdline"), 1_000_000) == cmdline


def test_writing_replaces_what_was_there_and_leaves_nothing_else(
    disk: Disk, tmp_path: Path
) -> None:
    disk.write(tmp_path / "file", b"12345")
    disk.write(tmp_path / "file", b"67")

    assert list(disk.files(tmp_path)) == [FileEntry("file", 2)]
    assert disk.read(tmp_path / "file") == b"67"


@pytest.mark.parametrize("data", [b"", b"67", b"123456789"])
def test_a_file_is_overwritten_in_place(disk: Disk, tmp_path: Path, data: bytes) -> None:
    disk.write(tmp_path / "file", b"12345")
    disk.overwrite(tmp_path / "file", data)

    assert list(disk.files(tmp_path)) == [FileEntry("file", len(data))]
    assert disk.read(tmp_path / "file") == data
    with pytest.raises(FileNotFoundError):
        disk.overwrite(tmp_path / "none", b"1")


def test_a_copy_is_whole_and_its_checksum_is_returned(disk: Disk, tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000  # more than one piece
    disk.write(tmp_path / "file", data)

    reported = disk.copy(tmp_path / "file", tmp_path / "copy")

    assert reported == hashlib.sha256(data).hexdigest()
    assert disk.checksum(tmp_path / "copy") == reported
    assert disk.read(tmp_path / "copy") == disk.read(tmp_path / "file") == data
    with pytest.raises(FileNotFoundError):
        disk.copy(tmp_path / "none", tmp_path / "other")
    assert sorted(file.name for file in disk.files(tmp_path)) == ["copy", "file"]


def test_another_name_leads_to_the_same_bytes_and_replaces_nothing(
    disk: Disk, tmp_path: Path
) -> None:
    disk.write(tmp_path / "file", b"1")
    disk.write(tmp_path / "there", b"2")

    for name in ("other", "other", "there"):
        disk.link(tmp_path / "file", tmp_path / name)

    assert disk.read(tmp_path / "other") == b"1"
    assert disk.read(tmp_path / "there") == b"2"
    with pytest.raises(FileNotFoundError):
        disk.link(tmp_path / "none", tmp_path / "new")


def test_a_file_system_without_links_gets_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the FAT of a USB stick."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "file").write_bytes(b"1")
    Disk().link(tmp_path / "file", tmp_path / "other")

    assert (tmp_path / "other").read_bytes() == b"1"


def test_a_folder_is_removed_with_its_content(disk: Disk, tmp_path: Path) -> None:
    disk.make_directory(tmp_path / "a" / "b")
    disk.write(tmp_path / "a" / "b" / "file", b"1")
    disk.write(tmp_path / "file", b"2")

    for _ in range(2):
        disk.remove_tree(tmp_path / "a")

    assert disk.size(tmp_path / "a" / "b" / "file") == 0
    assert [file.name for file in disk.files(tmp_path)] == ["file"]
    disk.make_directory(tmp_path / "a")  # as if it had never been


def test_what_is_not_there_has_no_size_no_files_and_may_be_removed(
    disk: Disk, tmp_path: Path
) -> None:
    disk.remove(tmp_path / "file")

    assert disk.size(tmp_path / "file") == 0
    assert list(disk.files(tmp_path / "folder")) == []
    with pytest.raises(FileNotFoundError):
        disk.read(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        disk.write(tmp_path / "folder" / "file", b"1")
    with pytest.raises(FileNotFoundError):
        disk.sync_directory(tmp_path / "folder")


def test_a_move_may_be_repeated(disk: Disk, tmp_path: Path) -> None:
    disk.make_directory(tmp_path / "a")
    disk.write(tmp_path / "file", b"1")

    for _ in range(2):
        disk.move(tmp_path / "file", tmp_path / "a" / "other")

    assert disk.size(tmp_path / "file") == 0
    assert disk.read(tmp_path / "a" / "other") == b"1"


def test_a_removed_file_is_gone_and_its_bytes_are_free(disk: Disk, tmp_path: Path) -> None:
    disk.write(tmp_path / "file", bytes(100_000))
    before = disk.free_bytes(tmp_path)
    disk.remove(tmp_path / "file")

    assert list(disk.files(tmp_path)) == []
    assert disk.free_bytes(tmp_path) > 0
    assert isinstance(before, int)


def test_the_real_disk_syncs_a_file_before_it_has_its_name_and_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    for name in ("write", "fsync", "rename", "replace"):
        real = getattr(os, name)

        def spy(
            *arguments: object,
            _name: str = name,
            _real: Callable[..., object] = real,
            **keywords: object,
        ) -> object:
            is_folder = _name == "fsync" and Path(f"/proc/self/fd/{arguments[0]}").is_dir()
            seen.append("fsync folder" if is_folder else _name)
            return _real(*arguments, **keywords)

        monkeypatch.setattr(os, name, spy)

    Disk().write_durably(tmp_path / "file", b"1")
    Disk().move(tmp_path / "file", tmp_path / "other")

    written = ["write", "fsync", "replace", "fsync", "fsync folder"]
    assert seen == [*written, "replace", "fsync folder", "fsync folder"]


def test_a_file_that_goes_while_the_real_disk_lists_hides_no_other(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / str(number)).write_bytes(b"1")
    listing = Disk().files(tmp_path)
    first = next(listing)
    for path in tmp_path.iterdir():
        if path.name not in {first.name, "7", "8"}:
            path.unlink()

    assert {first.name, "7", "8"} == {first.name, *(file.name for file in listing)}


def test_the_real_disk_writes_on_after_a_short_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))

    Disk().write(tmp_path / "file", b"0123456789")

    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_the_real_disk_leaves_nothing_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)

    with pytest.raises(OSError, match="No space"):
        Disk().write(tmp_path / "file", b"1")
    assert list(tmp_path.iterdir()) == []


def test_files_and_folders_of_the_real_disk_are_private(tmp_path: Path) -> None:
    Disk().make_directory(tmp_path / "a")
    Disk().write(tmp_path / "a" / "file", b"1")

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "file").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("place", "folder", "file"),
    [(0o755, 0o755, 0o644), (0o750, 0o750, 0o640), (0o700, 0o700, 0o600), (0o1777, 0o755, 0o644)],
)
def test_a_shared_folder_is_as_open_to_readers_as_its_place(
    tmp_path: Path, place: int, folder: int, file: int
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    stick.chmod(place)
    disk = Disk(inside=stick / "set", is_shared=True)
    disk.make_directory(stick / "set" / "images")
    disk.write(stick / "set" / "images" / "one.jpg", b"1")

    assert (stick / "set").stat().st_mode & 0o7777 == folder
    assert (stick / "set/images").stat().st_mode & 0o7777 == folder
    assert (stick / "set/images/one.jpg").stat().st_mode & 0o7777 == file


def test_a_power_cut_loses_what_was_not_synced(tmp_path: Path) -> None:
    disk = PowerCutDisk(tmp_path)
    disk.write_durably(tmp_path / "kept", b"1")
    disk.write(tmp_path / "lost", b"2")
    disk.remove(tmp_path / "kept")

    disk.cut_power(keep_nothing)

    assert list(disk.files(tmp_path)) == [FileEntry("kept", 1)]


def test_a_power_cut_may_lose_nothing(tmp_path: Path) -> None:
    disk = PowerCutDisk(tmp_path)
    disk.write(tmp_path / "file", b"1")

    disk.cut_power(keep_everything)

    assert disk.read(tmp_path / "file") == b"1"


def test_a_power_cut_truncates_a_file_whose_bytes_were_not_synced(tmp_path: Path) -> None:
    disk = PowerCutDisk(tmp_path)
    disk.inject(DiskFault(after_steps=3))
    with pytest.raises(PowerCut):
        disk.write(tmp_path / "file", b"12345")

    disk.cut_power(lambda bound: min(bound, 2) if bound > 1 else bound)

    assert disk.read(tmp_path / "file.tmp") == b"12\0\0\0"


def test_the_disk_in_memory_can_be_full(tmp_path: Path) -> None:
    disk = PowerCutDisk(tmp_path, capacity=8192)

    with pytest.raises(OSError, match="No space"):
        disk.write(tmp_path / "file", bytes(8193))

    assert disk.free_bytes(tmp_path) == 8192
