"""Captures keep what their device found; those of another model, or odd ones, do not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.pool.analysis.analyser import PoolAnalyser
from agent.pool.analysis.candidate import candidate_of
from agent.pool.analysis.parts import AnalysisParts
from agent.pool.items import ItemKind, PoolItem
from agent.pool.rows import PoolRow
from agent.selection.feedback import Side
from tests.fakes.captures import capture_id, record_of
from tests.pool.analysis.analysed import street, street_jpeg, usual_parts
from tests.replay.recordings import ConstantDetector
from tests.search import examples

DETECTIONS = [
    {"label": "car", "class_id": 2, "confidence": 0.45, "box": [64.0, 27.2, 128.0, 136.0]},
    {"label": "person", "class_id": 0, "confidence": 0.55, "box": [320.0, 27.2, 384.0, 136.0]},
]
SUSPECTS = [
    {"rule": "flicker", "label": "car", "track": 7, "box": DETECTIONS[0]["box"], "p": 0.6},
    {
        "rule": "low_confidence",
        "label": "person",
        "track": 8,
        "box": DETECTIONS[1]["box"],
        "p": 0.9,
        "prior": 0.2,
    },
    {"rule": "count_change", "label": "", "track": 1, "box": None, "p": 0.1},
]


def stored(folder: Path, image: bytes | None = None, **changes: Any) -> PoolItem:
    """Store a capture of the street in a folder; `changes` replace fields of its record."""
    data = street_jpeg() if image is None else image
    model = usual_parts().detector.info
    about = {
        "model": {"name": model.name, "sha256": model.sha256, "task": "detect", "provider": "cpu"},
        "thresholds": {"default": 0.5, "labels": {}, "floor": 0.05},
        "detections": DETECTIONS,
        "suspects": SUSPECTS,
        **changes,
    }
    facts = {"width": 640, "height": 272} | about.pop("facts", {})
    record = record_of(3, data, **about)
    record["image"] |= facts
    path, text = folder / f"{capture_id(3)}.jpg", folder / f"{capture_id(3)}.json"
    path.write_bytes(data)
    text.write_text(json.dumps(record))
    return PoolItem(str(path), ItemKind.CAPTURE, "folder", record=str(text))


def row_of(item: PoolItem, parts: AnalysisParts | None = None) -> PoolRow:
    [row] = PoolAnalyser(parts or usual_parts()).rows(item)
    return row


def test_a_capture_keeps_its_record_and_what_its_device_named(tmp_path: Path) -> None:
    """Without the feedback that the device had: the pool applies its own."""
    item = stored(tmp_path)

    row = row_of(item)

    assert row.problem == ""
    assert row.id == capture_id(3)
    assert row.camera == "test/gate"
    assert row.record == Path(item.record).read_bytes()
    assert row.sha256 == json.loads(row.record)["image"]["sha256"]
    found = [(each.rule, each.side, each.p, each.track) for each in row.suspects]
    assert found == [
        ("flicker", Side.BELOW, 0.6, 7),
        ("low_confidence", Side.ABOVE, 0.2, 8),
        ("count_change", Side.FRAME, 0.1, 1),
    ]
    assert row.suspects[0].box == pytest.approx((0.1, 0.1, 0.2, 0.5))
    assert row.suspects[0].feature is not None
    assert row.suspects[0].crop is not None
    assert row.source
    assert row.other_model == ""


def test_tracks_of_two_captures_are_never_the_same(tmp_path: Path) -> None:
    """Numbers start again with each process of a device; place and looks tell what is the same."""
    row = row_of(stored(tmp_path))
    later = replace(row, key="/other.jpg")

    assert candidate_of(row).view.run != candidate_of(later).view.run


def test_a_capture_of_another_model_is_analysed_and_keeps_its_record(tmp_path: Path) -> None:
    other = {"name": "old", "sha256": "ab" * 32, "task": "detect", "provider": "cpu"}
    item = stored(tmp_path, model=other)

    row = row_of(item)

    assert row.other_model == f"old ({'ab' * 6})"
    assert row.record == Path(item.record).read_bytes()
    assert row.id == capture_id(3)
    assert {each.rule for each in row.suspects} == {"low_confidence"}
    assert row.suspects != row_of(stored(tmp_path)).suspects


def test_a_record_without_suspects_is_analysed(tmp_path: Path) -> None:
    """Those of the first schema have none; an empty list says that no rule named any."""
    old = stored(tmp_path)
    content = json.loads(Path(old.record).read_text())
    del content["suspects"]
    Path(old.record).write_text(json.dumps({**content, "schema": 1}))

    assert row_of(old).suspects
    assert row_of(old).other_model == ""
    assert row_of(stored(tmp_path, suspects=[])).suspects == ()


def test_rules_that_the_pool_does_not_use_name_nothing(tmp_path: Path) -> None:
    usual = usual_parts()
    parts = replace(usual, plan=replace(usual.plan, rules=("flicker",)))

    assert [each.rule for each in row_of(stored(tmp_path), parts).suspects] == ["flicker"]


def test_a_synthetic_capture_is_never_chosen(tmp_path: Path) -> None:
    parent = {"parent": capture_id(4), "operations": [{"name": "mirrored"}], "seed": 1}
    item = stored(tmp_path, lane="requested", synthetic=parent)

    assert row_of(item).problem == ""
    assert row_of(item).is_unusable


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"schema": 3}, "its schema is 3, and this version reads up to 2; update"),
        ({"id": capture_id(4)}, "its `id` is not the name of the file"),
        ({"device": 3}, "its field `device` is missing or invalid"),
        ({"suspects": [{"rule": "flicker", "p": "high"}]}, "its field `suspects`"),
        ({"detections": [{"label": "car", "confidence": 7, "box": [0, 0, 1, 1]}]}, "confidence"),
        ({"facts": {"sha256": "ab" * 32}}, "its `image.sha256` is not that of the image"),
        ({"facts": {"media_type": "image/png"}}, "its image is not image/jpeg"),
    ],
)
def test_an_odd_record_is_named_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    row = row_of(stored(tmp_path, **changes))

    assert row.problem.startswith("cannot use the capture: ")
    assert why in row.problem


def test_a_record_of_another_size_is_named(tmp_path: Path) -> None:
    small = cv2.imencode(".jpg", np.ascontiguousarray(street()[::2, ::2]))[1].tobytes()

    assert "its record is of 640x272 pixels, and the image has 320x136" in (
        row_of(stored(tmp_path, small)).problem
    )


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"id": NaN}']
)
def test_a_record_that_is_none_is_named(tmp_path: Path, text: bytes) -> None:
    item = stored(tmp_path)
    Path(item.record).write_bytes(text)

    assert row_of(item).problem.startswith("cannot use the capture: the record ")


def test_a_record_or_an_image_that_is_gone_is_named(tmp_path: Path) -> None:
    item = stored(tmp_path)
    Path(item.key).unlink()
    assert row_of(item).problem.startswith("cannot read the image: ")

    Path(item.record).unlink()
    assert row_of(item).problem.startswith("cannot read the record: ")


@pytest.mark.parametrize(
    "box",
    [
        [-1e300, -1e300, 1e300, 1e300],
        [600.0, 200.0, 10.0, 10.0],
        [5.0, 5.0, 5.0, 5.0],
        [1e9, 1e9, 2e9, 2e9],
    ],
)
@pytest.mark.filterwarnings("error")
def test_boxes_beyond_the_image_do_no_harm(tmp_path: Path, box: list[float]) -> None:
    hostile = {"rule": "flicker", "label": "car", "track": 2**60, "box": box, "p": 1e200}

    row = row_of(stored(tmp_path, suspects=[hostile], detections=[]))

    assert row.problem == ""
    for each in row.suspects:
        assert each.box == (0.0, 0.0, 1.0, 1.0)
        assert each.p == 1.0


def test_a_record_with_very_many_suspects_has_a_bounded_row(tmp_path: Path) -> None:
    many = [{**SUSPECTS[0], "p": n / 10_000} for n in range(5000)]

    row = row_of(stored(tmp_path, suspects=many))

    assert len(row.suspects) == 128
    assert min(each.p for each in row.suspects) == pytest.approx(0.4872)


_NUMBERS = st.one_of(st.integers(), st.floats(), st.booleans(), st.none())
_TEXTS = st.text(max_size=5)
_VALUES = st.recursive(
    st.one_of(_NUMBERS, _TEXTS, st.sampled_from(["flicker", "invalid_output", "car"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["rule", "label", "p", "box", "track", "x"]), inner),
    ),
    max_leaves=12,
)
_SUSPECT = st.fixed_dictionaries(
    {"rule": st.sampled_from(["flicker", "clash"]), "p": _NUMBERS},
    optional={
        "box": st.lists(_NUMBERS, min_size=4, max_size=4) | st.none(),
        "label": _TEXTS | st.none(),
        "track": _NUMBERS,
        "prior": _NUMBERS,
    },
)
_FIELDS = st.sampled_from(
    ["suspects", "detections", "model", "thresholds", "captured_at", "device", "camera", "lane"]
)


@given(st.dictionaries(_FIELDS, _VALUES, max_size=2), st.lists(_SUSPECT, max_size=3))
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_record_ends_the_run(
    tmp_path: Path, changes: dict[str, Any], suspects: list[dict[str, Any]]
) -> None:
    """It has a row: with a problem, or with numbers that a choice can work with."""
    parts = replace(usual_parts(), detector=ConstantDetector())
    sha256 = parts.detector.info.sha256
    model = {"name": "constant", "sha256": sha256, "task": "detect", "provider": "cpu"}
    item = stored(tmp_path, **{"suspects": suspects, "model": model, **changes})

    row = row_of(item, parts)

    if not row.problem:
        for place in candidate_of(row).view.places:
            assert 0 <= place.p <= 1
            assert place.box is None or all(0 <= side <= 1 for side in place.box)
