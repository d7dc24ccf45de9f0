"""Statuses of devices beside captures: no command takes them for captures or foreign objects."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.dataset.bucket import Bucket
from agent.dataset.bucket_mirror import BucketMirror
from agent.factories.datasets import dataset_at
from agent.files import Disk
from agent.record.device_names import DEVICES, status_file
from agent.record.device_status import encoded_status
from tests.fakes.captures import capture_id, stored_capture
from tests.in_process import call_here
from tests.record.device_statuses import ABOUT, status_facts
from tests.upload.s3_store import ENVIRONMENT, S3Store

NAMES = ("Gate 07/ü%", capture_id(5))  # the second one is named like a capture


@pytest.fixture(scope="module")
def store() -> Iterator[S3Store]:
    with S3Store() as made:
        yield made


def test_a_copy_of_a_bucket_leaves_them_out_and_a_reader_finds_them(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": store.endpoint}).items():
        monkeypatch.setenv(name, value)
    for device in NAMES:
        key = f"{DEVICES}/{status_file(device, keeps_capitals=True)}"
        store.write(f"captures/yard/{key}", encoded_status(status_facts(device=device), ABOUT))
    bucket = Bucket(store.url)
    fetched = BucketMirror(bucket, tmp_path / "copy", Disk(inside=tmp_path / "copy")).fetch()
    assert (fetched.captures, fetched.foreign, fetched.unfinished, fetched.problems) == (
        0,
        0,
        0,
        [],
    )
    found = [json.loads(bucket.read(key, 65_536)) for key, _ in bucket.objects(DEVICES)]
    assert {each["device"] for each in found} == set(NAMES)


def test_commands_of_the_desk_see_the_captures_alone(tmp_path: Path) -> None:
    made = stored_capture(1)
    dataset = dataset_at(tmp_path / "set")
    dataset.store(made.record_json, made.image)
    for device in NAMES:
        dataset.store_status(device, encoded_status(status_facts(device=device), ABOUT))
    assert dataset.count() == 1
    merged = call_here("dataset", "merge", "set", "--out", "merged", folder=tmp_path)
    assert merged.returncode == 0, merged.stderr
    assert dataset_at(tmp_path / "merged").count() == 1
    assert not (tmp_path / "merged" / DEVICES).exists()
    health = call_here("dataset", "health", "set", folder=tmp_path)
    assert health.stdout.startswith("1 images"), health.stdout
