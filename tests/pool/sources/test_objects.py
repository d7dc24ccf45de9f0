"""Buckets become items: captures of a fleet and anybody's images, with any names."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from agent.dataset.bucket import Bucket
from agent.errors import ConfigurationError, TemporaryError
from agent.pool.items import ItemKind
from agent.pool.sources import listed_ahead
from agent.pool.sources.listing import Listing, list_items
from tests.dataset.bucket_store import delivered, emptied
from tests.fakes.captures import capture_id, stored_capture, with_clip
from tests.pool.sources.test_any_tree import TREES, plant
from tests.pool.sources.trees import with_captures
from tests.search import examples
from tests.upload.s3_store import S3Store

IMAGE, CAPTURE, RECORDING = ItemKind.IMAGE, ItemKind.CAPTURE, ItemKind.RECORDING


@pytest.fixture(scope="module")
def running() -> Iterator[S3Store]:
    with S3Store() as store:
        yield store


@pytest.fixture
def store(running: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    return emptied(running, monkeypatch)


def listed(store: S3Store, *prefixes: str, output: str = "") -> Listing:
    sources = [f"s3://{store.bucket}/{prefix}".rstrip("/") for prefix in prefixes]
    return list_items(sources, output=output)


def cameras(store: S3Store, listing: Listing) -> dict[str, tuple[ItemKind, str]]:
    """Kinds and cameras by key."""
    cut = len(f"s3://{store.bucket}/")
    return {item.key[cut:]: (item.kind, item.camera) for item in listing.items}


def test_captures_of_a_fleet_are_found_with_their_devices(store: S3Store) -> None:
    delivered(store, stored_capture(1), with_clip(2, b"\xff\xd8 one \xff\xd9"))
    store.write(f"captures/yard/other/2026-05-29/{capture_id(3)}.jpg", b"x")
    store.write("captures/yard/verdicts/a.jsonl", b"{}")
    store.write("captures/yard/devices/test.json", b"{}")

    listing = listed(store, "captures/yard")

    place = "captures/yard/test/2026-05-28"
    assert cameras(store, listing) == {
        f"captures/yard/other/2026-05-29/{capture_id(3)}.jpg": (IMAGE, "other"),
        f"{place}/{capture_id(1)}.jpg": (CAPTURE, "test"),
        f"{place}/{capture_id(2)}.jpg": (CAPTURE, "test"),
    }
    assert [item.record for item in listing.items][1:] == [
        f"s3://{store.bucket}/{place}/{capture_id(number)}.json" for number in (1, 2)
    ]
    assert [item.size for item in listing.items] == [1, *[len(stored_capture(1).image)] * 2]
    (source,) = listing.sources
    assert (source.without_record, source.passed_over) == (1, {"of the agent": 2})
    assert cameras(store, listed(store, place)) == cameras(
        store, listed(store, "captures/yard/test")
    )


def test_images_of_anybody_have_any_names(store: S3Store) -> None:
    names = ["a.jpg", "A.jpg", "x y/1.png", "x y/é #%20?.webp", "x y.jpg", "x/y/z.TIFF", "clip.mov"]
    for name in [*names, "folder", "notes.txt", "x/.cache/1.jpg", ".hidden.png"]:
        store.write(f"My Photos (2)/{name}", b"" if name == "folder" else b"data")
    store.write("My Photos (2)/", b"")
    store.write("My Photos (20)/1.jpg", b"of another prefix")

    listing = listed(store, "My Photos (2)")

    found = {key.partition("/")[2]: value for key, value in cameras(store, listing).items()}
    assert found == {
        "A.jpg": (IMAGE, "My Photos (2)"),
        "a.jpg": (IMAGE, "My Photos (2)"),
        "clip.mov": (RECORDING, "clip.mov"),
        "x y.jpg": (IMAGE, "My Photos (2)"),
        "x y/1.png": (IMAGE, "x y"),
        "x y/é #%20?.webp": (IMAGE, "x y"),
        "x/y/z.TIFF": (IMAGE, "x/y"),
    }
    keys = [item.key for item in listing.items]
    assert keys == sorted(keys)
    assert listing.sources[0].passed_over == {"folder": 2, ".txt": 1, "hidden": 2}


@pytest.mark.slow
def test_a_dataset_folder_that_was_copied_gives_its_captures(
    store: S3Store, tmp_path: Path
) -> None:
    folder = with_captures(tmp_path / "d", 1, 2)
    (folder / "images" / f"{capture_id(2)}.jpg").unlink()
    for path in folder.rglob("*"):
        if path.is_file():
            store.write(f"sets/dev-1/{path.relative_to(folder)}", path.read_bytes())
    for name in (f"clips/{capture_id(1)}/1.jpg", "classes/car/x.jpg", "extra/y.jpg"):
        store.write(f"sets/dev-1/{name}", b"x")

    listing = listed(store, "sets")

    assert cameras(store, listing) == {
        "sets/dev-1/extra/y.jpg": (IMAGE, "dev-1/extra"),
        f"sets/dev-1/images/{capture_id(1)}.jpg": (CAPTURE, "dev-1"),
    }
    item = listing.items[1]
    assert item.record == f"s3://{store.bucket}/sets/dev-1/records/{capture_id(1)}.json"
    assert [item.camera for item in listed(store, "sets/dev-1").items] == ["extra", "dev-1"]
    assert "its image is missing" in listing.sources[0].problems[0]
    assert capture_id(2) in listing.sources[0].problems[0]


def test_each_object_is_listed_once_and_the_output_never(store: S3Store) -> None:
    for name in ("1.jpg", "gate/2.jpg", "out/images/3.jpg", "out/.pool/x", "out-2/4.jpg"):
        store.write(f"yard/{name}", b"x")
    out = f"s3://{store.bucket}/yard/out/"

    listing = listed(store, "yard/gate", "yard", "yard/gate/2.jpg", "yard/", output=out)

    assert list(cameras(store, listing)) == ["yard/1.jpg", "yard/gate/2.jpg", "yard/out-2/4.jpg"]
    assert sum(source.repeated for source in listing.sources) == 2
    assert listing.sources[0].passed_over["in --out"] == 2
    with pytest.raises(ConfigurationError, match="it is --out, or lies in it"):
        listed(store, "yard/out/images", output=out)


@pytest.mark.slow
def test_objects_between_those_of_a_capture_do_not_part_it(store: S3Store) -> None:
    delivered(store, stored_capture(1))
    place = f"captures/yard/test/2026-05-28/{capture_id(1)}"
    for name in ("-crop.jpg", ".jpg.bak", ".jpg.png", "/own.jpg"):
        store.write(place + name, b"x")

    listing = listed(store, "captures")

    assert [(item.key.partition(place)[2], item.kind) for item in listing.items] == [
        ("-crop.jpg", IMAGE),
        (".jpg", CAPTURE),
        (".jpg.png", IMAGE),
        ("/own.jpg", IMAGE),
    ]


@pytest.mark.slow
def test_one_object_is_a_source(store: S3Store) -> None:
    delivered(store, stored_capture(1))
    store.write("yard/1.jpg", b"x")
    capture = f"captures/yard/test/2026-05-28/{capture_id(1)}.jpg"

    assert cameras(store, listed(store, "yard/1.jpg")) == {"yard/1.jpg": (IMAGE, "yard")}
    assert list(listed(store, capture).items) == list(listed(store, "captures/yard").items)


def test_a_name_that_cannot_be_read_is_named_and_the_rest_is_listed(store: S3Store) -> None:
    for name in ("a/1.jpg", "b/c/2.jpg", "b/d//3.jpg", "b/d/4.jpg", "e/5.jpg", "z.jpg"):
        store.write(f"yard/{name}", b"x")

    listing = listed(store, "yard")

    assert list(cameras(store, listing)) == [
        "yard/a/1.jpg", "yard/b/c/2.jpg", "yard/e/5.jpg", "yard/z.jpg",
    ]  # fmt: skip
    (source,) = listing.sources
    assert source.problem_count == 1
    assert source.problems[0].startswith(f"s3://{store.bucket}/yard/b/d/: it is left out")
    assert "'yard/b/d//'" in source.problems[0]


@pytest.mark.slow
def test_a_store_that_lists_in_no_order_gives_the_same_items(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As directory buckets do. The one thing that the real store here cannot be told."""
    delivered(store, *map(stored_capture, range(5)))
    whole = listed(store, "captures/yard")
    real = Bucket.listed
    monkeypatch.setattr(
        Bucket,
        "listed",
        lambda self, below="", after="": iter(sorted(real(self, below), reverse=True)),
    )

    shuffled = listed(store, "captures/yard")

    assert list(shuffled.items) == list(whole.items)
    assert shuffled.sources == whole.sources


