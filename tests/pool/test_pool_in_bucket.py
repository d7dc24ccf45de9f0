"""The command `capture-agent pool` from and into a bucket."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.factories import pool as pool_parts
from agent.factories.datasets import local_dataset
from tests.dataset.bucket_store import delivered, emptied
from tests.fakes.captures import capture_id, stored_capture
from tests.in_process import call_here
from tests.pool.inline_engine import InlineEngine
from tests.pool.output.chosen_images import jpeg_of
from tests.upload.s3_store import S3Store

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_sync")]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    monkeypatch.setattr(pool_parts, "engine_of", lambda *_, **__: InlineEngine())
    with S3Store() as running:
        yield emptied(running, monkeypatch)


def test_captures_of_a_fleet_become_a_dataset(store: S3Store, tmp_path: Path) -> None:
    delivered(store, *(stored_capture(number, jpeg_of(number * 30)) for number in range(4)))

    done = call_here("pool", store.url, "--take", 2, "--out", tmp_path / "out", "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["images"] == 4
    assert report["other_models"] == {"nanodet-g-416 (ab)": 4}
    for each in report["images_chosen"]:
        assert (tmp_path / "out" / "records" / f"{each['id']}.json").read_bytes() in {
            stored_capture(number, jpeg_of(number * 30)).record_json for number in range(4)
        }


def test_a_choice_in_a_bucket_is_what_a_desk_opens(store: S3Store, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(5):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(jpeg_of(number * 40))
    out = f"{store.url}/chosen"

    def pool(take: int) -> str:
        done = call_here("pool", tmp_path / "photos", "--take", take, "--out", out)
        return f"{done.returncode} {done.stderr}"

    assert pool(2) == "0 "
    assert pool(3) == "0 "
    refused = pool(1)

    found = local_dataset(out, cache=tmp_path / "cache").directory
    assert len(list((found / "records").iterdir())) == 3
    assert refused.startswith("78 ")
    assert "nothing is removed from a bucket; name another prefix" in refused


def test_a_prefix_with_other_objects_is_refused(store: S3Store, tmp_path: Path) -> None:
    delivered(store, stored_capture(1))
    (tmp_path / "1.jpg").write_bytes(jpeg_of(1))

    done = call_here("pool", tmp_path, "--take", 1, "--out", store.url)

    assert done.returncode == 78
    assert "there are other objects, and no pool was written there" in done.stderr
    assert capture_id(1) in "".join(store.stored())
