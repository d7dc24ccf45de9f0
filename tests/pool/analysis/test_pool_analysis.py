"""Each process of an engine makes the analysis for itself, of what can be sent to it."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from agent.camera.masks import parse_masks
from agent.errors import ConfigurationError
from agent.factories.pool_analysis import analyser_factory, begun_analysis
from agent.factories.pool_masks import check_masks
from agent.pool.items import ItemKind, PoolItem
from agent.pool.sources.reader import ItemReader
from agent.settings.load import without_environment
from tests.pool.analysis.analysed import image_item, row_of, street_jpeg

MASKS = "gate:0,0 0.5,0 0.5,1 0,1"


def test_another_process_makes_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(street_jpeg())
    secret = without_environment(cameras="gate=rtsp://ann:hunter2@10.0.0.1/", upload_token="tok-7")
    spec, parts = begun_analysis(secret, ItemReader)

    sent = pickle.dumps(analyser_factory(spec, ItemReader))

    assert b"hunter2" not in sent
    assert b"tok-7" not in sent
    assert list(pickle.loads(sent)().rows(image_item(path))) == [row_of(path, parts)]


def test_a_machine_with_another_model_is_named() -> None:
    spec, _ = begun_analysis(without_environment(), ItemReader)
    make = analyser_factory(replace(spec, found_sha256="ab" * 32), ItemReader)

    with pytest.raises(ConfigurationError, match="abababababab where the analysis began"):
        make()


def test_masks_are_of_the_camera_that_the_folder_or_the_recording_is_named_after() -> None:
    _, parts = begun_analysis(without_environment(masks=MASKS), ItemReader)
    image = PoolItem("/a.jpg", ItemKind.IMAGE, "gate")

    for camera in ("gate", "day1/gate", "day1/gate.mp4"):
        assert len(parts.masks_of(replace(image, camera=camera))) == 1
    assert parts.masks_of(replace(image, kind=ItemKind.CAPTURE, camera="gate")) == ()
    assert parts.masks_of(replace(image, camera="yard")) == ()


def test_a_mask_of_no_camera_of_the_pool_is_refused_with_the_nearest_one() -> None:
    masks = parse_masks("gaet:0,0 1,0 1,1; GATE:0,0 1,0 1,1; yard:0,0 1,0 1,1; x:0,0 1,0 1,1")
    cameras = ["monday/gate", *(f"cam-{number}" for number in range(6)), "street/yard.mp4"]
    items = [PoolItem("/a.jpg", ItemKind.IMAGE, camera) for camera in cameras]

    with pytest.raises(ConfigurationError) as refused:
        check_masks(masks, items)

    gaet, gate, x = str(refused.value).split("\n")
    assert "is of camera 'gaet'; did you mean 'gate'?" in gaet
    assert "is of camera 'GATE'; did you mean 'gate'?" in gate
    assert "is of camera 'x'. The cameras of the pool" in x
    assert "recordings: 'cam-0', 'cam-1', 'cam-2', 'cam-3', 'cam-4' and 3 others" in x
    check_masks(masks[2:3], items)
    check_masks(masks, [replace(items[0], kind=ItemKind.CAPTURE)])


def test_masks_without_a_name_are_of_every_image() -> None:
    masks = "0,0 0.5,0 0.5,1 0,1"
    _, parts = begun_analysis(without_environment(masks=masks), ItemReader)

    assert len(parts.masks_of(PoolItem("/a.jpg", ItemKind.IMAGE, "yard"))) == 1
