"""The command `capture-agent pool`: from folders of images to a dataset that people review."""

import hashlib
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest

from agent.camera.recording import Recording, RecordingTime
from agent.factories import pool as pool_parts
from agent.replay.frames import address_of
from tests.in_process import call_here
from tests.pool.inline_engine import InlineEngine
from tests.replay.recordings import clip

pytestmark = pytest.mark.usefixtures("without_sync")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two cameras, one of them twice; one that is damaged, one that is a text."""
    folder = tmp_path_factory.mktemp("images")
    recording = Recording(address_of(str(clip())), fps=1, clock=RecordingTime())
    number = 0
    while (frame := recording.read()) is not None:
        camera = folder / ("gate" if number % 2 else "yard/north")
        camera.mkdir(parents=True, exist_ok=True)
        ending = "png" if number == 2 else "jpg"
        cv2.imwrite(str(camera / f"{number}.{ending}"), frame.pixels)
        number += 1
    recording.close()
    (folder / "again").mkdir()
    shutil.copy(folder / "gate" / "1.jpg", folder / "again" / "copy.jpg")
    (folder / "again" / "cut.jpg").write_bytes((folder / "gate" / "1.jpg").read_bytes()[:900])
    (folder / "again" / "text.png").write_text("no image")
    return folder


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> InlineEngine:
    engine = InlineEngine()
    monkeypatch.setattr(pool_parts, "engine_of", lambda *_, **__: engine)
    return engine


@pytest.fixture(scope="module")
def analysed(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a first choice, to copy."""
    out = tmp_path_factory.mktemp("analysed") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_parts, "engine_of", lambda *_, **__: InlineEngine())
        patch.setattr("os.fsync", lambda _: None)
        done = pool(images, out)
    assert done.returncode == 0, done.stderr
    return out


def pool(images: object, out: Path, *words: object, take: int = 4) -> Any:
    return call_here("pool", images, "--take", take, "--out", out, *words)


