"""Exports: which captures and labels, the same version for the same content, and no harm done."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.dataset.captures import read_captures
from agent.dataset.export import write
from agent.dataset.export.export import export_dataset, terms_of
from agent.dataset.export.options import ExportFormat, SourceOfTest
from agent.dataset.folder import Dataset
from agent.dataset.images import UnusableCapture, check_image
from agent.dataset.merge import merge
from agent.dataset.reviewed import ReviewedDataset
from agent.domain import Lane, VerdictKind
from agent.errors import ConfigurationError, TemporaryError
from agent.files import Disk
from tests import ROOT
from tests.dataset.exported import dataset, hours, of_class, review, spoil, timed
from tests.fakes.captures import CAR, capture_id
from tests.in_process import call_here

pytestmark = pytest.mark.usefixtures("without_sync")

MISSED = {"label": "van", "box": [0.0, 0.0, 100.0, 100.0]}


def export(directory: Path, out: Path, *words: str) -> Any:
    return call_here("dataset", "export", directory, "--out", out, *words)


def made(out: Path) -> Any:
    return json.loads((out / "dataset.json").read_text())


def facts(out: Path) -> dict[str, Any]:
    lines = map(json.loads, (out / "captures.jsonl").read_text().splitlines())
    return {line["id"]: line for line in lines}


def splits(out: Path) -> dict[str, str]:
    return {name: line["split"] for name, line in facts(out).items()}


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frame each 450 s for five hours; half of the random ones are reviewed."""
    lines = [review(number) for number in range(0, 40, 10)]
    return dataset(tmp_path_factory.mktemp("template") / "captures", hours(40, every=450.0), *lines)


