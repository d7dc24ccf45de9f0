"""The whole report: alerts, places, sizes, the page and its files."""

import json
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agent.camera.images.file import decode_image
from agent.dataset.health.alerts import Severity
from agent.dataset.health.check import write_folder, write_page
from agent.dataset.health.page import folder_page
from agent.files import Disk
from tests import ROOT
from tests.dataset.health.folders import captured, drawn, health_in, kinds, report_on, yolo

HOSTILE = "</script><img src=x onerror=alert(1)>"


def texts(report: dict[str, Any], code: str) -> list[str]:
    return [alert["text"] for alert in report["alerts"] if alert["code"] == code]


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def street(folder: Path, count: int = 24) -> Path:
    """Captures by day with cars in the lower third, three of them nearly the same."""
    for number in range(count):
        captured(
            folder,
            number,
            drawn(min(number, max(0, count - 3))),
            [("car", (90, 70, 140, 98)), *([("bus", (0, 0, 80, 40))] if number < 3 else [])],
            clock_synchronized=True,
            captured_at=f"2026-06-01T{8 + number % 8:02}:00:00.000Z",
        )
    return folder


def test_alerts_say_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    report = report_on(street(tmp_path))

    assert texts(report, "class") == [
        "class bus: 3 objects in 3 images, target 100",
        "class car: 24 objects in 24 images, target 100",
    ]
    assert texts(report, "hours") == ["no frame between 16:00 and 08:00"]
    assert texts(report, "place") == ["100% of the boxes of car are in the lower third"]
    assert texts(report, "duplicates") == ["2 images are exact copies of others"]
    assert texts(report, "size") == [
        "class car: only 0 small and 0 large objects; 3 of each are wanted"
    ]
    severities = [Severity(alert["severity"]) for alert in report["alerts"]]
    assert severities == sorted(severities, key=list(Severity).index)


def test_a_dataset_without_training_images_is_a_severe_alert(tmp_path: Path) -> None:
    yolo(tmp_path, {"val": [(drawn(1), [])], "test": [(drawn(2), []), (drawn(3), [])]}, "car")

    [alert] = [each for each in report_on(tmp_path)["alerts"] if each["code"] == "no train"]

    assert alert["severity"] == "high"
    assert alert["text"] == "train has no images: test has 2, val has 1"


def test_the_hour_of_a_clock_that_was_never_set_is_not_known(tmp_path: Path) -> None:
    yolo(tmp_path, {"train": [(drawn(n), []) for n in range(9)]}, "car")
    facts = {"device": "pi", "camera": "gate", "captured_at": "1970-01-01T00:00:03Z"}
    lines = [json.dumps({"id": f"{n:03}", **facts}) for n in range(9)]
    (tmp_path / "captures.jsonl").write_text("\n".join(lines))

    report = report_on(tmp_path)

    assert report["coverage"]["not_synchronized"] == 9
    assert texts(report, "hours") == []


def test_the_map_counts_the_cells_of_the_centres(tmp_path: Path) -> None:
    captured(tmp_path, 1, drawn(1), [("car", (0, 0, 12, 6)), ("car", (190, 90, 300, 200))])

    places = report_on(tmp_path)["places"]

    assert places["maps"]["car"][0][0] == 1
    assert places["maps"]["car"][15][15] == 1
    assert sum(map(sum, places["maps"][""])) == 2
    assert places["ninths"]["car"] == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("side", "size"), [(31, "small"), (32, "medium"), (95, "medium"), (96, "large")]
)
def test_sizes_are_those_of_coco_in_pixels_of_the_image(
    tmp_path: Path, side: int, size: str
) -> None:
    shares = (0, 0.5, 0.5, side / 400, side / 200)
    yolo(tmp_path, {"train": [(drawn(1, 400, 200), [shares])]}, "car")

    assert report_on(tmp_path)["sizes"]["all"][size] == 1


def test_a_report_is_json_with_the_parts_that_are_documented(tmp_path: Path) -> None:
    report = report_on(street(tmp_path))

    assert json.loads(json.dumps(report, allow_nan=False)) == report
    named = set(
        re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "health.md").read_text(), re.MULTILINE)
    )
    assert set(report) == named


def test_a_second_check_reads_no_image_that_has_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    street(tmp_path, 4)
    out = tmp_path / "health"
    read: list[int] = []

    def counted(data: bytes) -> Any:
        read.append(len(data))
        return decode_image(data)

    monkeypatch.setattr("agent.dataset.health.examine.decode_image", counted)
    first = health_in(tmp_path, out=out).report
    again = health_in(tmp_path, out=out).report

    assert len(read) == 4
    assert first == again

    changed = next((tmp_path / "images").iterdir())
    changed.write_bytes(drawn(77))
    health_in(tmp_path, out=out)
    assert len(read) == 5


