"""Desk commands on a bucket: captures come here once, and reviews go there without loss."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.dataset import bucket_mirror
from agent.dataset.bucket import Bucket
from agent.dataset.bucket_mirror import BucketMirror
from agent.dataset.captures import read_captures
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import review_line
from agent.domain import VerdictKind
from agent.errors import AgentError, ConfigurationError, TemporaryError
from agent.factories.datasets import local_dataset
from agent.files import Disk
from tests.dataset.bucket_store import delivered, emptied
from tests.fakes.captures import capture_id, stored_capture, with_clip
from tests.fakes.clock import WALL
from tests.upload.s3_store import S3Store

PLACE = "captures/yard/test/2026-05-28"


@pytest.fixture(scope="module")
def running() -> Iterator[S3Store]:
    with S3Store() as store:
        yield store


@pytest.fixture
def store(running: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    return emptied(running, monkeypatch)


def mirror_of(store: S3Store, folder: Path) -> BucketMirror:
    return BucketMirror(Bucket(store.url, retries=0), folder, Disk(inside=folder))


def gets(store: S3Store) -> list[str]:
    return [each for each in store.requests if each.endswith((".jpg", ".json", ".mjpeg", ".jsonl"))]


def a_review(number: int, by: str, verdict: VerdictKind = VerdictKind.RIGHT) -> dict[str, object]:
    return review_line(capture_id(number), verdict, at=WALL + number, by=by)


def review(folder: Path, *lines: dict[str, object]) -> None:
    ReviewedDataset(folder, Disk(inside=folder)).add(lines)


def test_what_a_device_delivered_becomes_a_dataset_folder(store: S3Store, tmp_path: Path) -> None:
    clip = with_clip(2, b"\xff\xd8 one \xff\xd9", b"\xff\xd8 two \xff\xd9")
    delivered(store, stored_capture(1), clip)
    steps: list[tuple[int, int]] = []

    found = mirror_of(store, tmp_path / "m").fetch(lambda done, total: steps.append((done, total)))

    captures = read_captures(tmp_path / "m")
    assert found.captures == len(captures) == 2
    assert captures[capture_id(1)].image_path.read_bytes() == stored_capture(1).image
    assert len(list((tmp_path / "m/clips" / capture_id(2)).iterdir())) >= 2
    assert steps == [(1, 2), (2, 2)]


@pytest.mark.slow
def test_only_what_is_new_is_fetched(store: S3Store, tmp_path: Path) -> None:
    delivered(store, stored_capture(1))
    mirror_of(store, tmp_path).fetch()
    delivered(store, stored_capture(2))

    found = mirror_of(store, tmp_path).fetch()

    assert found.captures == 1
    assert all(capture_id(2) in each for each in gets(store))


@pytest.mark.slow
def test_a_fetch_that_was_cut_off_goes_on(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_mirror, "_BATCH", 1)
    delivered(store, *map(stored_capture, range(4)))
    store.faults.extend([None] * 5 + [("503 Slow", "SlowDown")])  # the list, two captures, then

    with pytest.raises(TemporaryError, match="the store answers 503 SlowDown"):
        mirror_of(store, tmp_path).fetch()
    assert len(read_captures(tmp_path)) == 2

    assert mirror_of(store, tmp_path).fetch().captures == 2


def test_foreign_and_damaged_objects_are_named_and_stop_nothing(
    store: S3Store, tmp_path: Path
) -> None:
    delivered(store, *map(stored_capture, range(1, 7)))
    store.delete(f"{PLACE}/{capture_id(2)}.jpg")
    store.write(f"{PLACE}/{capture_id(3)}.jpg", b"another image")
    store.write(f"{PLACE}/{capture_id(4)}.json", b"[" * 5000)
    record = {**stored_capture(5).record, "lane": None}
    store.write(f"{PLACE}/{capture_id(5)}.json", json.dumps(record).encode())
    store.delete(f"{PLACE}/{capture_id(6)}.json")  # not written yet
    store.write("captures/yard/readme.txt", b"hello")
    store.write("captures/yarda/other.jpg", b"of another prefix")
    store.write("captures/yard/verdicts/odd.jsonl", b"{}")

    found = mirror_of(store, tmp_path).fetch()

    assert (found.captures, found.unfinished, found.foreign) == (1, 1, 2)
    named = {n for n in range(7) for each in found.problems if capture_id(n) in each}
    assert named == {2, 3, 4, 5}
    assert any("its image is not in the bucket" in problem for problem in found.problems)
    assert set(read_captures(tmp_path)) == {capture_id(1)}


def test_reviews_of_two_desks_reach_each_other(store: S3Store, tmp_path: Path) -> None:
    delivered(store, *map(stored_capture, range(3)))
    ann, bo = (mirror_of(store, tmp_path / name) for name in ("ann", "bo"))
    ann.fetch()
    bo.fetch()
    boxes = [{"label": "car", "box": [1.0, 2.0, 30.0, 40.0]}]
    corrected = review_line(capture_id(1), VerdictKind.WRONG, at=WALL, by="ann", boxes=boxes)
    review(tmp_path / "ann", corrected)
    review(tmp_path / "bo", a_review(1, "bo"), a_review(2, "bo"))

    assert (ann.share(), bo.share()) == (1, 2)
    assert (ann.share(), bo.share()) == (0, 0)
    assert (ann.fetch().reviews, bo.fetch().reviews) == (2, 1)

    both = [ReviewedDataset(tmp_path / name, Disk()).reviews() for name in ("ann", "bo")]
    assert both[0] == both[1]
    assert both[0][capture_id(1)].by == "bo"  # the newest
    assert (ann.share(), bo.share()) == (0, 0)
    objects = [key for key in store.stored() if "/verdicts/" in key]
    assert len(objects) == 2
    for key in objects:
        assert hashlib.sha256(store.read(key)).hexdigest() in key


def test_reviews_that_another_desk_made_change_the_labels_here(
    store: S3Store, tmp_path: Path
) -> None:
    delivered(store, stored_capture(1))
    boxes = [{"label": "van", "box": [0.0, 0.0, 100.0, 50.0]}]
    line = review_line(capture_id(1), VerdictKind.WRONG, at=WALL, by="ann", boxes=boxes)
    data = json.dumps(line).encode() + b"\n[\nx\n" + json.dumps({**line, "id": "../x"}).encode()
    store.write(f"captures/yard/verdicts/{hashlib.sha256(data).hexdigest()}.jsonl", data)
    store.write(f"captures/yard/verdicts/{'0' * 64}.jsonl", data)

    found = mirror_of(store, tmp_path).fetch()

    assert found.reviews == 1
    assert "its content is not what its name says" in found.problems[0]
    assert (
        " 0.250000 0.250000 0.500000 0.500000"
        in (tmp_path / f"labels/{capture_id(1)}.txt").read_text()
    )


@pytest.mark.slow
def test_a_review_that_comes_before_its_capture_is_not_lost(store: S3Store, tmp_path: Path) -> None:
    data = json.dumps(a_review(1, "ann")).encode() + b"\n"
    store.write(f"captures/yard/verdicts/{hashlib.sha256(data).hexdigest()}.jsonl", data)
    mirror = mirror_of(store, tmp_path)
    assert mirror.fetch().waiting == 1
    delivered(store, stored_capture(1))

    assert mirror.fetch().reviews == 1
    assert mirror.share() == 0


@pytest.mark.slow
def test_reviews_are_safe_here_while_the_bucket_does_not_take_them(
    store: S3Store, tmp_path: Path
) -> None:
    delivered(store, stored_capture(1))
    mirror = mirror_of(store, tmp_path)
    mirror.fetch()
    review(tmp_path, a_review(1, "ann"))
    store.failure = ("403 Forbidden", "AccessDenied")
    with pytest.raises(ConfigurationError, match=r"s3:PutObject.*The 1 new reviews are safe in"):
        mirror.share()
    store.failure = None

    assert mirror_of(store, tmp_path).share() == 1


@pytest.mark.parametrize(
    ("failure", "error", "says"),
    [
        (("403 Forbidden", "AccessDenied"), ConfigurationError, "s3:GetObject and s3:ListBucket"),
        (("403 Forbidden", "SignatureDoesNotMatch"), ConfigurationError, "AWS_SECRET_ACCESS_KEY"),
        (("403 Forbidden", "Odd"), ConfigurationError, "may not do that"),
        (("404 Not Found", "NoSuchBucket"), ConfigurationError, "or check the address"),
        (("503 Slow", "SlowDown"), TemporaryError, "503 SlowDown; call it again"),
    ],
)
def test_a_bucket_that_refuses_says_what_to_do(
    store: S3Store, tmp_path: Path, failure: tuple[str, str], error: type[AgentError], says: str
) -> None:
    store.failure = failure

    with pytest.raises(error, match=says) as raised:
        mirror_of(store, tmp_path).fetch()
    assert str(raised.value).isprintable()


@pytest.mark.slow
def test_if_no_capture_may_be_read_not_each_of_them_is_asked_for(
    store: S3Store, tmp_path: Path
) -> None:
    delivered(store, *map(stored_capture, range(40)))
    store.faults.append(None)  # the list
    store.faults.extend([("403 Forbidden", "AccessDenied")] * 200)

    with pytest.raises(ConfigurationError, match="s3:GetObject"):
        mirror_of(store, tmp_path).fetch()
    store.faults.clear()


def test_a_name_that_cannot_be_read_is_named(store: S3Store, tmp_path: Path) -> None:
    delivered(store, stored_capture(1))
    store.write("captures/yard//odd", b"")

    with pytest.raises(ConfigurationError, match="'captures/yard//odd' has a name that cannot"):
        mirror_of(store, tmp_path).fetch()


def test_a_store_that_cannot_be_reached_is_tried_again_later(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(TemporaryError, match="cannot list s3://"):
        mirror_of(store, tmp_path).fetch()


def test_without_credentials_nothing_is_asked(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    with pytest.raises(ConfigurationError, match="set AWS_ACCESS_KEY_ID"):
        local_dataset(store.url)
    assert store.requests == []


@pytest.mark.parametrize("url", ["s3://", "s3://a/../b", "s3://bucket/a//b", "S3://bucket/\x1b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be s3://BUCKET/PREFIX"):
        local_dataset(url)


@pytest.mark.slow
def test_each_bucket_has_a_copy_of_its_own(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    delivered(store, stored_capture(1))
    own = local_dataset(store.url)
    named = local_dataset(f"{store.url}/test", cache=tmp_path / "named")
    folder = local_dataset(tmp_path)

    assert own.directory.parent == tmp_path / "user/capture-agent/buckets"
    assert named.directory.parent == tmp_path / "named"
    assert own.directory.name != named.directory.name
    assert own.notes == ("fetched 1 captures and 0 reviews",)
    assert (folder.directory, folder.share()) == (tmp_path, 0)
    review(own.directory, a_review(1, "ann"))
    assert own.share() == 1