@pytest.fixture
def captures(template: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""

    def copy(source: str, target: str) -> None:
        """Files that are replaced are linked, which is quick; facts are added to theirs."""
        (shutil.copy if source.endswith(".jsonl") else os.link)(source, target)

    return Path(shutil.copytree(template, tmp_path / "captures", copy_function=copy))


def test_nothing_in_train_is_near_to_what_is_held_out(captures: Path, tmp_path: Path) -> None:
    done = export(captures, tmp_path / "out", "--gap", "8m", "--block", "15m")

    assert done.returncode == 0
    summary = made(tmp_path / "out")
    assert [row["share"] for row in summary["leaks"]["val"]] == [0.0] * 5
    assert summary["leaks"]["val"][0].keys() == {"within", "share", "at_random"}
    assert "val of a random split" in done.stdout
    counts = {name: split["captures"] for name, split in summary["splits"].items()}
    assert counts["test"] == 4
    assert 3 <= counts["val"] <= 12
    assert counts["train"] > 8
    assert summary["left_out"]["random captures that nobody has reviewed"] == 4
    assert sum(counts.values()) + sum(summary["left_out"].values()) == 40


def test_labels_follow_the_reviews_and_tell_their_origin(tmp_path: Path) -> None:
    captures = dataset(
        tmp_path / "captures",
        [timed(n, n * 1000.0) for n in range(8)],
        review(0),
        review(1, VerdictKind.MISSING, boxes=[CAR, MISSED]),
        review(2, VerdictKind.WRONG),
        review(3, VerdictKind.UNUSABLE),
        review(4, VerdictKind.WRONG, boxes=[]),
    )
    done = export(captures, tmp_path / "out")

    found = {name: line["origin"] for name, line in facts(tmp_path / "out").items()}
    assert found == {
        capture_id(0): "reviewed",
        capture_id(1): "corrected",
        capture_id(4): "corrected",
        **{capture_id(n): "model" for n in (5, 6, 7)},
    }
    assert facts(tmp_path / "out")[capture_id(1)]["by"] == "ann"
    assert "labels that nobody looked at" in done.stderr
    assert "1 unusable" in done.stdout
    assert "1 wrong, as a review says, and nobody drew the objects" in done.stdout
    (label,) = (tmp_path / "out/labels").rglob(f"{capture_id(1)}.txt")
    assert [row.split()[0] for row in label.read_text().splitlines()] == ["2", "3"]
    (empty,) = (tmp_path / "out/labels").rglob(f"{capture_id(4)}.txt")
    assert empty.read_text() == ""


def test_origins_choose_for_train_and_validation_but_test_has_all(
    captures: Path, tmp_path: Path
) -> None:
    ReviewedDataset(captures, Disk()).add([review(n) for n in range(1, 40, 5)])

    done = export(captures, tmp_path / "out", "--origin", "corrected,reviewed")

    assert {line["origin"] for line in facts(tmp_path / "out").values()} == {"reviewed"}
    assert done.stderr == ""
    assert "of origins that were not asked for" in done.stdout
    only = export(captures, tmp_path / "only", "--origin", "corrected")
    assert set(splits(tmp_path / "only").values()) == {"test"}
    assert "train is empty" in only.stderr


def test_automatic_and_synthetic_captures_are_only_in_train(tmp_path: Path) -> None:
    parents = [timed(n, n * 1300.0) for n in range(15)]
    automatic = [timed(100 + n, n * 1300.0 + 350, lane=Lane.AUTO) for n in range(15)]
    variants = [
        timed(
            200 + n,
            n * 1300.0,
            synthetic={"parent": capture_id(n), "operations": [{"name": "flip"}], "seed": 1},
        )
        for n in range(15)
    ]
    captures = dataset(tmp_path / "captures", [*parents, *automatic, *variants])
    export(captures, tmp_path / "out")

    found = splits(tmp_path / "out")
    assert "val" in found.values()
    for number in range(15):
        assert found.get(capture_id(100 + number)) in {"train", None}
        is_in_train = found.get(capture_id(number)) == "train"
        assert found.get(capture_id(200 + number)) == ("train" if is_in_train else None)


def test_a_random_capture_with_an_unknown_failure_is_missed_aloud(
    captures: Path, tmp_path: Path
) -> None:
    ReviewedDataset(captures, Disk()).add([review(5, VerdictKind.MISSING)])

    done = export(captures, tmp_path / "out")

    assert "test lacks 1 random captures" in done.stderr


def test_the_same_content_has_the_same_version_in_any_order_and_place(tmp_path: Path) -> None:
    made_of = hours(20)
    lines = [review(n) for n in range(0, 20, 5)]
    first = dataset(tmp_path / "one", made_of, *lines)
    second = dataset(tmp_path / "two", made_of[::-1], *lines[::-1])
    merge([second], tmp_path / "three", Disk())

    for each in (first, second, tmp_path / "three"):
        assert export(each, tmp_path / f"{each.name}-out").returncode == 0
        export(each, tmp_path / f"{each.name}-coco", "--format", "coco")

    outs = [content(tmp_path / f"{name}-out") for name in ("one", "two", "three")]
    for files in outs:
        summary = json.loads(files.pop("dataset.json"))
        assert summary["version"] == made(tmp_path / "one-coco")["version"]
        assert str(tmp_path) not in json.dumps(summary)
    assert outs[0] == outs[1] == outs[2]


@pytest.mark.parametrize(
    "change",
    ["label", *(pytest.param(each, marks=pytest.mark.slow) for each in ("split", "capture"))],
)
def test_other_content_is_another_version_and_never_overwrites(
    change: str, captures: Path, tmp_path: Path
) -> None:
    export(captures, tmp_path / "out")
    before = content(tmp_path / "out")
    if change == "label":
        ReviewedDataset(captures, Disk()).add([review(1, VerdictKind.WRONG, boxes=[MISSED])])
    elif change == "capture":
        new = timed(400, 400 * 450.0)
        Dataset(captures, Disk()).store(new.record_json, new.image)

    done = export(captures, tmp_path / "out", *(["--val", "0.5"] if change == "split" else []))

    assert done.returncode == 78
    assert len(before) > 60
    assert content(tmp_path / "out") == before
    assert "Versions are never changed" in done.stderr


def test_the_same_version_again_is_nothing_to_do(captures: Path, tmp_path: Path) -> None:
    export(captures, tmp_path / "out")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}

    done = export(captures, tmp_path / "out")

    assert done.returncode == 0
    assert "nothing to do" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == stamps
    next((tmp_path / "out/images/train").iterdir()).unlink()
    assert export(captures, tmp_path / "out").returncode == 78


def test_a_damaged_image_is_left_out_told_and_in_the_exit_code(
    captures: Path, tmp_path: Path
) -> None:
    spoil(captures / f"images/{capture_id(7)}.jpg", "truncated")

    done = export(captures, tmp_path / "out")

    assert done.returncode == 78
    assert capture_id(7) in done.stderr
    assert "exported" in done.stdout
    assert capture_id(7) not in facts(tmp_path / "out")
    assert made(tmp_path / "out")["left_out"]["whose image is missing or damaged"] == 1


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("missing", "is missing"),
        ("truncated", r"has \d+ bytes, and the record says \d+"),
        ("other", "has another sha256"),
        ("fifo", "it is a FIFO|not a regular file"),
        ("device", "not a regular file|is a device"),
        ("folder", "folder|directory|regular"),
    ],
)
def test_each_kind_of_damage_has_its_reason(damage: str, why: str, tmp_path: Path) -> None:
    captures = dataset(tmp_path / "captures", [timed(1, 0.0)])
    (capture,) = read_captures(captures).values()
    check_image(capture)
    spoil(capture.image_path, damage)

    with pytest.raises(UnusableCapture, match=why):
        check_image(capture)


