"""Single images: what can be read has a row, and what cannot has a row that says why."""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from agent.dataset.folder import Dataset
from agent.dataset.records import checked_record
from agent.domain import Pixels, Prediction
from agent.files import Disk
from agent.pool.analysis.analyser import PoolAnalyser
from agent.pool.analysis.candidate import candidate_of
from agent.selection.similarity import COARSE_SIDE
from tests.pool.analysis.analysed import (
    image_item,
    parts_of,
    row_of,
    street,
    street_jpeg,
    usual_parts,
)
from tests.replay.recordings import ConstantDetector


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def street_image() -> Image.Image:
    return Image.fromarray(street()[:, :, ::-1].copy())


def with_exif(orientation: int = 1, taken: str = "2024:05:06 07:08:09") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x0132] = taken
    return saved(street_image(), "JPEG", exif=exif, quality=95)


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG that states a size, with next to no data."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk


def deep_png() -> bytes:
    return cv2.imencode(".png", street().astype(np.uint16) * 257)[1].tobytes()


def animated(kind: str) -> bytes:
    first = street_image()
    more = [first.transpose(Image.Transpose.ROTATE_180)]
    return saved(first, kind, save_all=True, append_images=more)


def with_alpha() -> bytes:
    image = street_image().convert("RGBA")
    image.putalpha(128)
    return saved(image, "PNG")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("grey.jpg", lambda: saved(street_image().convert("L"), "JPEG")),
        ("cmyk.jpg", lambda: saved(street_image().convert("CMYK"), "JPEG")),
        ("progressive.jpg", lambda: saved(street_image(), "JPEG", progressive=True)),
        ("deep.png", deep_png),
        ("alpha.png", with_alpha),
        ("palette.png", lambda: saved(street_image().convert("P"), "PNG")),
        ("still.webp", lambda: saved(street_image(), "WEBP")),
        ("moving.gif", lambda: animated("GIF")),
        ("moving.webp", lambda: animated("WEBP")),
        ("large.bmp", lambda: saved(street_image(), "BMP")),
    ],
)
def test_each_kind_of_image_has_a_row(tmp_path: Path, name: str, data: Callable[[], bytes]) -> None:
    path = tmp_path / name
    path.write_bytes(data())

    row = row_of(path)

    assert row.problem == ""
    assert (row.width, row.height) == (640, 272)
    assert row.suspects
    assert json.loads(row.record)["image"]["sha256"] == row.sha256


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (street_jpeg()[:9000], "incomplete"),
        (b"", "the file is empty"),
        (b"<!doctype html><title>404</title>", "not an image of a supported format"),
        (street_jpeg()[:300] + bytes(range(256)) * 40 + b"\xff\xd9", "damaged"),
        (deep_png()[:20_000], "damaged"),
        (
            huge_png(12_500, 8_000),
            "cannot use an image of 12500x8000 pixels: at most 16384 pixels a side and 64 million",
        ),
    ],
)
def test_an_image_that_cannot_be_read_is_named_with_the_reason(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)

    row = row_of(path)

    assert problem in row.problem
    assert row == replace(type(row)(key=str(path)), problem=row.problem)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()

    assert "FIFO" in row_of(tmp_path / "pipe.jpg").problem
    assert "folder" in row_of(tmp_path / "folder.jpg").problem
    assert "cannot read the image" in row_of(tmp_path / "gone.jpg").problem


def test_a_jpeg_is_stored_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(street_jpeg())

    row = row_of(path)

    assert row.sha256 == hashlib.sha256(street_jpeg()).hexdigest()
    assert json.loads(row.record)["image"]["encoded_by"] == "camera"


def test_an_image_that_exif_turns_is_upright_and_its_metadata_stay_behind(tmp_path: Path) -> None:
    (tmp_path / "turned.jpg").write_bytes(with_exif(6))
    (tmp_path / "upright.jpg").write_bytes(with_exif(1))

    turned, upright = row_of(tmp_path / "turned.jpg"), row_of(tmp_path / "upright.jpg")

    assert (turned.width, turned.height) == (272, 640)
    assert upright.sha256 != hashlib.sha256(with_exif(1)).hexdigest()


