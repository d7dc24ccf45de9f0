"""The store in a bucket: rows become objects of some hundred, and those become sealed parts."""

import pickle
from collections.abc import Iterator

import pytest

from agent.dataset.bucket import Bucket, ObjectDenied
from agent.pool.rows import PoolRow
from agent.pool.store.bucket_place import PUT_FRAMES, PUT_S, BucketPlace
from agent.pool.store.order import RowOrder
from agent.pool.store.sealed import DamagedPart
from agent.pool.store.store import PartStore
from tests.dataset.bucket_store import emptied
from tests.fakes.clock import ManualClock
from tests.pool.store.test_row_store import image
from tests.upload.s3_store import S3Store


@pytest.fixture(scope="module")
def running() -> Iterator[S3Store]:
    with S3Store() as store:
        yield store


@pytest.fixture
def s3(running: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    return emptied(running, monkeypatch)


def objects(s3: S3Store) -> list[str]:
    return [key.partition(".pool/")[2] for key in s3.stored()]


def test_rows_of_a_killed_process_are_kept_some_hundred_at_a_time(s3: S3Store) -> None:
    clock = ManualClock()
    store = PartStore(BucketPlace(s3.url, clock=clock))
    killed = store.part("a")
    for n in range(PUT_FRAMES + 2):
        killed.add(image(n))
    clock.now += PUT_S
    killed.add(image(PUT_FRAMES + 2))
    killed.add(image(PUT_FRAMES + 3))  # in memory alone when the process is killed

    following = store.part("a")

    assert objects(s3) == ["a.rows/000001", "a.rows/000002"]
    assert len(store.kept().finished) == PUT_FRAMES + 3
    assert following.is_finished(image(PUT_FRAMES + 2).key)
    assert not following.is_finished(image(PUT_FRAMES + 3).key)
    following.add(image(PUT_FRAMES + 3))
    following.close()
    assert len(objects(s3)) == 1
    assert objects(s3)[0].endswith(".parquet")
    assert store.kept().rows == PUT_FRAMES + 4


def test_the_choice_reads_parts_of_objects(s3: S3Store) -> None:
    store = pickle.loads(pickle.dumps(PartStore(BucketPlace(s3.url))))
    part = store.part("a")
    rows = [PoolRow(f"s3://b/{n:04d}", camera="é", record=b"{}" * n) for n in range(600)]
    for row in rows:
        part.add(row)
    part.close()

    order = RowOrder(store)

    assert [row.key for row in order.facts()] == [row.key for row in rows]
    assert order.rows([rows[500].key]) == [rows[500]]


def test_a_damaged_object_is_named_and_its_images_analysed_again(s3: S3Store) -> None:
    store = PartStore(BucketPlace(s3.url))
    part = store.part("a")
    part.add(image(1))
    part.close()
    order = RowOrder(store)
    name = objects(s3)[0]
    store.place.write(name, (store.place.read(name) or b"")[:-9])

    with pytest.raises(DamagedPart, match=name):
        order.rows([image(1).key])
    kept = store.kept()

    assert kept.finished == frozenset()
    assert name in kept.damaged[0]
    assert objects(s3) == [f"{name}.damaged"]


def refuse(bucket: Bucket, key: str) -> None:
    raise ObjectDenied(f"{bucket.name} {key}", "no rights")


def test_without_the_right_to_delete_old_rows_stay_and_do_no_harm(
    s3: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PartStore(BucketPlace(s3.url))
    part = store.part("a")
    for n in range(PUT_FRAMES):
        part.add(image(n))
    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "remove", refuse)
        part.close()
        assert len(objects(s3)) == 2
        assert store.kept().rows == PUT_FRAMES
        assert len(RowOrder(store)) == PUT_FRAMES
        again = store.part("a")
        again.add(image(PUT_FRAMES))
        again.close()

    assert len(RowOrder(store)) == PUT_FRAMES + 1
