"""The bytes of items, from disk and buckets; what is wrong with one stops no other."""

import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import ConfigurationError, TemporaryError, UnusableImage
from agent.pool.items import ItemKind, PoolItem, ReadsItems
from agent.pool.sources import checked
from agent.pool.sources.listing import list_items
from agent.pool.sources.reader import ItemReader
from tests.dataset.bucket_store import delivered, emptied
from tests.fakes.captures import stored_capture
from tests.limits import LIMIT_S
from tests.pool.sources.trees import with_captures, with_files
from tests.upload.s3_store import DENIED, S3Store


@pytest.fixture(scope="module")
def running() -> Iterator[S3Store]:
    with S3Store() as store:
        yield store


@pytest.fixture
def store(running: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setattr(checked, "_RETRIES", 1)
    return emptied(running, monkeypatch)


def item(key: Path | str, kind: ItemKind = ItemKind.IMAGE, record: str = "") -> PoolItem:
    return PoolItem(f"{key}", kind, "yard", record)


def objects(store: S3Store, count: int) -> list[PoolItem]:
    for number in range(count):
        store.write(f"yard/{number}.jpg", b"image %d" % number)
    return [item(f"s3://{store.bucket}/yard/{number}.jpg") for number in range(count)]


def problems(reader: ReadsItems, items: list[PoolItem]) -> list[str]:
    """Why items cannot be read, each; empty where they can."""
    found = []
    for each in items:
        try:
            reader.read(each)
            found.append("")
        except UnusableImage as error:
            found.append(str(error))
    return found


def test_images_and_records_are_read_from_disk(tmp_path: Path) -> None:
    capture = stored_capture(1)
    (each,) = list_items([f"{with_captures(tmp_path / 'd', 1)}"]).items

    assert ItemReader().read(each) == capture.image
    assert ItemReader().read_record(each) == capture.record_json


def test_images_and_records_are_read_from_a_bucket_by_any_process(store: S3Store) -> None:
    capture = stored_capture(1)
    delivered(store, capture)
    listing = list_items([store.url])
    reader = ItemReader(listing.readable)
    first = reader.read(listing.items[0])

    other, items = pickle.loads(pickle.dumps((reader, listing.items)))

    assert first == other.read(items[0]) == capture.image
    assert other.read_record(items[0]) == capture.record_json


def test_a_recording_on_disk_is_used_where_it_is(tmp_path: Path) -> None:
    path = with_files(tmp_path, "street.mp4") / "street.mp4"

    with ItemReader().local(item(path, ItemKind.RECORDING)) as local:
        assert local == path


def test_a_recording_in_a_bucket_is_copied_in_pieces_and_removed_again(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.dataset.bucket._PIECE", 1000)
    data = os.urandom(2500)
    store.write("yard/street.mp4", data)
    recording = item(f"s3://{store.bucket}/yard/street.mp4", ItemKind.RECORDING)

    with ItemReader().local(recording) as local:
        assert local.read_bytes() == data
        assert local.suffix == ".mp4"

    assert not local.parent.exists()
    assert [each.partition(" ")[0] for each in store.requests] == ["HEAD", "GET", "GET", "GET"]
    assert ItemReader().read(recording) == data


def test_what_is_no_file_is_refused_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.pool.sources.reader.FILE_MAX", 2_000_000)
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with (tmp_path / "huge.jpg").open("wb") as huge:
        huge.truncate(10**12)
    names = ["pipe.jpg", "folder.jpg", "zero.jpg", "loop.jpg", "huge.jpg", "gone.jpg"]

    found = problems(ItemReader(), [item(tmp_path / name) for name in names])

    assert found == [
        "cannot read the image: it is a FIFO, not a regular file",
        "cannot read the image: it is a folder, not a regular file",
        "cannot read the image: it is a device, not a regular file",
        "cannot read the image: Too many levels of symbolic links",
        "cannot read the image: the file has more than 2 MB",
        "cannot read the image: it was removed after it was listed",
    ]
    with (
        pytest.raises(UnusableImage, match="cannot read the recording"),
        ItemReader().local(item(tmp_path / "pipe.jpg", ItemKind.RECORDING)),
    ):
        pass


def test_a_disk_that_was_taken_away_is_no_fault_of_its_images(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match=r"its folder is gone.*connect it and call"):
        ItemReader().read(item(tmp_path / "stick/1.jpg"))


def test_a_disk_without_room_for_a_copy_says_so(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("agent.pool.sources.reader.temporary_file", full)
    recording = item(f"s3://{store.bucket}/street.mp4", ItemKind.RECORDING)

    with (
        pytest.raises(TemporaryError, match=r"No space left.*name another folder in TMPDIR"),
        ItemReader().local(recording),
    ):
        pass


def test_objects_that_vanish_or_are_too_large_are_named(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = objects(store, 4)
    store.delete("yard/1.jpg")
    store.write("yard/2.jpg", bytes(2000))
    store.archive("yard/3.jpg")
    monkeypatch.setattr("agent.pool.sources.reader.FILE_MAX", 1000)

    assert problems(ItemReader(), items) == [
        "",
        "cannot read the image: yard/1.jpg is not there",
        "cannot read the image: yard/2.jpg has more than 1000 bytes",
        "cannot read the image: it is in an archive; restore it in the store, then call it again",
    ]


def test_objects_that_may_not_be_read_are_named_and_the_others_are_read(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.pool.sources.reader._CHECK", 10)
    items = objects(store, 25)
    store.denied = {f"yard/{number}.jpg" for number in range(22)}
    reader = ItemReader({store.bucket: "yard/24.jpg"})
    store.requests.clear()

    found = problems(reader, items)

    assert [not why for why in found] == [False] * 22 + [True] * 3
    assert found[0] == (
        "cannot read the image: the store answers 403 AccessDenied: these credentials need "
        "s3:GetObject and s3:ListBucket there"
    )
    assert len(store.requests) == 25 + 3  # asks thrice whether others may be read


def test_if_nothing_may_be_read_not_each_object_is_asked_for(store: S3Store) -> None:
    items = objects(store, 9)
    store.failure = DENIED
    told = ItemReader({store.bucket: "yard/8.jpg"})
    untold = ItemReader()

    with pytest.raises(ConfigurationError, match="s3:GetObject"):
        told.read(items[0])
    assert len(problems(untold, items[:2])) == 2
    with pytest.raises(ConfigurationError, match="s3:GetObject"):
        untold.read(items[2])


@pytest.mark.slow
def test_rights_that_are_withdrawn_end_the_reading(store: S3Store) -> None:
    items = objects(store, 3)
    reader = ItemReader()
    reader.read(items[0])
    store.failure = DENIED

    with pytest.raises(ConfigurationError, match="s3:GetObject"):
        reader.read(items[1])


@pytest.mark.slow
def test_a_store_that_is_busy_is_asked_again_and_then_left(store: S3Store) -> None:
    first, second, _ = objects(store, 3)
    busy = ("503 Slow Down", "SlowDown")
    store.faults.append(busy)
    assert ItemReader().read(first) == b"image 0"
    store.failure = busy

    with pytest.raises(TemporaryError, match="the store answers 503 SlowDown; call it again"):
        ItemReader().read(second)


def test_a_store_that_does_not_answer_is_left(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "_TIMEOUT", 0.05)
    (first,) = objects(store, 1)
    store.requests.clear()
    store.is_silent.set()

    with pytest.raises(TemporaryError, match="does not answer in time; call it again"):
        ItemReader().read(first)
    store.release.set()
    assert len(store.requests) <= 2


def test_what_is_expected_is_asked_for_once_and_read_all_the_same(store: S3Store) -> None:
    delivered(store, stored_capture(1))
    capture = list_items([store.url]).items[0]
    items = [*objects(store, 6), capture]
    store.write("yard/0.jpg", b"")
    store.delete("yard/1.jpg")
    store.denied = {"yard/2.jpg"}
    plain, told = ItemReader({store.bucket: "yard/5.jpg"}), ItemReader({store.bucket: "yard/5.jpg"})
    expected = problems(plain, items)
    store.requests.clear()

    found = []
    for number in range(len(items)):
        told.expect(items[number : number + 3])
        found += problems(told, items[number : number + 1])

    assert found == expected
    assert [bool(why) for why in found] == [False, True, True, False, False, False, False]
    asked_twice = {each for each in store.requests if store.requests.count(each) > 1}
    assert asked_twice == {f"GET /{store.bucket}/yard/0.jpg"}  # whether others may be read
    assert told.read_record(capture) == stored_capture(1).record_json


def test_what_is_expected_no_more_is_forgotten(store: S3Store) -> None:
    first, second, third = objects(store, 3)
    reader = ItemReader()
    reader.expect([first, second])
    reader.expect([third])
    store.write("yard/0.jpg", b"new")

    assert [reader.read(each) for each in (first, second, third)] == [
        b"new",
        b"image 1",
        b"image 2",
    ]


@pytest.mark.slow
def test_a_process_ends_though_a_store_does_not_answer(store: S3Store) -> None:
    (first,) = objects(store, 1)
    store.is_silent.set()
    code = (
        "from agent.pool.sources.reader import ItemReader\n"
        "from agent.pool.items import ItemKind, PoolItem\n"
        f"ItemReader().expect([PoolItem({first.key!r}, ItemKind.IMAGE, 'c')])\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT_S)
    store.release.set()
