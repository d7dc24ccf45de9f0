"""Every image that is written, sent or shown comes from one encoder; a list names who may draw."""

import ast
from collections.abc import Mapping

import pytest

from tests.house.house_rules import modules, nodes

CALLS = frozenset(
    {"imencode", "imencodemulti", "imwrite", "imwritemulti", "VideoWriter", "tofile", "savez",
     "savez_compressed", "fromarray", "encode_jpeg", "add_stream", "tobytes",
     "tostring", "b64encode", "b85encode"}
)  # fmt: skip
"""Calls that turn pixels into bytes, or bytes into text."""

MAY: Mapping[str, tuple[frozenset[str], str]] = {
    "agent.record.image": (
        frozenset({"imencode", "tobytes"}),
        "the door: what must not be seen is hidden here. Its faithful copies stay in memory",
    ),
    "agent.runtime.answers": (frozenset({"b64encode"}), "an image of the door, as text"),
    "agent.cli.look": (
        frozenset({"imencode", "tobytes"}),
        "draws on images that `agent.runtime.answers` or the spool gave",
    ),
    "agent.cli.demo": (frozenset({"imencode", "tobytes"}), "a contact sheet of stored images"),
    "agent.dataset.small_image": (
        frozenset({"imencode", "tobytes", "b64encode"}),
        "stored images, made smaller",
    ),
    "agent.review.thumbnails": (
        frozenset({"imencode", "tobytes"}),
        "stored images, made smaller",
    ),
    "agent.cli.sample_clip": (
        frozenset({"add_stream"}),
        "a drawn clip, of no camera",
    ),
    "agent.camera.device": (frozenset({"VideoWriter"}), "for the code of a pixel format alone"),
    "agent.dataset.health.thumbnails": (
        frozenset({"imencode", "tobytes"}),
        "stored images, made smaller",
    ),
    "agent.dataset.clip_video": (frozenset({"add_stream"}), "a stored clip, encoded again"),
    "agent.camera.live": (frozenset({"tobytes"}), "a checksum that is compared, and not kept"),
    "agent.selection.view": (
        frozenset({"tobytes", "b85encode", "b64encode"}),
        "a hash of the thumbnail; crops, coarse where a label is redacted; features, none there",
    ),
    "agent.selection.similarity": (frozenset({"tobytes"}), "crops and hashes of the thumbnail"),
    "agent.upload.targets.label_studio_task": (frozenset({"b64encode"}), "a stored image, as text"),
    "agent.dataset.health.page": (frozenset({"b64encode"}), "thumbnails of stored images, as text"),
    "agent.pages.document": (frozenset({"b64encode"}), "the hash of a page's own script"),
    "agent.pool.store.sealed": (frozenset({"b64encode"}), "keys of rows, as text"),
    "agent.camera.network.digest": (frozenset({"b64encode"}), "a password"),
}
"""Who may call what, and why no pixel that must not be seen leaves there."""


def calls(tree: ast.Module) -> set[str]:
    """Return the names of the calls and references that turn pixels into bytes."""
    return {
        name
        for node in nodes(tree)
        for name in (
            [node.attr]
            if isinstance(node, ast.Attribute)
            else [node.id]
            if isinstance(node, ast.Name)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name in CALLS
    }


def complaints(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    found = {
        name: calls(tree) - (MAY[name][0] if name in MAY else set()) for name, tree in trees.items()
    }
    return {name: more for name, more in found.items() if more}


def test_images_become_bytes_in_one_place_alone() -> None:
    assert complaints(modules()) == {}


def test_each_exception_is_still_needed() -> None:
    trees = modules()

    assert {name: allowed - calls(trees[name]) for name, (allowed, _) in MAY.items()} == {
        name: set() for name in MAY
    }


@pytest.mark.parametrize(
    "source",
    [
        "import cv2\ncv2.imwrite('a.jpg', frame.pixels)",
        "from cv2 import imencode",
        "data = pixels.tobytes()",
        "encode = cv2.imencode",
        "grey.tofile(path)",
        "text = base64.b64encode(pixels)",
    ],
)
def test_another_way_out_is_found(source: str) -> None:
    assert complaints({"agent.runtime.inference": ast.parse(source)})


def test_frames_are_read_through_the_masks_alone() -> None:
    """Who makes a source has to paint the masks over its frames."""
    makers = {"make_source", "LiveCamera", "Recording"}
    may = {
        "agent.camera.open",
        "agent.camera.live",
        "agent.camera.recording",
        "agent.factories.cameras",
        "agent.pool.analysis.recordings",  # with the masks of the camera
        "agent.replay.recording",  # with the masks that it was given
        "agent.cli.replay",  # looks whether a recording can be read
        "agent.cli.demo_loop",  # a drawn clip, of no camera
    }
    found = {
        name
        for name, tree in modules().items()
        for node in nodes(tree)
        if isinstance(node, ast.Name) and node.id in makers
    }

    assert found - may == set()
