"""Commands that take `s3://BUCKET/PREFIX` in place of a dataset folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import review_line
from agent.domain import VerdictKind
from agent.files import Disk
from tests.dataset.bucket_store import delivered, emptied
from tests.dataset.exports import written_text
from tests.fakes.captures import RANDOM_SLOT, capture_id, stored_capture
from tests.fakes.clock import WALL
from tests.upload.s3_store import S3Store


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    with S3Store() as running:
        yield emptied(running, monkeypatch)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def reviews_in(store: S3Store) -> list[str]:
    return [key for key in store.stored() if key.startswith("captures/yard/verdicts/")]


def test_reviews_that_one_desk_imports_are_what_another_one_evaluates(
    store: S3Store, tmp_path: Path
) -> None:
    delivered(store, *(stored_capture(n, lane="random", sampling=RANDOM_SLOT) for n in range(3)))
    words = "".join(f"{capture_id(n)},{word}\n" for n, word in enumerate(["ok", "fail", "ok"]))
    table = written_text(tmp_path / "v.csv", f"id,verdict\n{words}")

    first = run("dataset", "import", store.url, table, "--json", "--cache", tmp_path / "a")
    second = run("evaluate", store.url, "--json", "--cache", tmp_path / "b")

    assert first.exit_code == 0, first.stderr
    assert "fetched 3 captures and 0 reviews" in first.stderr
    assert "added 3 reviews" in first.stderr
    assert len(reviews_in(store)) == 1
    assert second.exit_code == 0, second.stderr
    assert json.loads(second.stdout)["reviewed"] == 3


def test_a_folder_is_taken_as_it_is_written(tmp_path: Path) -> None:
    said = run("evaluate", tmp_path / "nothing").stderr

    assert f"cannot evaluate {tmp_path / 'nothing'}: there is no such folder" in said


def test_a_bucket_without_credentials_is_refused(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    for words in (("evaluate",), ("review",), ("dataset", "health")):
        result = run(*words, store.url)
        assert result.exit_code == 78
        assert "s3:// needs credentials; set AWS_ACCESS_KEY_ID" in result.stderr


@pytest.mark.slow
def test_the_review_page_sends_its_reviews_when_it_ends(store: S3Store, tmp_path: Path) -> None:
    delivered(store, stored_capture(1))
    words = ["review", store.url, "--port", "0", "--cache", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-m", "agent", *words], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as page:
        assert page.stdout is not None
        assert "http://" in page.stdout.readline()
        page.stdout.readline()
        (folder,) = tmp_path.iterdir()
        line = review_line(capture_id(1), VerdictKind.RIGHT, at=WALL, by="ann")
        ReviewedDataset(folder, Disk()).add([line])
        page.send_signal(signal.SIGTERM)
        assert page.wait(60) == 0

    (key,) = reviews_in(store)
    assert json.loads(store.read(key)) == line
