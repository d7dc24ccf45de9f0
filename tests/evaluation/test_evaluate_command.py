"""The command `capture-agent evaluate` on dataset folders."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.dataset.folder import Dataset
from agent.domain import Verdict, VerdictKind
from agent.files import Disk
from agent.record.audit import is_audited
from agent.record.verdicts import verdict_line

IMAGE = b"the command reads no image"


def name_of(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"


def detection_in_record(label: str, left: float, confidence: float = 0.9) -> dict[str, Any]:
    box = [left, 10.0, left + 40, 50.0]
    return {"label": label, "class_id": 0, "confidence": confidence, "box": box}


def captures(
    folder: Path, *, drawn: int, chosen: int = 0, weight: float = 60.0, lane: str = "score"
) -> Path:
    """Store captures that each have a certain car and an uncertain dog.

    `lane` is that of the chosen ones.
    """
    dataset = Dataset(folder, Disk())
    for number in range(drawn + chosen):
        is_random = number < drawn
        record = {
            "id": name_of(number),
            "image": {
                "width": 200,
                "height": 100,
                "bytes": len(IMAGE),
                "sha256": hashlib.sha256(IMAGE).hexdigest(),
            },
            "thresholds": {"default": 0.5, "labels": {}, "floor": 0.05},
            "detections": [
                detection_in_record("car", 20.0),
                detection_in_record("dog", 100.0, 0.3),
            ],
            "lane": "random" if is_random else lane,
            "sampling": {"weight": weight, "slot_seconds": weight} if is_random else None,
        }
        dataset.store(json.dumps(record).encode(), IMAGE)
    return folder


def evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def facts(*arguments: object) -> Any:
    result = evaluate(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(*arguments: object) -> str:
    result = evaluate(*arguments)
    assert result.exit_code == 78
    assert result.stdout == ""
    return result.stderr


def row(number: int, left: float) -> str:
    return f"{number} {(left + 20) / 200} 0.3 0.2 0.4\n"


def test_corrected_labels_give_precision_and_recall_by_label(tmp_path: Path) -> None:
    folder = captures(tmp_path, drawn=10, chosen=5)
    (folder / "data.yaml").write_text("names: [car, 'big dog']\n")
    (folder / "labels" / f"{name_of(0)}.txt").write_text("")  # no object
    (folder / "labels" / f"{name_of(1)}.txt").write_text(row(0, 22.0) + row(1, 100.0))

    found = facts(folder)

    assert (found["random_captures"], found["reviewed"], found["left_out"]) == (10, 10, 5)
    assert found["failure_rate"]["value"] == pytest.approx(0.2)
    assert found["precision"]["value"] == pytest.approx(0.9)
    assert found["recall"]["value"] == pytest.approx(0.9)
    assert found["labels"]["car"]["recall"]["value"] == 1.0
    assert found["labels"]["big dog"]["precision"] is None
    assert found["labels"]["big dog"]["recall"]["value"] == 0.0
    assert found["precision"]["low"] < 0.9 < found["precision"]["high"]


def test_unchanged_labels_of_the_model_are_refused_as_a_review(tmp_path: Path) -> None:
    folder = captures(tmp_path, drawn=10)

    assert "the model's own" in refused(folder)
    assert facts(folder, "--reviewed")["failure_rate"]["value"] == 0.0


def test_coco_images_are_found_by_name_and_boxes_are_scaled(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=4, chosen=2)
    images = [
        {"id": n, "file_name": f"any/{name_of(n)}.jpg", "width": 400, "height": 200}
        for n in range(5)
    ]
    boxes = [
        {"image_id": n, "category_id": 7, "bbox": [40, 20, 80, 80], "iscrowd": 0} for n in range(3)
    ]
    coco = {
        "images": [*images, {"id": 99, "file_name": "other.jpg"}],
        "annotations": [*boxes, {"image_id": 99, "category_id": 7, "bbox": [0, 0, 1, 1]}],
        "categories": [{"id": 7, "name": "car"}],
    }
    file = tmp_path / "coco.json"
    file.write_text(json.dumps(coco))

    found = facts(folder, "--labels", file)

    assert found["reviewed"] == 4
    assert found["failure_rate"]["value"] == pytest.approx(0.25)
    assert found["precision"]["value"] == pytest.approx(0.75)
    assert found["recall"]["value"] == 1.0


@pytest.mark.parametrize("form", ["csv", "map", "list"])
def test_verdicts_give_only_a_failure_rate(tmp_path: Path, form: str) -> None:
    folder = captures(tmp_path / "dataset", drawn=8, chosen=4)
    verdicts = {name_of(n): "fail" if n < 2 or n >= 8 else " OK" for n in range(12)}
    file = tmp_path / ("v.csv" if form == "csv" else "v.json")
    if form == "csv":
        file.write_text("\ufeffid, verdict\n" + "".join(f"{k}, {v}\n" for k, v in verdicts.items()))
    elif form == "map":
        file.write_text(json.dumps(verdicts))
    else:
        file.write_text(json.dumps([{"id": k, "verdict": v} for k, v in verdicts.items()]))

    found = facts(folder, "--labels", file)

    assert found["failure_rate"]["value"] == pytest.approx(0.25)
    assert (found["precision"], found["labels"]) == (None, {})


def test_the_failure_rate_is_weighted(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=2)
    path = folder / "records" / f"{name_of(0)}.json"
    record = json.loads(path.read_text())
    record["sampling"]["weight"] = 180.0
    path.write_text(json.dumps(record))
    file = tmp_path / "v.csv"
    file.write_text(f"id,verdict\n{name_of(0)},fail\n{name_of(1)},ok\n")

    assert facts(folder, "--labels", file)["failure_rate"]["value"] == pytest.approx(0.75)


def test_captures_of_the_score_lane_alone_are_refused(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=3, chosen=5)
    only = captures(tmp_path / "only", drawn=0, chosen=5)
    file = tmp_path / "v.csv"
    file.write_text("id,verdict\n" + "".join(f"{name_of(n)},fail\n" for n in range(3, 8)))

    assert "none of the 3 random captures" in refused(folder, "--labels", file)
    assert "was drawn at random" in refused(only, "--labels", file)


def test_the_output_counts_reviewed_and_left_out_captures(tmp_path: Path) -> None:
    folder = captures(tmp_path / "dataset", drawn=4, chosen=5)
    file = tmp_path / "v.csv"
    file.write_text(f"id,verdict\n{name_of(0)},ok\n{name_of(1)},fail\n")

    words = evaluate(folder, "--labels", file).stdout

    assert "failure rate" in words
    assert "2 of 4 random captures reviewed" in words
    assert "5 captures of other lanes left out" in words
    assert "Wilson" in words


def test_the_audit_of_auto_labels_has_a_section_of_its_own(tmp_path: Path) -> None:
    """It changes no figure of the model."""
    folder = captures(tmp_path / "dataset", drawn=4, chosen=80, lane="auto")
    audits = [name_of(n) for n in range(4, 84) if is_audited(name_of(n))]
    said = [f"{name_of(n)},ok" for n in range(4)] + [f"{name},fail" for name in audits[1:]]
    file = tmp_path / "v.csv"
    file.write_text("\n".join(["id,verdict", *said]))

    page = tmp_path / "page.html"
    words = evaluate(folder, "--labels", file, "--report", page).stdout
    found = facts(folder, "--labels", file)

    assert "Do auto labels keep their promise?" in page.read_text()
    assert f"Audit: {len(audits) - 1} reviewed of {len(audits)} audits among 80 auto" in words
    assert "auto labels of car break their promise" in words
    assert f"1 of {len(audits)} auto labels for audit is not reviewed" in " ".join(words.split())
    assert found["auto"]["labels"]["car"]["promise"] == "broken"
    assert found["failure_rate"]["value"] == 0
    assert facts(captures(tmp_path / "b", drawn=1), "--reviewed")["auto"] is None


def test_what_people_said_unasked_is_no_review(tmp_path: Path) -> None:
    """Verdicts, and captures that were made for them, change no figure."""
    folder = captures(tmp_path / "dataset", drawn=4, chosen=2)
    file = tmp_path / "v.csv"
    file.write_text(f"id,verdict\n{name_of(0)},ok\n{name_of(1)},fail\n{name_of(5)},fail\n")
    before = facts(folder, "--labels", file)
    dataset = Dataset(folder, Disk())
    for number, kind in ((10, VerdictKind.UNOBJECTED), (11, VerdictKind.WRONG)):
        of_random = verdict_line(Verdict(kind, "gate", 0.0, number, name_of(2)))
        verdicts = [verdict_line(Verdict(kind, "gate", 0.0, 1.0, name_of(number))), of_random]
        record = json.loads((folder / "records" / f"{name_of(5)}.json").read_text())
        record |= {"id": name_of(number), "lane": "verdict", "verdicts": verdicts}
        dataset.store(json.dumps(record).encode(), IMAGE)
    file.write_text(file.read_text() + f"{name_of(10)},ok\n{name_of(11)},fail\n")

    after = facts(folder, "--labels", file)

    assert after == {**before, "left_out": before["left_out"] + 2, "lanes": after["lanes"]}
    assert after["lanes"]["random"] == before["lanes"]["random"]
    assert "people gave these verdicts unasked" in refused(
        folder, "--labels", folder / "verdicts.jsonl"
    )


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("v.csv", "name,said\na,b\n", "`id` and a `verdict`"),
        ("v.csv", f"id,verdict\n{name_of(0)},perhaps\n", "neither ok nor fail"),
        ("v.json", "{", "is no JSON"),
        ("v.json", "[1]", "`id` and a `verdict`"),
        ("v.json", '{"images": [1], "annotations": [], "categories": []}', "as COCO"),
        ("labels/data.yaml", "nothing: here\n", "no `names`"),
        ("labels/data.yaml", "names:\n  1: car\n", "not numbered"),
        (f"labels/{name_of(0)}.txt", "-1 0.5 0.5 0.1 0.1\n", "line 1"),
        (f"labels/{name_of(0)}.txt", "0 0.5\n", "line 1"),
    ],
)
def test_a_review_that_cannot_be_read_is_refused_with_the_reason(
    tmp_path: Path, file: str, content: str, words: str
) -> None:
    folder = captures(tmp_path, drawn=2)
    path = folder / file
    path.write_text(content)

    labels = folder / "labels" if path.parent.name == "labels" else path

    assert words in refused(folder, "--labels", labels)


def test_a_missing_or_broken_file_is_refused_by_name(tmp_path: Path) -> None:
    assert "there are no captures" in refused(tmp_path)
    captures(tmp_path, drawn=1)
    assert "no such file" in refused(tmp_path, "--labels", tmp_path / "nothing.csv")
    (tmp_path / "records" / "broken.json").write_text("{}")
    assert "broken.json" in refused(tmp_path)
