"""What the analysis of a pool works with, in one process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.camera.masks import CameraMask
from agent.pool.analysis.row_maker import RowMaker
from agent.pool.items import PoolItem, ReadsItems
from agent.ports import Detector
from agent.record.image import JpegEncoder
from agent.selection.plan import SelectionPlan


@dataclass(frozen=True, slots=True)
class AnalysisParts:
    """The parts of one process."""

    reader: ReadsItems
    detector: Detector
    plan: SelectionPlan
    encoder: JpegEncoder  # makes the stored images
    rows: RowMaker
    masks_of: Callable[[PoolItem], Sequence[CameraMask]]
    fps: float  # frames of a recording analysed per second; 0 = each
