"""The parts of a pool, by the settings: which engine, and where rows and choices are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.domain import ModelInfo
    from agent.pool.analysis.candidate import PoolChances
    from agent.pool.engine import Engine
    from agent.pool.output.write import Output
    from agent.pool.store.place import Place
    from agent.settings.declarations import Settings

ENGINES = ("local", "ray")

MOST_WORKERS = 100_000

GPU_SHARE = 0.25
"""GPUs of a worker of Ray: decoding keeps a core busy longer than a model keeps a GPU."""

_ON_GPU = ("cuda", "tensorrt", "nvtensorrt", "rocm", "migraphx")


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


def engine_of(
    name: str,
    *,
    address: str | None,
    workers: int | None,
    out: str,
    providers: Sequence[str] = (),
) -> Engine:
    """Return the engine with this name, whose rows go to `out`; raises `ConfigurationError`.

    `providers`: as AGENT_PROVIDERS.
    """
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
        needs_gpu = any(each.lower().startswith(_ON_GPU) for each in providers)
        gpus = GPU_SHARE if needs_gpu else 0
        return RayEngine(address=address or "", workers=workers, out=folder, gpus=gpus)
    from agent.pool.engines.local import LocalEngine

    return LocalEngine(workers)


def place_of(out: str, *, below: str = "") -> Place:
    """Return where the rows of an output are kept; `below` names a store beside that of the pool.

    Raises `ConfigurationError`.
    """
    from agent.dataset.bucket_address import is_bucket
    from agent.pool.output.place import KEPT
    from agent.pool.store.local_place import LocalPlace

    if is_bucket(out):
        from agent.pool.store.bucket_place import BucketPlace

        prefix = out.rstrip("/")
        return BucketPlace(f"{prefix}/{KEPT}/{below}" if below else prefix)
    folder = Path(out).absolute()
    return LocalPlace(folder / KEPT / below if below else folder)


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