@pytest.mark.parametrize("begins_where_it_is_told", [True, False])
def test_many_requests_find_what_one_finds(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, *, begins_where_it_is_told: bool
) -> None:
    keys = [f"x/{c}/{n}.jpg" for c in ("a", "a-b", "aé", "a b", "a%2F", "b#") for n in range(3)]
    for key in [*keys, "x/a.jpg", "y/1.jpg"]:
        store.write(key, b"1")
    for folder in ("x/", "x/a b/", "x/c/", "x/c/d/"):
        store.write(folder, b"")
    whole = [each.key for each in Bucket(f"s3://{store.bucket}").listed("x")]
    monkeypatch.setattr(listed_ahead, "_PAGE", 2)
    if not begins_where_it_is_told:
        real = Bucket.listed
        monkeypatch.setattr(Bucket, "listed", lambda self, below="", after="": real(self, below))
    store.requests.clear()

    listing = listed(store, "x")

    found = [item.key for item in listing.items]
    assert found == [f"s3://{store.bucket}/{key}" for key in whole if key.endswith(".jpg")]
    assert len(found) == 19
    assert listing.sources[0].passed_over == {"folder": 4}
    assert len(store.requests) > 2 + len(listing.readable)


def test_an_object_that_is_replaced_is_another_version(store: S3Store) -> None:
    delivered(store, stored_capture(1), stored_capture(2))
    store.write("captures/yard/z/1.jpg", b"x")
    first = [item.version for item in listed(store, "captures/yard").items]
    place = f"captures/yard/test/2026-05-28/{capture_id(2)}"
    store.write(f"{place}.json", b"{}")
    store.write("captures/yard/z/1.jpg", b"y")

    second = [item.version for item in listed(store, "captures/yard").items]

    assert 0 not in first
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, False]
    assert listed(store, "captures/yard/z/1.jpg").items[0].version == second[-1]
    assert listed(store, f"{place}.jpg").items[0].version == second[1]


