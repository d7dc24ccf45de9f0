"""Variants of a dataset folder: of whom, how many, how like, and after a kill."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.dataset.captures import read_captures
from agent.dataset.health.gaps import Gap, GapKind
from agent.dataset.synthesis.folder import SynthesisReport, SynthesisTerms, synthesize
from agent.dataset.synthesis.looks import look_of
from agent.dataset.synthesis.needs import needs_of
from agent.errors import ConfigurationError
from agent.files import Disk
from agent.record.jpeg_header import quality_of
from agent.record.synthetic import is_synthetic, parent_of
from agent.record.validation import parse_record
from tests.dataset.synthesis.reviewed_street import QUALITY, add, add_classified, car
from tests.fakes.captures import RANDOM_SLOT, capture_id
from tests.fakes.disk.real import KilledDisk

CARS = Gap(GapKind.CLASS, "car", "objects", 3, 20)
SMALL = Gap(GapKind.SIZE, "car", "small", 0, 5)
LARGE = Gap(GapKind.SIZE, "car", "medium", 0, 3)
DARK = Gap(GapKind.LIGHT, "", "dark", 0, 4)
TOP_LEFT = Gap(GapKind.PLACE, "car", "top left", 0, 3)


def run(folder: Path, *gaps: Gap, credits: int = 6, **more: Any) -> SynthesisReport:  # noqa: A002
    terms = SynthesisTerms(credits, **more)
    return synthesize(folder, folder, Disk(), needs_of(gaps), terms)


def made_in(folder: Path) -> dict[str, dict[str, Any]]:
    captures = read_captures(folder).items()
    return {name: dict(each.record) for name, each in captures if is_synthetic(each.record)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        add(tmp_path, number)
    return tmp_path


def test_a_variant_is_a_capture_with_its_parent_and_labels(folder: Path) -> None:
    report = run(folder, CARS, credits=3)

    assert len(report.made) == 3
    for name, record in made_in(folder).items():
        image = (folder / "images" / f"{name}.jpg").read_bytes()
        text = (folder / "records" / f"{name}.json").read_bytes()
        assert parse_record(text, image) == record
        assert record["image"]["sha256"] == hashlib.sha256(image).hexdigest()
        assert quality_of(image) == QUALITY
        assert record["lane"] == "requested"
        assert record["sampling"] is None
        assert record["synthetic"]["seed"] == 0
        assert record["synthetic"]["operations"]
        assert parent_of(record) in {capture_id(number) for number in (1, 2, 3)}
        rows = (folder / "labels" / f"{name}.txt").read_text().splitlines()
        assert len(rows) == len(record["detections"]) == 1
        assert name[14] == "7"


def test_only_reviewed_captures_with_known_objects_outside_of_the_test_set_are_parents(
    tmp_path: Path,
) -> None:
    add(tmp_path, 1, None)
    add(tmp_path, 2, "wrong")
    add(tmp_path, 3, "unusable")
    add(tmp_path, 4, lane="random", sampling=RANDOM_SLOT)
    add(tmp_path, 5, "wrong", boxes=[car(60, 30, 110, 70)])

    report = run(tmp_path, CARS)

    assert {each.parent for each in report.made} == {capture_id(5)}
    assert report.left_out == {
        "its objects are not known": 2,
        "not reviewed": 1,
        "random lane: the test set": 1,
    }
    again = run(tmp_path, CARS, credits=100, most_of_one=50)
    assert {each.parent for each in again.made} == {capture_id(5)}, "of a variant no variant"


def test_the_credits_are_of_the_folder_and_a_call_again_spends_none(folder: Path) -> None:
    first = run(folder, CARS, credits=4)
    again = run(folder, CARS, credits=4)
    more = run(folder, CARS, credits=6)

    assert [len(each.made) for each in (first, again, more)] == [4, 0, 2]
    assert len(made_in(folder)) == 6
    assert (again.existing, more.existing) == (4, 4)


def test_the_same_seed_makes_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder = tmp_path / name
        for number in (1, 2, 3):
            add(folder, number)
        run(folder, CARS, DARK, credits=5, seed=seed)
        found.append({n: r["image"]["sha256"] for n, r in made_in(folder).items()})

    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])


def test_a_dark_image_is_made_where_dark_ones_are_missing(folder: Path) -> None:
    run(folder, DARK, credits=4)

    lights = [look_of(_pixels(folder, name)).light for name in made_in(folder)]
    assert len(lights) == 4
    assert all(light < 256 / 3 for light in lights)


@pytest.mark.parametrize(("gap", "low", "high"), [(SMALL, 0, 1024), (LARGE, 1024, 9216)])
def test_an_object_of_the_missing_size_is_made(
    tmp_path: Path, gap: Gap, low: float, high: float
) -> None:
    box = (70, 30, 130, 70) if gap is SMALL else (88, 42, 113, 62)
    for number in (1, 2, 3):
        add(tmp_path, number, detections=[car(*box)])
    report = run(tmp_path, gap, credits=3)

    assert len(report.made) == 3
    for record in made_in(tmp_path).values():
        left, top, right, bottom = record["detections"][0]["box"]
        assert low <= (right - left) * (bottom - top) < high


def test_an_object_is_brought_to_the_missing_place(folder: Path) -> None:
    report = run(folder, TOP_LEFT, credits=2)

    assert len(report.made) == 2
    for record in made_in(folder).values():
        left, top, right, bottom = record["detections"][0]["box"]
        assert (left + right) / 2 < 200 / 3
        assert (top + bottom) / 2 < 100 / 3


def test_the_largest_gap_comes_first(folder: Path) -> None:
    nearly = Gap(GapKind.CLASS, "car", "objects", 19, 20)

    report = run(folder, nearly, DARK, credits=2)

    assert {each.need.kind for each in report.made} == {GapKind.LIGHT}


def test_parents_take_turns_and_none_has_more_than_its_share(folder: Path) -> None:
    three = run(folder, CARS, credits=3)
    all_ = run(folder, CARS, credits=100, most_of_one=2)

    assert len({each.parent for each in three.made}) == 3
    assert len(three.made) + len(all_.made) == 6


def test_no_variant_looks_like_its_parent_or_a_sibling(folder: Path) -> None:
    run(folder, CARS, DARK, credits=12)

    looks: dict[str, list[Any]] = {}
    for name, record in made_in(folder).items():
        parent = record["synthetic"]["parent"]
        looks.setdefault(parent, [look_of(_pixels(folder, parent))])
        look = look_of(_pixels(folder, name))
        assert not any(look.resembles(other) for other in looks[parent])
        looks[parent].append(look)


def test_a_filled_gap_costs_nothing_more(folder: Path) -> None:
    report = run(folder, Gap(GapKind.CLASS, "car", "objects", 18, 20), credits=10)

    assert len(report.made) == 2
    assert report.facts()["gaps"][0]["still_missing"] == 0


def test_a_gap_that_no_parent_can_fill_ends_the_call(folder: Path) -> None:
    report = run(folder, Gap(GapKind.CLASS, "bus", "objects", 1, 20), credits=10)

    assert report.made == []
    assert report.facts()["left"] == 10


def test_an_image_that_is_not_the_recorded_one_is_left_alone(folder: Path) -> None:
    (folder / "images" / f"{capture_id(1)}.jpg").write_bytes(b"\xff\xd8 torn")
    (folder / "images" / f"{capture_id(2)}.jpg").unlink()

    report = run(folder, CARS, DARK, credits=3)

    assert {each.parent for each in report.made} == {capture_id(3)}
    assert len(report.problems) == 2


def test_classified_images_change_their_light_and_side_alone(tmp_path: Path) -> None:
    add_classified(tmp_path, 1, "clean")

    run(tmp_path, Gap(GapKind.CLASS, "clean", "objects", 1, 20), credits=2)

    found = made_in(tmp_path)
    assert found
    for name, each in found.items():
        assert [one["label"] for one in each["classes"]] == ["clean"]
        assert {step["name"] for step in each["synthetic"]["operations"]} <= {"flip", "light"}
        assert (tmp_path / "classes" / "clean" / f"{name}.jpg").exists()


def test_whatever_kills_the_call_a_repeated_one_ends_as_if_nothing_had_happened(
    tmp_path: Path,
) -> None:
    whole = tmp_path / "whole"
    for number in (1, 2, 3):
        add(whole, number)
    run(whole, CARS, credits=3)
    wanted = {n: r["image"]["sha256"] for n, r in made_in(whole).items()}
    torn = tmp_path / "torn"
    for number in (1, 2, 3):
        add(torn, number)
    for writes in range(12):
        with contextlib.suppress(InterruptedError):
            synthesize(torn, torn, KilledDisk(writes), needs_of([CARS]), SynthesisTerms(3))
        for name, record in made_in(torn).items():
            assert record["image"]["sha256"] == wanted[name]
            assert (torn / "labels" / f"{name}.txt").exists()
    run(torn, CARS, credits=3)

    assert {n: r["image"]["sha256"] for n, r in made_in(torn).items()} == wanted
    assert sorted(p.name for p in (torn / "images").iterdir()) == sorted(
        p.name for p in (whole / "images").iterdir()
    )


def test_two_calls_at_once_do_not_spend_twice(folder: Path) -> None:
    disk = Disk()
    with (
        disk.locked(folder / ".synthesize.lock", seconds=0),
        pytest.raises(ConfigurationError, match="another call"),
    ):
        run(folder, CARS)


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))

    report = synthesize(folder, folder, Disk(), needs_of([CARS]), SynthesisTerms(3), dry_run=True)

    assert len(report.made) == 3
    assert sorted(folder.rglob("*")) == before


def _pixels(folder: Path, name: str) -> Any:
    data = (folder / "images" / f"{name}.jpg").read_bytes()
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    "hostile",
    [
        {"masks": "all"},
        {"masks": [1, {"box": "x"}, {"polygon": [[1]]}, {"box": [0, 0, 5, 5], "label": "face"}]},
        {"captured_at": 5},
        {"model": {"labels": "many", "task": 3}},
        {"synthetic": None},
    ],
)
def test_a_hostile_record_of_a_parent_stops_nothing(
    tmp_path: Path, hostile: dict[str, Any]
) -> None:
    add(tmp_path, 1)
    path = tmp_path / "records" / f"{capture_id(1)}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | hostile))

    report = run(tmp_path, CARS, credits=1)

    for name in made_in(tmp_path):
        image = (tmp_path / "images" / f"{name}.jpg").read_bytes()
        if not {"captured_at", "model"} & hostile.keys():  # what a variant takes over
            parse_record((tmp_path / "records" / f"{name}.json").read_bytes(), image)
    assert len(report.made) == 1


@pytest.mark.parametrize("damaged", [True, 5, "x", {"parent": 3}, {"light": True}])
def test_a_damaged_field_of_a_variant_costs_a_credit(tmp_path: Path, damaged: object) -> None:
    add(tmp_path, 1, synthetic=damaged)
    add(tmp_path, 2)

    report = run(tmp_path, CARS, credits=2)

    assert (report.existing, len(report.made)) == (1, 1)
