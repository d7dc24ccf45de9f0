"""Builders of analysers and items."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.domain import Pixels
from agent.factories.pool_analysis import begun_analysis
from agent.pool.analysis.analyser import PoolAnalyser
from agent.pool.analysis.parts import AnalysisParts
from agent.pool.items import ItemKind, PoolItem
from agent.pool.rows import PoolRow
from agent.pool.sources.reader import ItemReader
from agent.settings.load import without_environment
from tests.replay.recordings import clip

CAMERA = "yard/gate"


@cache
def street() -> Pixels:
    """Return a frame of the street video, with doubtful boxes."""
    capture = cv2.VideoCapture(str(clip()))
    _, pixels = capture.read()
    return np.asarray(pixels, np.uint8)


def street_jpeg(quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", street(), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def parts_of(**values: Any) -> AnalysisParts:
    """Return the parts of an analysis with these settings, that reads from disk."""
    return begun_analysis(without_environment(**values), ItemReader)[1]


@cache
def usual_parts() -> AnalysisParts:
    """Return the parts by default settings: the model is loaded once."""
    return parts_of()


def image_item(path: Path, camera: str = CAMERA) -> PoolItem:
    return PoolItem(str(path), ItemKind.IMAGE, camera)


def row_of(path: Path, parts: AnalysisParts | None = None, camera: str = CAMERA) -> PoolRow:
    """Return the row of an image."""
    [row] = PoolAnalyser(parts or usual_parts()).rows(image_item(path, camera))
    return row


def recording_rows(
    parts: AnalysisParts, *, first_frame: int = 0, path: Path | None = None
) -> Iterator[PoolRow]:
    """Yield the rows of the street video."""
    item = PoolItem(str(path or clip()), ItemKind.RECORDING, CAMERA)
    return PoolAnalyser(parts).rows(item, first_frame=first_frame)