def test_a_bucket_of_which_nothing_may_be_read_is_refused_at_once(store: S3Store) -> None:
    for number in range(40):
        store.write(f"yard/{number}.jpg", b"x")
    store.requests.clear()
    store.faults.append(None)  # the list
    store.faults.extend([("403 Forbidden", "AccessDenied")] * 40)

    with pytest.raises(ConfigurationError) as raised:
        listed(store, "yard")
    store.faults.clear()

    assert "none of 6 objects in it may be read" in str(raised.value)
    assert "s3:GetObject" in str(raised.value)
    assert len(store.requests) == 7


@pytest.mark.slow
def test_one_object_that_may_be_read_is_enough(store: S3Store) -> None:
    for number in range(4):
        store.write(f"yard/{number}.jpg", b"x")
    store.faults.extend([None, ("403 Forbidden", "AccessDenied"), ("404 Not Found", "NoSuchKey")])

    assert listed(store, "yard").readable == {store.bucket: "yard/3.jpg"}


@pytest.mark.parametrize(
    ("failure", "error", "says"),
    [
        (("403 Forbidden", "AccessDenied"), ConfigurationError, "s3:ListBucket"),
        (("404 Not Found", "NoSuchBucket"), ConfigurationError, "there is no such bucket"),
        (("400 Bad Request", "ExpiredToken"), ConfigurationError, "renew the credentials"),
    ],
)
def test_a_bucket_that_refuses_says_what_to_do(
    store: S3Store, failure: tuple[str, str], error: type[Exception], says: str
) -> None:
    store.failure = failure

    with pytest.raises(error, match=says):
        listed(store, "yard")


def test_an_empty_prefix_and_a_wrong_address_are_named(store: S3Store) -> None:
    store.write("yard/1.txt", b"x")

    with pytest.raises(ConfigurationError, match=r"no image and no recording in it, but 1 \.txt"):
        listed(store, "yard")
    with pytest.raises(ConfigurationError) as raised:
        list_items(["s3://", "s3://KEY:secret@b/x", "s3://bucket/a//b", "s3://bucket/../c"])
    assert len(str(raised.value).split("\n")) == 4
    assert "secret" not in str(raised.value)


def test_a_store_that_cannot_be_reached_is_asked_again_later(
    monkeypatch: pytest.MonkeyPatch, store: S3Store
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("agent.pool.sources.checked._RETRIES", 0)

    with pytest.raises(TemporaryError, match="call it again"):
        listed(store, "yard")


@pytest.mark.slow
@settings(max_examples=examples(50), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES)
def test_a_tree_in_a_bucket_is_listed_like_one_in_a_folder(
    store: S3Store, paths: list[str]
) -> None:
    with TemporaryDirectory() as made:
        root = Path(made).resolve() / "pool"
        plant(root, ["top.jpg", *paths])
        for key in store.stored():
            store.delete(key)
        for path in root.rglob("*"):
            if path.is_file():
                store.write(f"x/pool/{path.relative_to(root)}", path.read_bytes())

        local, remote = list_items([f"{root}"]), listed(store, "x/pool")

        begin = f"s3://{store.bucket}/x/pool/"
        assert [
            replace(item, key=item.key.removeprefix(begin), version=0) for item in remote.items
        ] == [
            replace(item, key=item.key.removeprefix(f"{root}/"), version=0) for item in local.items
        ]
        assert local.sources[0].items == remote.sources[0].items
