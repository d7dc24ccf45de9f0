"""The analysis of a pool by the settings, made in each process of an engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from agent import __version__
from agent.errors import ConfigurationError
from agent.factories.model import engine_folder, model_variables, require_labels
from agent.factories.pool_masks import pool_masks_of
from agent.factories.selection import plan_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.camera.masks import CameraMask
    from agent.detector.detector import OnnxDetector
    from agent.detector.model_file.input_spec import InputSpec
    from agent.pool.analysis.analyser import PoolAnalyser
    from agent.pool.analysis.parts import AnalysisParts
    from agent.pool.engine import MakesAnalyser
    from agent.pool.items import ReadsItems
    from agent.selection.plan import SelectionPlan
    from agent.settings.declarations import Settings

POOL = "pool"
"""The device in the records of bare images, where AGENT_DEVICE_ID is not set."""


@dataclass(frozen=True, slots=True)
class AnalysisSpec:
    """What the rows of a pool depend on. It can be pickled, and holds no secret."""

    model: Path | None  # absolute; None = the bundled one
    model_format: str
    model_labels: str
    model_input: InputSpec | None
    model_sha256: str | None  # AGENT_MODEL_SHA256
    found_sha256: str  # of the model that started the analysis: each process must have the same
    providers: tuple[str, ...]
    engines: Path
    plan: SelectionPlan
    masks: tuple[CameraMask, ...]
    fps: float  # frames of a recording analysed per second; 0 = each
    jpeg_quality: int
    max_side: int
    device: str


def begun_analysis(
    settings: Settings, make_reader: Callable[[], ReadsItems]
) -> tuple[AnalysisSpec, AnalysisParts]:
    """Return what the settings say of the analysis, and its parts in this process.

    Raises `ConfigurationError`.
    """
    from agent.domain import Task

    words = model_variables(settings)
    first = AnalysisSpec(
        model=None if settings.model is None else settings.model.absolute(),
        model_format=settings.model_format,
        model_labels=words["AGENT_MODEL_LABELS"],
        model_input=settings.model_input,
        model_sha256=settings.model_sha256,
        found_sha256="",
        providers=tuple(settings.providers),
        engines=engine_folder(settings).absolute(),
        plan=plan_for(settings, Task.DETECT)[0],
        masks=settings.masks,
        fps=settings.fps,
        jpeg_quality=settings.jpeg_quality,
        max_side=settings.max_side,
        device=settings.device_id if "device_id" in settings.model_fields_set else POOL,
    )
    detector = _detector(first)
    plan, _ = plan_for(settings, detector.info.task)
    spec = replace(first, found_sha256=detector.info.sha256, plan=plan)
    return spec, _parts(spec, make_reader(), detector)


def analyser_factory(spec: AnalysisSpec, make_reader: Callable[[], ReadsItems]) -> MakesAnalyser:
    """Return what makes the analyser of a process; it can be pickled if `make_reader` can."""
    return partial(make_analyser, spec, make_reader)


def make_analyser(spec: AnalysisSpec, make_reader: Callable[[], ReadsItems]) -> PoolAnalyser:
    """Load the model and return the analyser of this process.

    Raises `ConfigurationError`, also if this machine has another model than the one that started
    the analysis.
    """
    from agent.pool.analysis.analyser import PoolAnalyser

    return PoolAnalyser(_parts(spec, make_reader(), _detector(spec)))


def _parts(spec: AnalysisSpec, reader: ReadsItems, detector: OnnxDetector) -> AnalysisParts:
    from agent.pool.analysis.parts import AnalysisParts
    from agent.pool.analysis.row_maker import RowMaker
    from agent.record.image import JpegEncoder
    from agent.record.schema import RecordMaker

    encoder = JpegEncoder(
        quality=spec.jpeg_quality, max_side=spec.max_side, redact=spec.plan.redact
    )
    maker = RecordMaker(spec.device, "", detector.info, spec.plan.thresholds, __version__)
    return AnalysisParts(
        reader=reader,
        detector=detector,
        plan=spec.plan,
        encoder=encoder,
        rows=RowMaker(spec.plan, maker, encoder),
        masks_of=partial(pool_masks_of, spec.masks),
        fps=spec.fps,
    )


def _detector(spec: AnalysisSpec) -> OnnxDetector:
    """Load the model for one thread: a process of an engine has one core."""
    from agent.detector.detector import load_detector
    from agent.detector.providers import Hardware

    detector = load_detector(
        spec.model,
        model_format=spec.model_format,
        labels=spec.model_labels,
        model_input=spec.model_input,
        sha256=spec.model_sha256,
        hardware=Hardware(spec.providers, 1, spec.engines),
        floor=spec.plan.thresholds.floor,
    )
    require_labels(detector.info, spec.plan.redact)
    found = detector.info
    if spec.found_sha256 not in ("", found.sha256):
        raise ConfigurationError(
            f"cannot go on with the model {found.name}: its sha256 is {found.sha256[:12]} here, "
            f"and {spec.found_sha256[:12]} where the analysis began; give all machines the same "
            "file"
        )
    return detector
