"""Masks are painted over each frame before anything else gets it, or all of the frame is."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from agent.camera.masked import GREY, MaskedSource
from agent.camera.masks import parse_masks
from agent.domain import Frame, Pixels
from tests.fakes.captures import frame


class Frames:
    """A source that returns these frames, then None."""

    live = True
    unreadable = 3
    passed_over = "2 .heic"
    progress_at = 7.0

    def __init__(self, *frames: Frame) -> None:
        self._left = list(frames)
        self.is_closed = False

    def read(self) -> Frame | None:
        return self._left.pop(0) if self._left else None

    def close(self) -> None:
        self.is_closed = True


def noise(width: int, height: int) -> Pixels:
    # 0 to 99 has no pixel of the paint.
    return np.random.default_rng(3).integers(0, 100, (height, width, 3), np.uint8)


def masked(text: str, *sizes: tuple[int, int], live: bool = True) -> tuple[list[Frame], list[str]]:
    """Read frames of these sizes; return them, and what was said of the masks."""
    said: list[str] = []
    frames = [frame(sequence=n, pixels=noise(*size)) for n, size in enumerate(sizes)]
    inner = Frames(*frames)
    inner.live = live
    source = MaskedSource(inner, parse_masks(text, ["gate"]), changed=said.append)
    found = [source.read() for _ in sizes]
    return [each for each in found if each is not None], said


def hidden(read: Frame) -> Sequence[tuple[int, int]]:
    """Return row and column of each pixel that is painted over; all others are as they were."""
    height, width = read.pixels.shape[:2]
    painted = (read.pixels == GREY).all(axis=2)
    assert (read.pixels[~painted] == noise(width, height)[~painted]).all()
    return list(zip(*map(list, np.nonzero(painted)), strict=True))


def test_a_region_is_painted_over_and_nothing_else() -> None:
    [read], said = masked("gate:0,0 6,0 6,2 0,2", (10, 8))

    assert hidden(read) == [(row, column) for row in range(2) for column in range(6)]
    assert read.masks == (((0, 0), (6, 0), (6, 2), (0, 2)),)
    assert said == []


def test_what_is_beyond_the_frame_is_clipped() -> None:
    [read], said = masked("gate:-5,-5 3,-5 3,99 -5,99", (10, 8))

    assert hidden(read) == [(row, column) for row in range(8) for column in range(3)]
    assert {x for polygon in read.masks for x, _ in polygon} == {0, 3}
    assert said == []


def test_the_camera_s_own_jpeg_does_not_go_on() -> None:
    own = replace(frame(pixels=noise(10, 8)), jpeg=b"\xff\xd8 shows the region \xff\xd9")
    read = MaskedSource(Frames(own), parse_masks("0,0 6,0 6,2")).read()

    assert read is not None
    assert read.jpeg is None


@pytest.mark.parametrize("writeable", [True, False])
def test_the_source_s_own_array_is_never_painted(*, writeable: bool) -> None:
    pixels = noise(10, 8)
    pixels.flags.writeable = writeable
    source = MaskedSource(Frames(frame(pixels=pixels)), parse_masks("0,0 6,0 6,2"))

    source.read()

    assert (pixels == noise(10, 8)).all()


def test_a_mask_outside_of_the_image_hides_all_of_it() -> None:
    [read], [said] = masked("gate:0,0 6,0 6,2; gate:20,0 30,0 30,5", (10, 8))

    assert len(hidden(read)) == 80
    assert "mask 2 of this camera" in said
    assert "10x8" in said


def test_masks_in_pixels_hide_all_while_the_camera_has_another_size() -> None:
    frames, said = masked("gate:0,0 6,0 6,2 0,2", (10, 8), (20, 16), (20, 16), (10, 8))

    assert [len(hidden(read)) for read in frames] == [12, 320, 320, 12]
    assert len(said) == 2
    assert "in pixels of 10x8, and the frames have 20x16" in said[0]
    assert said[1] == ""


def test_a_recording_of_many_sizes_is_told_once() -> None:
    sizes = [(10 + n, 8) for n in range(40)]
    frames, said = masked("gate:0,0 6,0 6,2 0,2", *sizes, *sizes[::-1], live=False)

    assert [len(hidden(read)) for read in frames[1:-1]] == [
        8 * each.pixels.shape[1] for each in frames[1:-1]
    ]
    assert [len(hidden(frames[n])) for n in (0, -1)] == [12, 12]
    assert len(said) == 1


def test_masks_in_pixels_hide_all_where_another_size_than_the_stated_comes() -> None:
    frames, said = masked("gate@10x8:0,0 6,0 6,2 0,2", (20, 16), (10, 8))

    assert [len(hidden(read)) for read in frames] == [320, 12]
    assert len(said) == 2


def test_masks_in_shares_fit_a_camera_that_changes_its_size() -> None:
    frames, said = masked("gate:0,0 1,0 1,0.25 0,0.25", (10, 8), (20, 16))

    assert [len(hidden(read)) for read in frames] == [20, 80]
    assert said == []


def test_a_masked_source_is_otherwise_the_source() -> None:
    inner = Frames(frame(pixels=noise(10, 8)))
    source = MaskedSource(inner, parse_masks("0,0 5,0 5,8 0,8"))
    assert (source.share, source.misfit) == (0.0, "")
    source.read()

    assert (source.live, source.unreadable, source.passed_over) == (True, 3, "2 .heic")
    assert source.progress_at == 7.0
    assert source.share == 0.5
    assert source.read() is None
    source.close()
    assert inner.is_closed
