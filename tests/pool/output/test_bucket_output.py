"""Chosen images in a bucket: copied by the store where it can, and gone on with after a kill."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.dataset.bucket import Bucket
from agent.errors import TemporaryError
from agent.pool.items import PoolItem
from agent.pool.output import write
from agent.pool.output.bucket import BucketOutput
from agent.pool.output.captures import CaptureMaker
from agent.pool.output.chosen import ChosenImage
from agent.pool.output.place import ChoiceFile
from agent.pool.sources.listing import list_items
from agent.pool.store.bucket_place import BucketPlace
from tests.dataset.bucket_store import delivered, emptied
from tests.fakes.captures import capture_id, stored_capture
from tests.pool.output.chosen_images import chosen_image, jpeg_of
from tests.upload.s3_store import DENIED, S3Store


@pytest.fixture(scope="module")
def running() -> Iterator[S3Store]:
    with S3Store() as store:
        yield store


@pytest.fixture
def store(running: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setattr(write, "MOST_CARDS", 1)
    return emptied(running, monkeypatch)


class Reader:
    """Reads images by the number in their name."""

    def __init__(self, store: S3Store) -> None:
        self.read_keys: list[str] = []
        self.silent = ""
        self._store = store

    def read(self, item: PoolItem) -> bytes:
        self.read_keys.append(item.key)
        if item.key == self.silent:
            raise TemporaryError("the store does not answer; call it again")
        if item.key.startswith("s3://"):
            return self._store.read(item.key.split("/", 3)[3])
        return jpeg_of(int(item.key.rpartition("/")[2].removesuffix(".jpg")))


def chosen_in(store: S3Store) -> list[ChosenImage]:
    """Captures that devices delivered to the bucket, as chosen ones."""
    numbers = range(1, 6)
    delivered(store, *(stored_capture(number, jpeg_of(number)) for number in numbers))
    items = {item.key.rpartition("/")[2]: item for item in list_items([store.url]).items}
    store.requests.clear()
    found = []
    for number in numbers:
        item = items[f"{capture_id(number)}.jpg"]
        chosen = chosen_image(number, order=number)
        record = stored_capture(number, jpeg_of(number)).record_json
        row = replace(chosen.row, key=item.key, version=item.version, record=record)
        found.append(replace(chosen, row=row, item=item))
    return found


def written(store: S3Store, chosen: Sequence[ChosenImage], reader: Reader) -> dict[str, Any]:
    """Write a choice below `out/` of the bucket."""
    out = f"s3://{store.bucket}/out"
    output = BucketOutput(Bucket(out), ChoiceFile(BucketPlace(out)))
    maker = CaptureMaker(cast("Any", SimpleNamespace(reader=reader)), feedback=None)
    return write.write_captures(
        output,
        chosen,
        maker,
        lambda stored, lost: {
            "stored": [each.row.id for each in stored],
            "lost": lost,
            "chosen": 0,
        },
        lambda _: None,
    )


@pytest.fixture
def without_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "page_of", lambda *_: "")


pytestmark = pytest.mark.usefixtures("without_page")


def place(number: int) -> str:
    return f"out/test/2026-05-28/{capture_id(number)}"


def test_the_store_copies_what_is_in_the_same_bucket(store: S3Store) -> None:
    chosen, reader = chosen_in(store), Reader(store)

    report = written(store, chosen, reader)

    assert report["stored"] == [each.row.id for each in chosen]
    assert reader.read_keys == [chosen[0].item.key]  # the page shows it
    for number in range(1, 6):
        assert store.read(f"{place(number)}.jpg") == jpeg_of(number)
        assert store.read(f"{place(number)}.json") == chosen[number - 1].row.record


def test_what_the_store_may_not_copy_or_is_another_now_is_read(store: S3Store) -> None:
    chosen, reader = chosen_in(store), Reader(store)
    store.write(chosen[2].item.key.split("/", 3)[3], jpeg_of(9))
    store.denied = {f"{place(2)}.jpg"}
    output = BucketOutput(
        Bucket(f"s3://{store.bucket}/out"), ChoiceFile(BucketPlace(f"s3://{store.bucket}/out"))
    )

    assert [output.copy(each) for each in chosen[1:4]] == [False, False, True]

    store.denied = ()
    report = written(store, chosen, reader)
    assert sorted(reader.read_keys) == sorted([chosen[0].item.key, chosen[2].item.key])
    assert list(report["lost"]) == [chosen[2].row.key]
    assert "has changed since" in report["lost"][chosen[2].row.key]


def test_a_call_that_was_killed_goes_on_with_what_is_missing(store: S3Store) -> None:
    chosen = [chosen_image(number, order=number) for number in range(1, 6)]
    written(store, chosen, Reader(store))
    for number in (3, 5):
        store.delete(f"{place(number)}.json")
    before = store.stored()
    reader = Reader(store)

    report = written(store, chosen, reader)

    assert sorted(reader.read_keys) == [f"/pool/{number}.jpg" for number in (1, 3, 5)]
    assert report["stored"] == [each.row.id for each in chosen]
    assert set(store.stored()) - set(before) == {f"{place(number)}.json" for number in (3, 5)}


def test_an_error_that_ends_the_copying_names_its_image(store: S3Store) -> None:
    chosen = [chosen_image(number, order=number) for number in range(1, 6)]
    reader = Reader(store)
    reader.silent = "/pool/4.jpg"

    with pytest.raises(TemporaryError, match=r"^cannot copy /pool/4\.jpg: the store does not"):
        written(store, chosen, reader)

    store.denied = {f"{place(5)}.json"}
    with pytest.raises(Exception, match=r"^cannot copy /pool/5\.jpg: cannot write to s3://") as no:
        written(store, chosen, Reader(store))
    assert DENIED[1] in str(no.value)