def test_the_time_is_that_of_exif_else_of_the_name_else_none(tmp_path: Path) -> None:
    (tmp_path / "2020-01-02_03-04-05.jpg").write_bytes(with_exif())
    (tmp_path / "2021-01-02_03-04-05.jpg").write_bytes(street_jpeg())
    (tmp_path / "a.jpg").write_bytes(street_jpeg())

    rows = [row_of(path) for path in sorted(tmp_path.iterdir())]
    records = [json.loads(row.record) for row in rows]

    assert [record["captured_at"] for record in records] == [
        "2024-05-06T07:08:09.000Z",
        "2021-01-02T03:04:05.000Z",
        "1970-01-01T00:00:00.000Z",
    ]
    assert [record["boot_id"] for record in records] == ["stated", "stated", rows[2].id]
    assert not any(record["clock_synchronized"] for record in records)
    assert candidate_of(rows[2]).view.at == -np.inf


def test_the_same_image_in_two_folders_is_one_capture(tmp_path: Path) -> None:
    for name in ("a", "2021-01-02_03-04-05"):
        (tmp_path / f"{name}.jpg").write_bytes(street_jpeg())
    (tmp_path / "b.jpg").write_bytes(street_jpeg(80))

    rows = [row_of(tmp_path / f"{name}.jpg") for name in ("a", "2021-01-02_03-04-05", "b")]

    assert rows[0].id == rows[1].id != rows[2].id
    assert rows[0].digest == rows[1].digest


def test_the_row_of_an_image_does_not_depend_on_those_before(tmp_path: Path) -> None:
    """Or two workers would find something else than one."""
    path = tmp_path / "a.jpg"
    path.write_bytes(street_jpeg())
    analyser = PoolAnalyser(usual_parts())

    first, again = (list(analyser.rows(image_item(path))) for _ in range(2))

    assert first == again  # not a frozen camera
    assert not again[0].is_unusable


def test_a_black_image_is_never_chosen_and_a_dark_one_is_degraded(tmp_path: Path) -> None:
    dark = (street() // 8).astype(np.uint8)
    for name, pixels in (("black", np.zeros_like(dark)), ("dark", dark), ("bright", street())):
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)

    black, seen, bright = (row_of(tmp_path / f"{n}.png") for n in ("black", "dark", "bright"))

    assert black.is_unusable
    assert candidate_of(black).is_unusable
    assert seen.is_degraded
    assert not seen.is_unusable
    assert not bright.is_degraded
    assert not bright.is_unusable


def test_the_record_can_be_stored_in_a_dataset(tmp_path: Path, without_sync: None) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(street_jpeg())
    row = row_of(path)

    assert Dataset(tmp_path / "out", Disk()).store(row.record, street_jpeg())
    record = checked_record(row.record, row.id)
    assert (record["device"], record["camera"], record["lane"]) == ("pool", "yard/gate", "score")
    assert [each["rule"] for each in record["suspects"]] == [each.rule for each in row.suspects]


def test_nobody_can_be_recognized_in_the_row_of_a_redacted_label(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(street_jpeg())
    labels = ("person", "car", "refrigerator", "bicycle", "bus", "truck", "train")
    hidden = parts_of(redact=labels)

    row = row_of(path, hidden)

    redacted = [each for each in row.suspects if each.label in labels]
    assert redacted
    for each in redacted:
        assert each.feature is None
        assert each.crop is not None
        assert len(set(each.crop)) <= COARSE_SIDE**2
    assert row.sha256 != row_of(path).sha256
    assert json.loads(row.record)["masks"]


def test_masks_are_painted_before_the_model_sees_the_image(tmp_path: Path) -> None:
    from agent.camera.masks import parse_masks

    path = tmp_path / "a.jpg"
    path.write_bytes(street_jpeg())
    masks = parse_masks("gate:0,0 1,0 1,1 0,1")
    masked = replace(usual_parts(), masks_of=lambda _item: masks)

    row = row_of(path, masked)

    assert row.suspects == ()
    assert row.is_unusable  # nothing is left to see
    assert row.sha256 != hashlib.sha256(street_jpeg()).hexdigest()


class FailingDetector(ConstantDetector):
    """Fails on every image."""

    def detect(self, pixels: Pixels) -> Prediction:
        return Prediction(self.info, invalid=True, failure=f"no memory for {pixels.shape}")


def test_an_image_on_which_the_model_fails_is_named(tmp_path: Path) -> None:
    """It is not one of which the model's output is doubtful."""
    path = tmp_path / "a.jpg"
    path.write_bytes(street_jpeg())

    row = row_of(path, replace(usual_parts(), detector=FailingDetector()))

    assert row.problem.startswith("cannot analyse the image: the model fails: no memory for")
