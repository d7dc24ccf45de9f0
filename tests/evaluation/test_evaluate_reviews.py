"""The command on reviews in `verdicts.jsonl`: what counts, what does not, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.dataset.reviews import review_line, undo_line
from agent.domain import VerdictKind
from tests.evaluation.drawn_set import DrawnSet
from tests.evaluation.test_evaluate_command import detection_in_record, name_of

CAR = {"label": "car", "box": [20.0, 10.0, 60.0, 50.0]}  # as the records of `captures` have it
DOG = {"label": "dog", "box": [100.0, 10.0, 140.0, 50.0]}  # below its threshold there


def run(*words: object) -> Any:
    result = CliRunner().invoke(app, ["evaluate", *map(str, words), "--json"])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def written(folder: Path, number: int, **fields: Any) -> None:
    """Write one record; with `detections` a certain car and an uncertain dog."""
    (folder / "records").mkdir(parents=True, exist_ok=True)
    record = {
        "id": name_of(number),
        "image": {"width": 200, "height": 100},
        "thresholds": {"default": 0.5, "labels": {}, "floor": 0.05},
        "lane": "random",
        "sampling": {"weight": 60.0},
        **fields,
    }
    (folder / "records" / f"{name_of(number)}.json").write_text(json.dumps(record))


def captures(folder: Path, *, drawn: int, chosen: int = 0) -> Path:
    detections = [detection_in_record("car", 20.0), detection_in_record("dog", 100.0, 0.3)]
    for number in range(drawn + chosen):
        lane = {} if number < drawn else {"lane": "score", "sampling": None}
        written(folder, number, detections=detections, **lane)
    return folder


def review(number: int, kind: VerdictKind, *, at: float = 1.0, **more: Any) -> dict[str, Any]:
    return review_line(name_of(number), kind, at=at, by="ann", **more)


def reviewed(folder: Path, *lines: Any, drawn: int = 10, chosen: int = 4) -> Path:
    captures(folder, drawn=drawn, chosen=chosen)
    with (folder / "verdicts.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return folder


def all_right(*others: int) -> list[dict[str, Any]]:
    return [review(n, VerdictKind.RIGHT) for n in range(10) if n not in others]


def test_each_kind_of_review_says_what_is_there(tmp_path: Path) -> None:
    lines = [
        *all_right(0, 1, 2),
        review(0, VerdictKind.MISSING, boxes=[CAR, DOG]),
        review(1, VerdictKind.WRONG, boxes=[]),
        review(2, VerdictKind.UNUSABLE),
        review(12, VerdictKind.WRONG, boxes=[]),
    ]

    found = run(reviewed(tmp_path, *lines))

    assert (found["random_captures"], found["reviewed"], found["unusable"]) == (10, 9, 1)
    assert found["confirmed"] == 7
    assert found["failure_rate"]["value"] == pytest.approx(2 / 9, abs=1e-6)
    assert found["precision"]["value"] == pytest.approx(8 / 9, abs=1e-6)
    assert found["labels"]["dog"]["recall"]["value"] == 0.0
    assert found["labels"]["dog"]["best_threshold"] < 0.3
    assert found["lanes"]["score"]["reviewed"] == 1
    assert found["lanes"]["score"]["failures"]["value"] == 1.0


def test_the_newest_review_that_is_not_undone_counts(tmp_path: Path) -> None:
    mistaken = review(0, VerdictKind.WRONG, at=5.0, boxes=[])
    lines = [*all_right(), mistaken, undo_line(mistaken, at=9.0)]

    assert run(reviewed(tmp_path, *lines))["failure_rate"]["value"] == 0.0
    assert run(reviewed(tmp_path / "b", *lines[:-1]))["failure_rate"]["value"] == 0.1


def test_what_devices_brought_is_no_review(tmp_path: Path) -> None:
    unasked = review(0, VerdictKind.WRONG) | {"camera": "gate", "moment": "2026-01-01T00:00:00Z"}

    found = run(reviewed(tmp_path, *all_right(0), unasked))

    assert found["reviewed"] == 9
    assert found["failure_rate"]["value"] == 0.0


def test_corrected_frames_stand_for_failing_ones_without_boxes(tmp_path: Path) -> None:
    """Of four failing frames three have boxes: the three count as four."""
    lines = [
        *all_right(0, 1, 2, 3),
        *(review(n, VerdictKind.WRONG, boxes=[]) for n in (0, 1, 2)),
        review(3, VerdictKind.WRONG),
    ]

    found = run(reviewed(tmp_path, *lines))

    assert found["failure_rate"]["value"] == pytest.approx(0.4)
    assert found["precision"]["value"] == pytest.approx(0.6)
    assert found["unknown_objects"]["frames"] == 1
    assert found["unknown_objects"]["refused"] is False
    assert "1 failing frames have a verdict but no boxes" in found["warnings"][0]


def test_figures_by_label_are_refused_where_most_failing_frames_have_no_boxes(
    tmp_path: Path,
) -> None:
    """On the frames of known objects alone the precision would be 1."""
    words = [review(n, VerdictKind.WRONG) for n in range(4)]

    found = run(reviewed(tmp_path, *all_right(0, 1, 2, 3), *words))

    assert found["failure_rate"]["value"] == pytest.approx(0.4)
    assert (found["precision"], found["map50"], found["labels"]) == (None, None, {})
    assert found["unknown_objects"]["refused"] is True
    assert found["unknown_objects"]["frames_to_correct"] == 2
    assert found["unknown_objects"]["precision_bounds"] == pytest.approx([0.6, 1.0])
    assert "Correct the boxes of about 2 more" in found["warnings"][0]


def test_correcting_so_many_frames_is_enough(tmp_path: Path) -> None:
    lines = [
        *all_right(0, 1, 2, 3),
        *(review(n, VerdictKind.WRONG, boxes=[]) for n in (0, 1)),
        *(review(n, VerdictKind.WRONG) for n in (2, 3)),
    ]

    assert run(reviewed(tmp_path, *lines))["precision"]["value"] == pytest.approx(0.6)


def test_reviews_win_over_labels_and_a_file_over_reviews(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "set", *all_right(9))
    (folder / "labels").mkdir()
    (folder / "labels" / f"{name_of(0)}.txt").write_text("")
    table = tmp_path / "v.csv"
    table.write_text(f"id,verdict\n{name_of(0)},fail\n{name_of(9)},ok\n")

    assert run(folder)["failure_rate"]["value"] == 0.0
    beside = run(folder, "--labels", table)
    assert (beside["reviewed"], beside["failure_rate"]["value"]) == (10, 0.1)


def test_captures_of_two_models_are_told(tmp_path: Path) -> None:
    folder = reviewed(tmp_path, *all_right())
    path = folder / "records" / f"{name_of(0)}.json"
    other = json.loads(path.read_text()) | {"model": {"name": "b", "sha256": "b" * 64}}
    path.write_text(json.dumps(other))

    found = run(folder)

    assert [each["reviewed"] for each in found["models"]] == [9, 1]
    assert "the reviewed captures are of 2 models" in found["warnings"][0]


def test_captures_of_two_thresholds_are_told(tmp_path: Path) -> None:
    folder = reviewed(tmp_path, *all_right())
    path = folder / "records" / f"{name_of(0)}.json"
    other = json.loads(path.read_text())
    other["thresholds"]["default"] = 0.4
    path.write_text(json.dumps(other))

    assert any("2 sets of thresholds" in note for note in run(folder)["notes"])


def test_a_part_of_another_task_has_its_reviews_in_the_dataset_around_it(tmp_path: Path) -> None:
    captures(tmp_path / "segment", drawn=4)
    lines = [review(n, VerdictKind.RIGHT) for n in range(4)]
    (tmp_path / "verdicts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert run(tmp_path / "segment")["reviewed"] == 4


def test_a_bad_line_is_named_and_the_others_count(tmp_path: Path) -> None:
    folder = reviewed(tmp_path, *all_right())
    with (folder / "verdicts.jsonl").open("a") as file:
        file.write("{broken\n")

    found = run(folder)

    assert found["reviewed"] == 10
    assert "line 11" in found["warnings"][-1]


def test_rules_are_measured_apart_from_the_model(tmp_path: Path) -> None:
    found = run(DrawnSet(captures=45).write(tmp_path))

    rule = found["rules"]["low_confidence"]
    assert rule["captures"] <= 15
    assert 0 < rule["failures"]["low"] < rule["failures"]["value"]
    assert rule["expected"] == pytest.approx(0.25 * rule["suspects"])
    assert set(found["rules"]["count_change"]["sides"]) == {"frame"}
    assert found["left_out"] == 15


def reviewed_classifier(folder: Path, right: int, wrong: int) -> Path:
    lines = []
    for number in range(right + wrong):
        classes = [{"label": "cat", "class_id": 0, "confidence": 0.9 if number else 0.4}]
        written(folder, number, classes=classes, model={"task": "classify"})
        if number < right:
            line = review(number, VerdictKind.RIGHT)
        else:
            line = review(number, VerdictKind.WRONG, labels=["dog"])
        lines.append(json.dumps(line) + "\n")
    (folder / "verdicts.jsonl").write_text("".join(lines))
    return folder


def test_a_classifier_has_accuracy_and_figures_by_class(tmp_path: Path) -> None:
    """The first image is right, but below its threshold: the application did not act on it."""
    found = run(reviewed_classifier(tmp_path, right=8, wrong=2))

    assert found["task"] == "classify"
    assert found["accuracy"]["value"] == pytest.approx(0.8)
    assert found["failure_rate"]["value"] == pytest.approx(0.2)
    assert found["precision"]["value"] == pytest.approx(7 / 9, abs=1e-6)
    assert found["recall"]["value"] == pytest.approx(0.7)
    assert found["labels"]["cat"]["top1"]["value"] == 1.0
    assert found["labels"]["cat"]["recall"]["value"] == pytest.approx(7 / 8)
    assert found["labels"]["dog"]["precision"] is None
    assert found["labels"]["dog"]["top1"]["value"] == 0.0
    assert found["calibration"]["error"] == pytest.approx(0.1 * 0.6 + 0.9 * (0.9 - 7 / 9), abs=1e-6)


def test_the_documented_names_are_those_of_the_output(tmp_path: Path) -> None:
    """Each top-level name of the JSON object stands in the table of docs/evaluate.md."""
    from tests import ROOT

    found = run(DrawnSet(captures=30).write(tmp_path))
    text = (ROOT / "docs" / "evaluate.md").read_text()

    assert [name for name in found if f"`{name}`" not in text] == []
    label = found["labels"]["car"]
    assert [name for name in label if f"`{name}`" not in text] == []


def test_an_unusable_image_stays_out_whatever_a_file_says(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "set", review(0, VerdictKind.UNUSABLE), *all_right(0))
    table = tmp_path / "v.csv"
    table.write_text(f"id,verdict\n{name_of(0)},fail\n{name_of(1)},ok\n")

    found = run(folder, "--labels", table)

    assert (found["reviewed"], found["unusable"]) == (9, 1)
    assert found["failure_rate"]["value"] == 0.0


def test_untouched_labels_of_another_lane_are_no_review_of_it(tmp_path: Path) -> None:
    """Somebody corrected the random captures alone; the export holds all labels."""
    folder = captures(tmp_path / "set", drawn=3, chosen=3)
    labels = tmp_path / "export" / "labels"
    labels.mkdir(parents=True)
    (labels.parent / "data.yaml").write_text("names: [car]\n")
    for number in range(6):
        own = "0 0.2 0.3 0.2 0.4\n" if number else ""
        (labels / f"{name_of(number)}.txt").write_text(own)

    found = run(folder, "--labels", labels)

    assert found["lanes"]["random"]["reviewed"] == 3
    assert found["lanes"]["score"]["reviewed"] == 0