def test_an_image_that_was_cut_off_is_unreadable_to_every_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older versions of OpenCV fill the rest of it with grey."""
    whole = decode_image(drawn(1))
    monkeypatch.setattr("agent.dataset.health.examine.decode_image", lambda _data: whole)
    captured(tmp_path, 1, drawn(1)[:-2])
    captured(tmp_path, 2, drawn(2) + b"written after the end")

    report = report_on(tmp_path)

    assert kinds(report) == {"image unreadable": 1}
    assert "cut off" in report["problem_list"][0]["why"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"schema":1,"images":{"a":{}}}',
        b'{"schema":1,"images":[1]}',
        b"\xff",
        b"{" * 99,
    ],
)
def test_a_damaged_cache_is_made_again(tmp_path: Path, content: bytes) -> None:
    street(tmp_path, 2)
    (tmp_path / "health").mkdir()
    (tmp_path / "health" / "measured.json").write_bytes(content)

    assert health_in(tmp_path, out=tmp_path / "health").report["images"]["readable"] == 2


def test_the_page_links_only_files_that_are_there(tmp_path: Path) -> None:
    street(tmp_path, 5)
    out = tmp_path / "else where" / "report"
    page = write_folder(health_in(tmp_path, out=out), out, Disk())

    data = data_of(page.read_text())

    assert len(data["images"]) == 5
    for image in data["images"]:
        assert (out / image["t"]).is_file()
        assert (out / image["f"].replace("%20", " ")).is_file()
    assert data["keys"]["class:bus"] == [0, 1, 2]


def test_each_key_of_a_figure_has_images(tmp_path: Path) -> None:
    page = folder_page(health_in(street(tmp_path), out=tmp_path / "out"), tmp_path / "out")

    keys = data_of(page)["keys"]
    used = re.findall(r'data-images="([^"]+)"', page)
    assert used
    assert all(keys[key] for key in used)


def test_a_page_of_one_file_has_its_images_in_it(tmp_path: Path) -> None:
    health = health_in(street(tmp_path), out=tmp_path / "out")
    write_page(health, tmp_path / "out", tmp_path / "page.html", Disk())

    data = data_of((tmp_path / "page.html").read_text())

    assert all(image["t"].startswith("data:image/jpeg;base64,") for image in data["images"])
    assert len(data["keys"]["class:car"]) <= 8 < data["totals"]["class:car"] == 24


def test_labels_with_html_are_text(tmp_path: Path) -> None:
    captured(tmp_path, 1, drawn(1), [(HOSTILE, (0, 0, 90, 90))], camera=HOSTILE, lane=HOSTILE)
    health = health_in(tmp_path, out=tmp_path / "out")

    page = folder_page(health, tmp_path / "out")

    assert "<img" not in page
    assert page.count("<script") == 2
    assert data_of(page)["labels"] == [HOSTILE]


def test_names_turn_the_direction_of_nothing_around_them(tmp_path: Path) -> None:
    captured(tmp_path, 1, drawn(1), [("\u202ecod", (0, 0, 90, 90))], camera="ga\u202ete")
    health = health_in(tmp_path, out=tmp_path / "out")

    page = folder_page(health, tmp_path / "out")

    assert r"\u202ecod" in page
    assert data_of(page)["titles"] == [r"\u202ecod"]
    assert "\u202e" not in re.sub('data-images="[^"]*"', "", page)  # by that the script finds it


def test_names_that_are_no_text_are_shown_all_the_same(tmp_path: Path) -> None:
    yolo(tmp_path, {"train": [(drawn(1), [(0, 0.5, 0.5, 0.2, 0.2)])]}, "\ud800")
    (tmp_path / "images" / "train" / "000.jpg").rename(
        tmp_path / "images" / "train" / os.fsdecode(b"\xff.jpg")
    )
    (tmp_path / "labels" / "train" / "\udcfe.txt").write_text("")

    out = tmp_path / "out"
    page = write_folder(health_in(tmp_path, out=out), out, Disk())

    assert "labels without image" in page.read_text()
    [image] = data_of(page.read_text())["images"]
    assert image["f"] == "../images/train/%FF.jpg"


def test_the_policy_names_the_script_of_the_page(tmp_path: Path) -> None:
    from base64 import b64encode

    page = folder_page(health_in(street(tmp_path, 1)), tmp_path)

    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [b64encode(sha256(each.encode()).digest()).decode() for each in scripts]
    assert re.findall(r"'sha256-([^']+)'", page) == digests
    assert "unsafe-eval" not in page


def test_a_check_without_a_folder_writes_nothing(tmp_path: Path) -> None:
    street(tmp_path, 2)
    before = sorted(tmp_path.rglob("*"))

    health_in(tmp_path)

    assert sorted(tmp_path.rglob("*")) == before
