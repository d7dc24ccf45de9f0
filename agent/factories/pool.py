"""The parts of a pool, by the settings: what analyses in each process, and where rows are kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.factories.cameras import masks_of_recording
from agent.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.camera.masks import CameraMask
    from agent.domain import ModelInfo
    from agent.pool.analysis.analyser import PoolAnalyser
    from agent.pool.analysis.candidate import PoolChances
    from agent.pool.analysis.parts import AnalysisParts
    from agent.pool.engine import Engine
    from agent.pool.items import PoolItem
    from agent.pool.output.write import Output
    from agent.pool.store.place import Place
    from agent.settings.declarations import Settings

DEVICE = "pool"
"""Of the records of images that no device captured, where AGENT_DEVICE_ID is not set."""

ENGINES = ("local", "ray")

MOST_WORKERS = 100_000


@dataclass(frozen=True, slots=True)
class MakesPoolAnalyser:
    """Makes the analyser of a process by the settings; can be pickled."""

    settings: Settings
    readable: Mapping[str, str] = field(default_factory=dict)
    """By bucket the key of an object that could be read, see `ItemReader`."""

    def __call__(self) -> PoolAnalyser:
        """Load the model and make the analyser; raises `ConfigurationError`."""
        from agent.pool.analysis.analyser import PoolAnalyser

        return PoolAnalyser(analysis_parts(self.settings, self.readable))


def analysis_parts(
    settings: Settings, readable: Mapping[str, str] = MappingProxyType({})
) -> AnalysisParts:
    """Return what the analysis of a pool works with; the model is loaded."""
    from dataclasses import replace

    from agent.factories.images import image_encoder, record_maker
    from agent.factories.model import detector_of
    from agent.factories.selection import plan_for
    from agent.pool.analysis.parts import AnalysisParts
    from agent.pool.analysis.row_maker import RowMaker
    from agent.pool.sources.reader import ItemReader

    detector = detector_of(settings)
    plan, _ = plan_for(settings, detector.info.task)
    encoder = image_encoder(settings)
    maker = record_maker(settings, detector.info, boot=DEVICE)
    if "device_id" not in settings.model_fields_set:
        maker = replace(maker, device=DEVICE)
    return AnalysisParts(
        reader=ItemReader(readable),
        detector=detector,
        plan=plan,
        encoder=encoder,
        rows=RowMaker(plan, maker, encoder),
        masks_of=partial(_masks_of, settings),
        fps=settings.fps,
    )


def _masks_of(settings: Settings, item: PoolItem) -> Sequence[CameraMask]:
    """Return the masks of the camera that an image or a recording is of."""
    from agent.camera.address import CameraAddress, SourceKind

    if not settings.masks:
        return ()
    name = Path(item.camera).stem
    return masks_of_recording(CameraAddress(name, item.key, SourceKind.FILE), settings)


def without_secrets(settings: Settings) -> Settings:
    """Return the settings without what no analysis needs: they go to other processes."""
    secrets = dict.fromkeys(
        ("upload_url", "upload_token", "upload_proxy", "api", "mqtt_url", "feedback")
    )
    return settings.model_copy(update=secrets)


def kept_settings(settings: Settings, model: ModelInfo) -> Mapping[str, str]:
    """Return what the rows of a pool depend on, by the names that a user knows."""
    from agent.factories.selection import plan_for

    plan, _ = plan_for(settings, model.task)
    return {
        "AGENT_MODEL": f"{model.name} (sha256 {model.sha256})",
        "AGENT_MODEL_FORMAT": settings.model_format,
        "AGENT_MODEL_INPUT": str(settings.model_input or ""),
        "AGENT_MODEL_LABELS": " ".join(model.labels),
        "AGENT_THRESHOLD": f"{plan.thresholds.default:g}",
        "AGENT_THRESHOLDS": _json(plan.thresholds.labels),
        "AGENT_FLOOR": f"{plan.thresholds.floor:g}",
        "AGENT_RULES": " ".join(plan.rules),
        "AGENT_RULE_OPTIONS": _json(plan.rule_options),
        "AGENT_MASKS": "; ".join(map(str, settings.masks)),
        "AGENT_REDACT": " ".join(sorted(settings.redact)),
        "AGENT_MAX_SIDE": str(settings.max_side),
        "--fps": f"{settings.fps:g}",
    }


def _json(values: object) -> str:
    return json.dumps(values, sort_keys=True, default=dict)


def engine_of(name: str, *, address: str | None, workers: int | None, out: str) -> Engine:
    """Return the engine with this name, whose rows go to `out`; raises `ConfigurationError`."""
    from agent.dataset.bucket_address import is_bucket

    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise ConfigurationError(
            f"cannot use --workers {workers}: it must be from 1 to {MOST_WORKERS}"
        )
    if name not in ENGINES:
        raise ConfigurationError(
            f"cannot use --engine {printable(name)}: it must be one of {', '.join(ENGINES)}"
        )
    if address is not None and name != "ray":
        raise ConfigurationError(
            f"cannot use --address {printable(address)} with --engine {name}: add --engine ray, "
            "or leave --address out"
        )
    if name == "ray":
        from agent.pool.engines.ray.engine import RayEngine

        folder = "" if is_bucket(out) else str(Path(out).absolute())
        return RayEngine(address=address or "", workers=workers, out=folder)
    from agent.pool.engines.local import LocalEngine

    return LocalEngine(workers)


def place_of(out: str, *, below: str = "") -> Place:
    """Return where the rows of an output are kept; `below` names a store beside that of the pool.

    Raises `ConfigurationError`.
    """
    from agent.dataset.bucket_address import is_bucket
    from agent.pool.store.local_place import LocalPlace

    if is_bucket(out):
        raise NotImplementedError
    folder = Path(out).absolute()
    return LocalPlace(folder / ".pool" / below if below else folder)


def chances_of(settings: Settings, model: ModelInfo, *, named: str) -> PoolChances | None:
    """Return what the feedback file makes of the suspects; None without one.

    `named`: where a person named the file.
    """
    from agent.factories.feedback import feedback_of
    from agent.pool.analysis.candidate import PoolChances

    feedback = feedback_of(settings, model, named=named)
    if feedback is None:
        return None
    return PoolChances(feedback, settings.all_thresholds, model)


def output_of(out: str) -> Output:
    """Return where a choice is written; raises `ConfigurationError` where it must not be."""
    from agent.dataset.bucket_address import is_bucket
    from agent.factories.datasets import dataset_at
    from agent.files import Disk
    from agent.pool.output.folder import FolderOutput
    from agent.pool.output.place import ChoiceFile, check_folder

    if is_bucket(out):
        from agent.dataset.bucket import Bucket
        from agent.pool.output.bucket import BucketOutput
        from agent.pool.output.place import check_prefix

        bucket = Bucket(out)
        check_prefix(bucket)
        return BucketOutput(bucket, ChoiceFile(place_of(out)))
    directory = Path(out).absolute()
    disk = Disk(inside=directory)
    check_folder(directory)
    return FolderOutput(dataset_at(directory), ChoiceFile(place_of(out)), disk)