@pytest.mark.parametrize("where", ["inside", "around", "itself", "other files", "file", "fifo"])
def test_a_folder_that_cannot_be_the_export_is_refused(
    where: str, captures: Path, tmp_path: Path
) -> None:
    out = {"inside": captures / "out", "around": tmp_path, "itself": captures}.get(
        where, tmp_path / "out"
    )
    if where == "other files":
        out.mkdir()
        (out / "images").mkdir()
        (out / "images/holiday.jpg").write_bytes(b"x")
    elif where == "file":
        out.write_bytes(b"x")
    elif where == "fifo":
        os.mkfifo(out)
    before = sorted(tmp_path.rglob("*"))

    done = export(captures, out)

    assert done.returncode == 78
    assert "cannot export" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_several_tasks_are_chosen_by_name(tmp_path: Path) -> None:
    outline = {**CAR, "polygon": [[10, 20], [110, 20], [60, 70]]}
    detected = [timed(n, n * 1000.0) for n in range(3)]
    outlined = [timed(10 + n, n * 1000.0, task="segment", detections=[outline]) for n in range(4)]
    captures = dataset(tmp_path / "captures", [*detected, *outlined], review(10))

    done = export(captures, tmp_path / "out")
    assert done.returncode == 78
    assert "detect (3 captures), segment (4 captures)" in done.stderr
    assert export(captures / "segment", tmp_path / "out").returncode == 78
    assert export(captures, tmp_path / "out", "--task", "pose").returncode == 78

    assert export(captures, tmp_path / "out", "--task", "segment").returncode == 0
    assert facts(tmp_path / "out")[capture_id(10)]["origin"] == "reviewed"
    assert len(facts(tmp_path / "out")) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--block", "soon"], "--block soon"),
        (["--block", "0"], "--block 0"),
        (["--gap", "400d"], "--gap 400d"),
        (["--origin", "nobody"], "--origin nobody"),
        (["--origin", ","], "--origin ,"),
        (["--val", "nan"], "--val nan"),
        (["--val", "1"], "--val 1"),
    ],
)
def test_wrong_options_are_named(
    words: list[str], said: str, captures: Path, tmp_path: Path
) -> None:
    done = export(captures, tmp_path / "out", *words)

    assert done.returncode == 78
    assert said in done.stderr


def test_a_folder_without_captures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert export(tmp_path / "empty", tmp_path / "out").returncode == 78
    assert export(tmp_path / "no", tmp_path / "out").returncode == 78
    nothing = dataset(tmp_path / "bad", [timed(1, 0)], review(1, VerdictKind.UNUSABLE))
    done = export(nothing, tmp_path / "out")
    assert "no capture is left to export: 1 unusable" in done.stderr
    assert not (tmp_path / "out").exists()


