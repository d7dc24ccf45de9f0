"""Files on a USB stick: whole once the command has returned, and never written through a link."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.dataset.folder import Dataset
from agent.domain import StoredCapture
from agent.files import Disk
from tests.fakes.captures import classified, stored_capture
from tests.fakes.disk.power_cut import FatDisk, NamesNeverSynced, keep_everything, keep_nothing
from tests.spool.small_file_system import SmallFileSystem, mounted

CAPTURES = [stored_capture(1), stored_capture(2), classified(3, ("a cat", 0.9))]


def _store(dataset: Dataset) -> None:
    for capture in CAPTURES:
        dataset.store(capture.record_json, capture.image)


def _is_whole(capture: StoredCapture, read: Callable[[str], bytes]) -> bool:
    image = read(f"images/{capture.id}.jpg") == capture.image
    if "classes" in capture.record:
        image = image and read(f"classes/a cat/{capture.id}.jpg") == capture.image
    else:
        image = image and len(read(f"labels/{capture.id}.txt")) > 0
    return image and read(f"records/{capture.id}.json") == capture.record_json


@pytest.mark.parametrize("choose", [keep_nothing, keep_everything])
def test_a_stored_capture_is_whole_on_a_fat_stick_that_is_pulled_out(
    tmp_path: Path, choose: Callable[[int], int]
) -> None:
    disk = FatDisk(tmp_path)
    _store(Dataset(tmp_path / "dataset", disk))

    disk.cut_power(choose)

    assert all(
        _is_whole(one, lambda name: disk.read(tmp_path / "dataset" / name)) for one in CAPTURES
    )


def test_a_capture_whose_first_store_was_interrupted_is_whole_once_it_is_stored_again(
    tmp_path: Path,
) -> None:
    disk = FatDisk(tmp_path)
    _store(Dataset(tmp_path / "dataset", disk))
    for one in CAPTURES:  # interrupted after the record had its name
        del disk.entries[tmp_path / "dataset" / "records" / f"{one.id}.json"]
    _store(Dataset(tmp_path / "dataset", disk))

    disk.cut_power(keep_nothing)

    for one in CAPTURES:
        assert disk.read(tmp_path / "dataset" / "records" / f"{one.id}.json") == one.record_json


def test_files_that_are_not_synced_under_their_name_are_seen(tmp_path: Path) -> None:
    disk = NamesNeverSynced(tmp_path)
    _store(Dataset(tmp_path / "dataset", disk))

    disk.cut_power(keep_nothing)

    assert disk.read(tmp_path / "dataset" / "images" / f"{CAPTURES[0].id}.jpg") == b""


@pytest.fixture(params=["vfat", "ext2"])
def stick(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallFileSystem]:
    if request.param not in Path("/proc/filesystems").read_text(encoding="ascii").split():
        pytest.skip(f"this kernel has no {request.param}")
    with mounted(request.param, tmp_path) as system:
        yield system


def test_a_stored_capture_is_on_a_real_stick_that_is_pulled_out(stick: SmallFileSystem) -> None:
    folder = stick.root / "dataset"
    _store(Dataset(folder, Disk(inside=folder)))

    with stick.as_after_a_power_cut() as root:
        found = [
            _is_whole(one, lambda name: (root / "dataset" / name).read_bytes()) for one in CAPTURES
        ]
    assert found == [True] * len(CAPTURES)


# Planted links, FIFOs and devices


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(b"secret")
    return path


def _link(name: Path, secret: Path) -> None:
    name.symlink_to(secret)


def _dangling_link(name: Path, secret: Path) -> None:
    name.symlink_to(secret.with_name("planted"))


def _hard_link(name: Path, secret: Path) -> None:
    name.hardlink_to(secret)


def _fifo(name: Path, _: Path) -> None:
    os.mkfifo(name)


def _device(name: Path, _: Path) -> None:
    try:
        os.mknod(name, 0o666 | stat.S_IFCHR, os.makedev(1, 7))  # as /dev/full
    except PermissionError:
        pytest.skip("only root may make devices")


Plant = Callable[[Path, Path], None]
Write = Callable[[Disk, Path, Path], object]

WRITERS: dict[str, Write] = {
    "write": lambda disk, name, _: disk.write_durably(name, b"new"),
    "copy": lambda disk, name, source: disk.copy(source, name),
    "publish": lambda disk, name, _: disk.publish(name, b"new"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("write", WRITERS.values(), ids=list(WRITERS))
@pytest.mark.parametrize("planted", [_link, _dangling_link, _hard_link, _fifo, _device])
@pytest.mark.parametrize("suffix", ["", ".tmp"], ids=["name", "temporary name"])
def test_nothing_is_written_through_what_was_planted(
    write: Write, planted: Plant, suffix: str, secret: Path, tmp_path: Path
) -> None:
    folder, source = tmp_path / "stick", tmp_path / "source"
    folder.mkdir()
    source.write_bytes(b"new")
    name = folder / "data.yaml"
    planted(folder / f"data.yaml{suffix}", secret)

    if planted in {_fifo, _device} and not suffix:
        with pytest.raises(OSError, match="not a regular file"):
            write(Disk(), name, source)
    else:
        write(Disk(), name, source)
        assert name.read_bytes() == b"new"
        assert not name.is_symlink()
    assert secret.read_bytes() == b"secret"
    assert not secret.with_name("planted").exists()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("planted", [_fifo, _device])
def test_reading_refuses_what_could_wait_or_never_end(
    planted: Plant, secret: Path, tmp_path: Path
) -> None:
    planted(tmp_path / "odd", secret)

    for read in (Disk().read, Disk().checksum, lambda path: Disk().copy(path, tmp_path / "copy")):
        with pytest.raises(OSError, match="not a regular file"):
            read(tmp_path / "odd")


@pytest.mark.parametrize("name", ["images", "labels", "records", "classes", "classes/a cat"])
def test_a_dataset_is_not_written_into_a_folder_that_a_link_names(
    name: str, tmp_path: Path
) -> None:
    folder, elsewhere = tmp_path / "stick", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(elsewhere)

    with pytest.raises(OSError, match="is a symbolic link"):
        _store(Dataset(folder, Disk(inside=folder)))
    assert list(elsewhere.iterdir()) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("planted", [_link, _fifo])
@pytest.mark.parametrize(
    "name",
    [f"images/{CAPTURES[0].id}.jpg", f"records/{CAPTURES[0].id}.json", "data.yaml"],
)
def test_a_dataset_replaces_a_link_and_refuses_a_fifo(
    planted: Plant, name: str, secret: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "stick"
    (folder / name).parent.mkdir(parents=True)
    planted(folder / name, secret)

    if planted is _fifo or not name.startswith("images"):
        with pytest.raises(OSError, match=r"not a regular file|is a symbolic link"):
            _store(Dataset(folder, Disk(inside=folder)))
    else:
        _store(Dataset(folder, Disk(inside=folder)))
        assert not (folder / name).is_symlink()
    assert secret.read_bytes() == b"secret"


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "stick").symlink_to(tmp_path / "real")

    _store(Dataset(tmp_path / "stick", Disk(inside=tmp_path / "stick")))

    assert len(list((tmp_path / "real" / "records").iterdir())) == len(CAPTURES)


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_the_type_of_a_file_system_is_told(kind: str, tmp_path: Path) -> None:
    with mounted(kind, tmp_path) as small:
        assert Disk().file_system(small.root) == kind