def report_in(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report.json").read_text())
    return found


def ids_in(out: Path) -> list[str]:
    return [each["id"] for each in report_in(out)["images_chosen"]]


def copied(analysed: Path, folder: Path) -> Path:
    return Path(shutil.copytree(analysed, folder / "out"))


def files_of(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".pool" not in path.parts and not path.name.endswith(".lock")
    }


def test_the_output_is_a_dataset_with_a_report(images: Path, analysed: Path) -> None:
    report = report_in(analysed)

    assert (report["images"], report["unreadable"], report["chosen"]) == (11, 2, 4)
    assert {Path(each["key"]).name for each in report["images_unreadable"]} == {
        "cut.jpg",
        "text.png",
    }
    assert {each["camera"] for each in report["cameras"]} == {"again", "gate", "yard/north"}
    values = [each["value"] for each in report["images_chosen"]]
    assert values == sorted(values, reverse=True)
    assert sum(values) <= report["most_possible"]
    for each in report["images_chosen"]:
        record = json.loads((analysed / "records" / f"{each['id']}.json").read_text())
        image = (analysed / "images" / f"{each['id']}.jpg").read_bytes()
        assert record["image"]["sha256"] == hashlib.sha256(image).hexdigest()
        assert (record["lane"], record["value"]) == ("score", each["value"])
        assert record["rules"] == each["rules"]
        added = [one["added"] for one in each["suspects"]]
        assert each["value"] == pytest.approx(sum(added) + each["unseen"], abs=1e-4 * len(added))
        if each["key"].endswith(".jpg"):
            assert image == Path(each["key"]).read_bytes()
    assert report["images_chosen"][0]["unseen"] == 0.05  # nothing is chosen yet
    page = (analysed / "report.html").read_text()
    assert page.count("<article>") == 4
    assert "cut.jpg" in page


def test_an_image_and_its_copy_are_not_both_chosen(analysed: Path) -> None:
    names = {Path(each["key"]).name for each in report_in(analysed)["images_chosen"]}

    assert len(names & {"1.jpg", "copy.jpg"}) <= 1


def test_other_commands_work_on_it_at_once(analysed: Path, tmp_path: Path) -> None:
    out = copied(analysed, tmp_path)
    export, merged = tmp_path / "coco", tmp_path / "merged"

    assert call_here("dataset", "export", out, "--format", "coco", "--out", export).returncode == 0
    assert call_here("dataset", "health", out, "--json").returncode == 0
    assert call_here("dataset", "merge", out, "--out", merged).returncode == 0
    assert {path.stem for path in (merged / "images").iterdir()} == set(ids_in(out))


def test_a_second_choice_analyses_nothing(
    images: Path, analysed: Path, tmp_path: Path, engine: InlineEngine
) -> None:
    out = copied(analysed, tmp_path)

    assert pool(images, out, "--per-camera", 1, take=3).returncode == 0

    assert engine.analysed == []
    cameras = [each["camera"] for each in report_in(out)["images_chosen"]]
    assert len(set(cameras)) == len(cameras)
    assert {path.stem for path in (out / "images").iterdir()} == set(ids_in(out))
    assert pool(images, out).returncode == 0
    assert files_of(out) == files_of(analysed)


def test_other_settings_are_refused_by_name(
    images: Path,
    analysed: Path,
    tmp_path: Path,
    engine: InlineEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = copied(analysed, tmp_path)
    monkeypatch.setenv("AGENT_THRESHOLD", "0.4")

    done = pool(images, out)

    assert done.returncode == 78
    assert "AGENT_THRESHOLD was 0.5, is 0.4" in done.stderr
    assert files_of(out) == files_of(analysed)
    assert engine.analysed == []


@pytest.mark.slow
def test_what_was_chosen_before_is_not_chosen_again(
    images: Path, analysed: Path, tmp_path: Path, engine: InlineEngine
) -> None:
    assert pool(images, tmp_path / "next", "--after", analysed).returncode == 0

    report = report_in(tmp_path / "next")
    assert not set(ids_in(tmp_path / "next")) & set(ids_in(analysed))
    assert report["shown_before"] >= 4
    assert report["expected_failures"] < report_in(analysed)["expected_failures"]
    assert len(engine.analysed) == 13 + 4


@pytest.mark.slow
def test_ids_are_written_instead_of_images(
    images: Path, analysed: Path, tmp_path: Path, engine: InlineEngine
) -> None:
    out = copied(analysed, tmp_path)

    assert pool(images, out, "--ids").returncode == 0

    keys = [each["key"] for each in report_in(out)["images_chosen"]]
    assert (out / "ids.txt").read_text() == "".join(f"- {key}\n" for key in keys)
    assert list((out / "images").iterdir()) == []
    assert pool(images, tmp_path / "next", "--after", out).returncode == 0
    report = report_in(tmp_path / "next")
    assert not {each["key"] for each in report["images_chosen"]} & set(keys)
    assert "does not count as shown" in report["warnings"][0]
    assert engine.analysed != []


def test_a_pool_that_is_smaller_than_asked_is_taken_whole(
    images: Path, tmp_path: Path, engine: InlineEngine
) -> None:
    one = images / "gate" / "3.jpg"

    done = pool(one, tmp_path / "out", take=500)

    assert done.returncode == 0, engine.analysed
    assert "all 1 images of the pool are chosen: --take 500 is more" in done.stdout
    assert report_in(tmp_path / "out")["chosen"] == 1


def test_a_pool_without_a_readable_image_is_refused(
    images: Path, tmp_path: Path, engine: InlineEngine
) -> None:
    done = pool(images / "again" / "cut.jpg", tmp_path / "out")

    assert done.returncode == 78, engine.analysed
    assert "none of its 1 images can be read" in done.stderr


def test_a_replaced_image_is_analysed_again_and_one_that_is_gone_is_named(
    images: Path, analysed: Path, tmp_path: Path, engine: InlineEngine
) -> None:
    source = Path(shutil.copytree(images / "gate", tmp_path / "gate"))
    replaced, gone = source / "3.jpg", source / "5.jpg"
    assert pool(source, tmp_path / "out", take=5).returncode == 0
    former = {each["key"]: each["id"] for each in report_in(tmp_path / "out")["images_chosen"]}
    engine.analysed.clear()
    shutil.copy(images / "yard/north" / "4.jpg", replaced)
    gone.unlink()

    done = pool(source, tmp_path / "out", take=5)

    assert (done.returncode, engine.analysed) == (0, [str(replaced)])
    report = report_in(tmp_path / "out")
    found = {each["key"]: each["id"] for each in report["images_chosen"]}
    assert found.keys() == former.keys() - {str(gone)}
    assert {key for key in found if found[key] != former[key]} == {str(replaced)}
    other = next(each for each in report["images_chosen"] if each["key"] == str(replaced))
    assert other["sha256"] == hashlib.sha256(replaced.read_bytes()).hexdigest()
    assert (report["gone"], report["images_gone"]) == (1, [str(gone)])
    assert f"are in no SOURCE any more: 1, such as {gone}" in done.stdout
    assert {path.stem for path in (tmp_path / "out" / "images").iterdir()} == set(found.values())


@pytest.mark.slow
def test_an_image_that_changes_after_it_was_analysed_is_named(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(shutil.copytree(images / "gate", tmp_path / "gate"))
    taken = _ReplacedLater(source / "3.jpg", images / "yard/north" / "4.jpg")
    monkeypatch.setattr(pool_parts, "engine_of", lambda *_, **__: taken)

    done = pool(source, tmp_path / "out", take=5)

    assert "1 chosen images cannot be read any more" in done.stdout
    stored = {path.stem for path in (tmp_path / "out" / "images").iterdir()}
    assert stored == set(ids_in(tmp_path / "out"))
    assert str(source / "3.jpg") not in {
        each["key"] for each in report_in(tmp_path / "out")["images_chosen"]
    }


@pytest.mark.slow
def test_an_image_that_changes_later_stays_where_it_was_stored(
    images: Path, tmp_path: Path, engine: InlineEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(shutil.copytree(images / "gate", tmp_path / "gate"))
    assert pool(source, tmp_path / "out", take=5).returncode == 0, engine.analysed
    chosen = ids_in(tmp_path / "out")
    taken = _ReplacedLater(source / "3.jpg", images / "yard/north" / "4.jpg")
    monkeypatch.setattr(pool_parts, "engine_of", lambda *_, **__: taken)

    assert pool(source, tmp_path / "out", take=5).returncode == 0

    assert ids_in(tmp_path / "out") == chosen


class _ReplacedLater(InlineEngine):
    """Replaces an image once all are analysed."""

    def __init__(self, image: Path, other: Path) -> None:
        super().__init__()
        self._image, self._other = image, other

    def run(self, *arguments: Any) -> None:
        super().run(*arguments)
        shutil.copy(self._other, self._image)


@pytest.mark.slow
def test_what_nobody_may_recognize_is_hidden_in_each_copy(
    images: Path, tmp_path: Path, engine: InlineEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_REDACT", "person bicycle")

    assert pool(images / "gate", tmp_path / "out").returncode == 0, engine.analysed

    for each in report_in(tmp_path / "out")["images_chosen"]:
        record = json.loads((tmp_path / "out" / "records" / f"{each['id']}.json").read_text())
        found = {each["label"] for each in record["detections"]} & {"person", "bicycle"}
        assert {part["label"] for part in record["masks"]} >= found
        image = (tmp_path / "out" / "images" / f"{each['id']}.jpg").read_bytes()
        assert (image == Path(each["key"]).read_bytes()) == (not found)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--take", "0"), "cannot use --take 0"),
        (("--engine", "spark"), "cannot use --engine spark: it must be one of local, ray"),
        (("--address", "host:1"), "add --engine ray"),
        (("--workers", "0"), "cannot use --workers 0"),
        (("--per-class", "persn=3"), "did you mean person"),
        (("--feedback", "/nowhere"), "cannot read --feedback /nowhere"),
        (("--after", "/nowhere"), "cannot use --after"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    images: Path, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    done: subprocess.CompletedProcess[str] = call_here(
        "pool", images, "--out", tmp_path / "out", "--take", "3", *words
    )

    assert done.returncode == 78
    assert why in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lacking", "words", "code"),
    [("pyarrow", (), 78), ("ray", (), 0), ("ray", ("--engine", "ray"), 78)],
)
def test_a_library_is_asked_for_only_where_it_is_needed(
    analysed: Path,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lacking: str,
    words: tuple[str, ...],
    code: int,
) -> None:
    out = copied(analysed, tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == lacking else find(name)
    )

    done = pool(images, out, *words)

    assert done.returncode == code
    if code:
        assert f"needs {lacking}: pip install 'edge-capture-agent[pool]'" in done.stderr
