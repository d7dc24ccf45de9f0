"""Sources of strangers: each is refused with its name and the reason, and none fills the memory."""

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.dataset.annotations.source import ReviewError
from agent.dataset.importing import archive, json_items, xml_events
from agent.dataset.importing.json_items import json_items as items_of
from agent.dataset.importing.readers import read_source
from tests.dataset.exports import (
    CAR_BOX,
    CORRECTED,
    annotation,
    as_label_studio,
    coco_content,
    cvat_xml,
    dataset_of,
    label_studio,
    plain_name,
    roboflow_yolo,
    task,
    written,
    written_text,
)
from tests.dataset.test_import_command import refused, run
from tests.fakes.captures import capture_id
from tests.search import examples

RECORDS = {
    capture_id(0): {"image": {"width": 200, "height": 100}, "detections": [], "id": capture_id(0)}
}


def zip_of(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members:
            out.writestr(name, data, zipfile.ZIP_DEFLATED)
    return path


def image(path: Path) -> Path:
    path.write_bytes(b"\x89PNG\xff")
    return path


def link(name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = (stat.S_IFLNK | 0o777) << 16
    return made


def encrypted(path: Path) -> Path:
    """A zip whose list says that a file needs a password."""
    zip_of(path, ("a.json", b"{}"))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    place = data.index(b"PK\x01\x02")
    data[place + 8] |= 1
    path.write_bytes(data)
    return path


def with_a_list_of(path: Path, length: int) -> Path:
    zip_of(path, ("a.json", b"{}"))
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x05\x06")
    data[place + 12 : place + 16] = length.to_bytes(4, "little")
    path.write_bytes(data)
    return path


def coco_with(**changes: Any) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        content = coco_content({0: [CAR_BOX]})
        content["annotations"][0] |= changes
        return written(at / "c.json", content)

    return make


def label_studio_with(**value: Any) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        result = as_label_studio([CAR_BOX, CAR_BOX])
        result[0]["value"] |= value
        return written(at / "l.json", [task(0, annotation(result))])

    return make


def xml_with(old: str, new: str) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        path = cvat_xml(at, {0: [CAR_BOX]})
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return path

    return make


BOMB = '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'

SOURCES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a folder outside": (lambda at: zip_of(at / "z", ("../../x.json", b"{}")), "outside of itself"),
    "the root": (lambda at: zip_of(at / "z", ("/etc/x.json", b"{}")), "outside of itself"),
    "a link": (lambda at: zip_of(at / "z", (link("x.json"), b"/etc/passwd")), "it holds a link"),
    "deep folders": (lambda at: zip_of(at / "z", ("a/" * 20 + "x.json", b"{}")), "too deeply"),
    "a password": (lambda at: encrypted(at / "z"), "encrypted"),
    "a long list": (lambda at: with_a_list_of(at / "z", 400_000_000), "too many files"),
    "a damaged zip": (lambda at: with_a_list_of(at / "z", 60_000), "cannot unpack"),
    "an empty zip": (lambda at: zip_of(at / "z"), "nothing names its classes"),
    "entities": (xml_with("<annotations>", BOMB + "<annotations>"), "document type"),
    "deep XML": (xml_with("<meta>", "<a>" * 5000 + "<meta>"), "nested too deeply"),
    "XML that ends early": (xml_with("</annotations>", ""), "no element found"),
    "XML of others": (lambda at: written_text(at / "x.xml", "<annotation/>"), "no XML of CVAT"),
    "NaN in XML": (xml_with('xtl="20.00"', 'xtl="nan"'), "not a finite number"),
    "no side in XML": (xml_with('xtl="20.00"', ""), "has no 'xtl'"),
    "a size of 0 in XML": (xml_with('width="200"', 'width="-1"'), "has no size"),
    "a track": (xml_with("<image", "<track><image"), "CVAT for video"),
    "a line": (xml_with("<box", '<polyline points="1,1;2,2" label="car"/><box'), "polyline"),
    "NaN in COCO": (coco_with(bbox=[float("nan"), 1, 2, 3]), "not a finite number"),
    "a huge number": (coco_with(bbox=[1e308, 1, 1e308, 3]), "capture"),
    "no area": (coco_with(bbox=[500, 500, 10, 10]), "no area inside"),
    "a negative side": (coco_with(bbox=[50, 50, -10, 10]), "no area inside"),
    "no category": (coco_with(category_id=99), "annotation 0: `categories` has no category 99"),
    "deep JSON": (lambda at: written_text(at / "d.json", "[" * 100_000), "no valid JSON"),
    "deep JSON object": (lambda at: written_text(at / "d", '{"a":' * 100_000), "no valid JSON"),
    "JSON of others": (lambda at: written(at / "d.json", {"shapes": [1]}), "none of what can be"),
    "a text": (lambda at: written_text(at / "d.csv", "hello\n"), "none of what can be read"),
    "an image": (lambda at: image(at / "b.jpg"), "neither text nor zip"),
    "NaN in Label Studio": (label_studio_with(x=float("inf")), "not a finite number"),
    "a text for a number": (label_studio_with(width="\x1b[31m"), "Label Studio"),
    "a label of control characters": (label_studio_with(rectanglelabels=["\x1b"]), "control"),
    "a long label": (label_studio_with(rectanglelabels=["x" * 900]), "1 to 200 characters"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_refused_by_name_with_the_reason(tmp_path: Path, name: str) -> None:
    dataset = dataset_of(tmp_path / "dataset", 1)
    make, says = SOURCES[name]
    (tmp_path / "at").mkdir()

    said = refused(dataset, make(tmp_path / "at"))

    assert says in said
    assert "Traceback" not in said
    assert said.rstrip("\n").isprintable()
    assert len(said) < 1000
    assert not (dataset / "verdicts.jsonl").exists()
    assert not (tmp_path / "x.json").exists()


def test_a_fifo_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 1)
    os.mkfifo(tmp_path / "f.json")

    assert "not a regular file" in refused(dataset, tmp_path / "f.json")
    assert "no such file" in refused(dataset, tmp_path / "g.json")
    assert "there are no captures" in refused(tmp_path, tmp_path / "f.json")


def test_a_file_that_grows_when_it_is_unpacked_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the archive states a small size."""
    monkeypatch.setattr(archive, "FILE_MAX", 100_000)
    dataset = dataset_of(tmp_path / "dataset", 1)
    path = zip_of(tmp_path / "z.zip", ("a.json", b" " * 5_000_000))
    assert path.stat().st_size < 10_000

    assert "too large when it is unpacked" in refused(dataset, path)
    monkeypatch.setattr(archive, "BYTES_MAX", 1_000_000)
    assert "more than 1000000 bytes" in refused(dataset, path)
    monkeypatch.setattr(archive, "FILES_MAX", 1)
    many = zip_of(tmp_path / "y.zip", ("a.json", b""), ("b.json", b""))
    assert "more than 1 files" in refused(dataset, many)


def test_images_of_an_archive_are_not_unpacked(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset")
    folder = roboflow_yolo(tmp_path)
    place = tmp_path / "z.zip"
    members = [(str(path.relative_to(folder)), path) for path in sorted(folder.rglob("*.*"))]
    pixels = b"\xff\xd8" + os.urandom(100_000)
    zip_of(place, *((n, pixels if n.endswith(".jpg") else p.read_bytes()) for n, p in members))

    with archive.unpacked(place) as made:
        assert sum(path.stat().st_size for path in made.rglob("*.jpg")) == 0
        assert read_source(made, dataset, RECORDS).said.keys() == RECORDS.keys()
    assert not made.exists()


def test_several_exports_in_one_folder_are_not_guessed_between(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset")
    folder = roboflow_yolo(tmp_path)
    label_studio(folder)

    assert "it holds several exports (project-1.json, YOLO labels)" in refused(dataset, folder)
    assert "it is the dataset itself" in refused(dataset, dataset)
    (dataset / "verdicts.jsonl").write_text("{}\n")
    assert "dataset merge" in refused(dataset, dataset / "verdicts.jsonl")


def test_a_class_in_another_spelling_is_refused(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "dataset", 1)
    content = coco_content({0: [CAR_BOX]})
    content["categories"][1]["name"] = "Car"

    said = refused(dataset, written(tmp_path / "c.json", content))
    assert "it names a class 'Car', and the model 'car'" in said


def test_classes_of_another_project_above_the_archive_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "classes.txt").write_text("dog\ncar\n")
    dataset = dataset_of(tmp_path / "dataset", 1)
    path = zip_of(tmp_path / "z.zip", (plain_name(0).replace(".jpg", ".txt"), b"0 0.5 0.5 1 1\n"))

    assert "nothing names its classes" in refused(dataset, path)


def test_items_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_items, "_CHUNK", 7)
    items = [{"a": "x  y" * 9, "b": [1, 2.5, None]}, 12345678901, "  ", {"long": "z" * 5000}, []]
    wanted = [*items[:3], {"long": ""}, []]
    for text in (json.dumps(items), f" \n{json.dumps(items, indent=3)}\r\n "):
        path = written_text(tmp_path / "a.json", text)
        assert list(items_of(path)) == wanted
        for end in range(1, len(text.rstrip()), 501):
            path.write_text(text[:end])
            with pytest.raises(ReviewError, match="no valid JSON"):
                list(items_of(path))
        path.write_text(text + "[")
        with pytest.raises(ReviewError, match="something follows"):
            list(items_of(path))


def test_an_item_that_never_ends_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_items, "ITEM_MAX", 1000)
    monkeypatch.setattr(json_items, "_CHUNK", 100)
    path = written_text(tmp_path / "a.json", '["' + "x" * 100_000 + '"]')

    with pytest.raises(ReviewError, match="too long"):
        list(items_of(path))


def test_a_long_element_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_events, "_TEXT_MAX", 100)
    path = written_text(tmp_path / "a.xml", f"<annotations>{'x' * 1000}</annotations>")

    with pytest.raises(ReviewError, match="too long"):
        read_source(path, tmp_path, RECORDS)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=examples(25),
)
@given(
    content=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "value", "result", "x", "rectanglelabels", "choices", "lead_time"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_any_annotation_is_read_or_refused(tmp_path: Path, content: object) -> None:
    first = {"data": {"capture_id": capture_id(0)}, "annotations": []}
    tasks = [first, {**first, "annotations": content, "predictions": content}]
    flat = {"capture_id": capture_id(0), "annotation_id": 1, "annotator": 1, "lead_time": 1}
    for source in (tasks, [flat, {**flat, "label": content}], [first, content]):
        try:
            read_source(written(tmp_path / "a.json", source), tmp_path / "d", RECORDS)
        except ReviewError as error:
            assert str(error).isprintable()  # noqa: PT017


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=examples(25),
)
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"[", b"{", b"<", b"PK\x03\x04"]))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes, start: bytes) -> None:
    path = tmp_path / "source"
    path.write_bytes(start + data)
    try:
        read_source(path, tmp_path / "d", RECORDS)
    except ReviewError as error:
        assert str(error).isprintable()  # noqa: PT017


def test_a_folder_that_cannot_be_written_is_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = dataset_of(tmp_path / "dataset")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.files.Disk.append", refuse)
    result = run(dataset, label_studio(tmp_path, CORRECTED))
    assert result.exit_code == 75
    assert "No space left on device; call it again" in result.stderr