def test_two_exports_at_once_do_not_mix(captures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with Disk().locked(tmp_path / "out/.lock", seconds=0):
        done = export(captures, tmp_path / "out")

    assert done.returncode == 75
    assert "another export is writing there" in done.stderr
    assert export(captures, tmp_path / "out").returncode == 0


def test_a_full_disk_leaves_an_export_that_the_next_call_completes(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, copied = Disk.copy, []

    def full(disk: Disk, source: Path, destination: Path) -> str:
        copied.append(source)
        if len(copied) > 10:
            raise OSError(28, "No space left on device")
        return copy(disk, source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "copy", full)
        done = export(captures, tmp_path / "out")

    assert done.returncode == 75
    assert "No space left" in done.stderr
    assert not (tmp_path / "out/dataset.json").exists()
    assert export(captures, tmp_path / "out", "--format", "coco").returncode == 0
    export(captures, tmp_path / "fresh", "--format", "coco")
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


def test_an_image_that_changes_while_it_is_copied_is_noticed(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "copy", lambda *_: "0" * 64)
    terms, origins = terms_of(
        block="10m", gap="1m", val=0.2, test=SourceOfTest.RANDOM, origin="model,reviewed"
    )

    with pytest.raises(TemporaryError, match="changed meanwhile"):
        export_dataset(
            captures, tmp_path / "out", ExportFormat.YOLO, task=None, terms=terms, origins=origins
        )


def test_a_damaged_dataset_json_is_not_taken_for_an_export(captures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/dataset.json").write_text("{}")

    with pytest.raises(ConfigurationError, match="it has no `version`"):
        write.read_export(tmp_path / "out")
    assert export(captures, tmp_path / "out").returncode == 78


def test_a_classifier_has_its_classes_as_folders(tmp_path: Path) -> None:
    labels = ["cat", "dog/../x"]
    made_of = [of_class(n, n * 1000.0, labels[n % 2]) for n in range(20)]
    captures = dataset(
        tmp_path / "captures",
        made_of,
        review(2, VerdictKind.WRONG, labels=["bird"]),
        review(4, VerdictKind.WRONG),
    )
    assert export(captures, tmp_path / "out").returncode == 0
    assert export(captures, tmp_path / "coco", "--format", "coco").returncode == 78

    out = tmp_path / "out"
    found = {path.stem: path.parent.name for path in out.rglob("*.jpg")}
    assert found[capture_id(2)] == "bird"
    assert capture_id(4) not in found
    assert set(found.values()) == {"bird", "cat", "dog%2F..%2Fx"}
    assert {path.name for path in (out / "val").iterdir()} == set(found.values())


KILLED = """
import os, sys
from pathlib import Path
from agent.cli import app
from agent.files import Disk

left = [int(sys.argv[1])]
def counted(original):
    def call(disk, path, *more):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), 9)
        return original(disk, path, *more)
    return call
Disk.make_directory = counted(Disk.make_directory)
Disk._replaced = counted(Disk._replaced)
app(["dataset", "export", sys.argv[2], "--out", sys.argv[3]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2, 5, 12, 30])
def test_a_killed_export_is_completed_by_the_next(steps: int, tmp_path: Path) -> None:
    captures = dataset(tmp_path / "captures", hours(20))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(steps), str(captures), str(tmp_path / "out")],
        check=False,
        cwd=ROOT,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out/dataset.json").exists()

    assert export(captures, tmp_path / "out").returncode == 0
    export(captures, tmp_path / "fresh")
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


@pytest.mark.slow
def test_exports_of_several_processes_end_with_one_whole(tmp_path: Path) -> None:
    captures = dataset(tmp_path / "captures", hours(20))
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        codes = pool.starmap(_export_code, [(captures, tmp_path / "out")] * 3)

    assert set(codes) <= {0, 75}
    assert 0 in codes
    export(captures, tmp_path / "fresh")
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


def _export_code(captures: Path, out: Path) -> int:
    return int(export(captures, out).returncode)


def test_the_folder_may_be_moved(captures: Path, tmp_path: Path) -> None:
    export(captures, tmp_path / "out")
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")

    texts = [
        path.read_bytes()
        for path in (tmp_path / "elsewhere").rglob("*")
        if path.suffix != ".jpg" and path.is_file()
    ]
    assert str(tmp_path).encode() not in b"".join(texts)
    assert export(captures, tmp_path / "elsewhere").returncode == 0


def test_label_files_that_were_changed_by_hand_are_told(captures: Path, tmp_path: Path) -> None:
    """They are not in verdicts.jsonl, so an export or a merge would lose them in silence."""
    label = captures / f"labels/{capture_id(3)}.txt"
    text = label.read_text()
    label.unlink()
    label.write_text(text.replace("0.450000", "0.450001"))  # as another version rounds
    assert export(captures, tmp_path / "same").stderr.count("by hand") == 0
    label.write_text("0 0.5 0.5 0.2 0.2\n")

    said = export(captures, tmp_path / "out").stderr
    assert "label files that were changed by hand: 1" in said
    assert str(label) in said
    merged = call_here("dataset", "merge", captures, "--out", tmp_path / "all")
    assert "label files that were changed by hand: 1" in merged.stderr
    assert merged.returncode == 0


@pytest.mark.parametrize("name", ["data.yaml", "verdicts.jsonl"])
@pytest.mark.timeout(60)
def test_a_fifo_in_the_place_of_a_file_stops_nobody(
    name: str, captures: Path, tmp_path: Path
) -> None:
    (captures / name).unlink()
    os.mkfifo(captures / name)

    assert export(captures, tmp_path / "out").returncode == 78
    merged = call_here("dataset", "merge", captures, "--out", tmp_path / "all")
    assert merged.returncode == (78 if name == "verdicts.jsonl" else 0)
