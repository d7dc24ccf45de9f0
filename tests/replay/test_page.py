"""The replay page loads nothing from elsewhere, and shows labels as text whatever they contain."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from agent.record.image import JpegEncoder
from agent.replay.page import page_of
from tests.fakes.captures import observed_pixels
from tests.pages_read import HTML_LABEL, Page

NAME = "00000000-0000-7000-8000-000000000001"


def report(**changes: Any) -> dict[str, Any]:
    capture = {
        "id": NAME,
        "source": HTML_LABEL,
        "frame": 7,
        "at": 1.4,
        "lane": "score",
        "rules": [{"name": "low_confidence", "score": 0.81}],
        "value": 1.5,
        "purchased_at": 2.0,
        "added": 1.25,
        "bytes": 1000,
    }
    source = {
        "source": HTML_LABEL,
        "frames": 100,
        "seconds": 10.0,
        "frames_analysed": 50,
        "held": 3,
        "chosen": 1,
        "budget_used": 0.1,
    }
    return {
        "agent": "0",
        "model": {"name": HTML_LABEL, "sha256": "0" * 64, "task": "detect"},
        "settings": {
            "fps": 5.0,
            "budget": 10,
            "threshold": 0.5,
            "thresholds": {},
            "rules": ["low_confidence"],
        },
        "sources": [source],
        "frames_analysed": 50,
        "captures_by_rule": {"low_confidence": 1},
        "captures_by_lane": {"score": 1},
        "captures_per_day": 1.0,
        "mb_per_day": 0.1,
        "stored_mb_per_day": 0.3,
        "warnings": [f"threshold 0.5 is above all confidences of {HTML_LABEL}"],
        "confidences": {HTML_LABEL: [0] * 8 + [3] + [0] * 10 + [1]},
        "captures": [capture],
        "explained": [{"source": HTML_LABEL, "frame": 7, "outcome": "chosen", "why": [HTML_LABEL]}],
    } | changes


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    image = JpegEncoder(quality=80).encode(observed_pixels(np.full((90, 160, 3), 99, np.uint8)))
    detections = [
        {"label": HTML_LABEL, "class_id": 0, "confidence": 0.6, "box": [10, 10, 60, 60]},
        {"label": "dog", "class_id": 1, "confidence": 0.3, "box": [0, 0, 160, 90]},
    ]
    content = {
        "image": {"width": 160, "height": 90},
        "thresholds": {"default": 0.5, "labels": {}, "floor": 0.05},
        "detections": detections,
        "suspects": [
            {"rule": "flicker", "label": "dog", "track": 3, "box": [0, 0, 160, 90], "p": 0.4},
            {"rule": "weak_track", "label": "dog", "track": 3, "box": [0, 0, 160, 90], "p": 0.1},
            {"rule": "clash", "label": HTML_LABEL, "track": 4, "box": [5, 5, 9, 9], "p": 0.3},
            {"rule": "low_confidence", "label": "cat", "track": 5, "box": [1, 1, 2, 2], "p": 0.04},
            {"rule": "count_change", "label": "", "track": 1, "box": None, "p": 0.15},
        ],
    }
    for folder, suffix, data in (
        ("images", "jpg", image.data),
        ("records", "json", json.dumps(content).encode()),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{NAME}.{suffix}").write_bytes(data)
    return tmp_path


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(dataset: Path) -> None:
    text = page_of(report(), dataset)
    page = parsed(text)

    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_a_label_with_html_is_shown_as_text(dataset: Path) -> None:
    page = parsed(page_of(report(), dataset))

    assert page.text.count(HTML_LABEL) >= 5
    assert f"{HTML_LABEL} 0.60" in page.text


def test_the_page_shows_the_numbers_of_the_report(dataset: Path) -> None:
    page = parsed(page_of(report(), dataset))

    for words in ("10% of 10 credits", "low_confidence", "frame 7 at 1.40", "4 times", "0.3 MB"):
        assert words in page.text
    assert f"threshold 0.5 is above all confidences of {HTML_LABEL}" in page.text
    assert "adds 1.25 expected new failures" in page.text


def test_suspects_are_drawn_with_their_highest_p(dataset: Path) -> None:
    text = page_of(report(), dataset)

    assert "dog? p 0.40" in text
    assert "dog? p 0.10" not in text
    assert "cat?" not in text
    assert text.count('<rect class="suspect"') == 2
    assert text.count('<rect class="certain" x="10"') == 1


def test_a_record_of_an_older_version_has_a_card(dataset: Path) -> None:
    """It has no suspects: what the model detected is drawn."""
    path = dataset / "records" / f"{NAME}.json"
    older = json.loads(path.read_text())
    del older["suspects"]
    path.write_text(json.dumps(older))

    text = page_of(report(), dataset)

    assert f"{NAME}" not in text
    assert '<rect class="suspect"' not in text
    assert '<rect class="certain" x="10"' in text


def test_each_svg_is_well_formed(dataset: Path) -> None:
    text = page_of(report(), dataset)

    svgs = [part.partition("</svg>")[0] for part in text.split("<svg")[1:]]

    assert len(svgs) == 3
    for svg in svgs:
        ET.fromstring(f"<svg{svg}</svg>")


def test_an_empty_replay_has_a_page(tmp_path: Path) -> None:
    empty = report(captures=[], confidences={}, explained=[])

    page = parsed(page_of(empty, tmp_path))

    assert "Nothing was captured" in page.text
    assert "The model detected nothing" in page.text


def test_an_image_that_cannot_be_decoded_is_an_error(dataset: Path) -> None:
    (dataset / "images" / f"{NAME}.jpg").write_bytes(b"text")

    with pytest.raises(OSError, match="not an image"):
        page_of(report(), dataset)


def test_shapes_are_drawn_in_place_of_boxes(dataset: Path) -> None:
    """Outlines, rotated boxes, keypoints with COCO's skeleton; the page stays well-formed."""
    path = dataset / f"records/{NAME}.json"
    record = json.loads(path.read_text())
    shoulders = [[0, 0, 0.0]] * 5 + [[30, 30, 0.9], [50, 30, 0.9]] + [[0, 0, 0.0]] * 10
    box = {"label": "dog", "class_id": 1, "confidence": 0.9}
    record["suspects"] = record["suspects"][:1]
    record["detections"] = [
        {**box, "box": [0, 0, 160, 90], "polygon": [[0, 0], [160, 0], [80, 90]]},
        {**box, "box": [10, 10, 50, 50], "corners": [[30, 10], [50, 30], [30, 50], [10, 30]]},
        {**box, "box": [20, 10, 60, 80], "keypoints": shoulders},
        {**box, "box": [20, 10, 60, 80], "polygon": "none"},
    ]
    path.write_text(json.dumps(record))
    text = page_of(report(), dataset)
    start = text.index('<svg viewBox="0 0 160 90"')
    drawing = ET.fromstring(text[start : text.index("</svg>", start) + 6])

    kinds = [(each.tag, each.get("class")) for each in drawing]
    assert ("polygon", "suspect") in kinds, "the suspect is the first detection"
    assert ("polygon", "certain rotated") in kinds
    assert kinds.count(("circle", "certain")) == 2
    assert kinds.count(("line", "certain")) == 1
    assert kinds.count(("rect", "certain")) == 2
    captions = [each for each in drawing if each.tag == "text"]
    places = {(each.get("x"), each.get("y")) for each in captions}
    assert len(places) == len(captions) == 4
