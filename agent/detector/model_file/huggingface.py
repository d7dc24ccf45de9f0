"""The files beside a model that was exported from the Hugging Face hub.

The exporters write `config.json`, whose `id2label` names the classes, and
`preprocessor_config.json` with the preprocessing. Entries that are missing or cannot be understood
are never an error: the format's values are used instead.

Source: the documentation of transformers, "Image Processor" and "Configuration".
"""

import json
from pathlib import Path
from typing import Any

from agent.detector.formats.contract import ChannelOrder
from agent.detector.model_file.input_spec import InputSpec

MAX_BYTES = 2_000_000  # bytes
MAX_VALUE = 255.0


def hub_labels(model: Path) -> tuple[str, ...] | None:
    """Return the labels of `config.json` by class id; None if class ids have gaps."""
    named = _read(model.with_name("config.json")).get("id2label")
    if not isinstance(named, dict):
        return None
    labels = [named.get(str(number)) for number in range(len(named))]
    texts = tuple(each for each in labels if isinstance(each, str))
    return texts if texts and len(texts) == len(labels) else None


def hub_input(model: Path) -> InputSpec | None:
    """Return normalization and crop from `preprocessor_config.json`; None if it has neither."""
    data = _read(model.with_name("preprocessor_config.json"))
    if not any(key in data for key in ("do_rescale", "do_normalize", "image_mean")):
        return None
    rescales = data.get("do_rescale", True) is not False
    factor = data.get("rescale_factor", 1 / MAX_VALUE)
    if rescales and not (isinstance(factor, float) and 0 < factor <= 1):
        return None
    normalises = data.get("do_normalize", True) is not False
    mean, std = _per_channel(data.get("image_mean")), _per_channel(data.get("image_std"))
    if normalises and (mean is None or std is None or min(std) <= 0):
        return None
    keep = _crop_share(data)
    return InputSpec(
        channel_order=ChannelOrder.RGB,
        scale=1 / factor if rescales else 1.0,
        mean=mean if normalises else (0.0, 0.0, 0.0),
        std=std if normalises else (1.0, 1.0, 1.0),
        fit="crop" if keep else None,
        keep=keep,
    )


def _crop_share(data: dict[str, Any]) -> float | None:
    """Return the size of the centre crop as a share of the shorter side; None for no crop."""
    size, crop = data.get("size"), data.get("crop_size")
    shortest = size.get("shortest_edge") if isinstance(size, dict) else size
    side = crop.get("height") if isinstance(crop, dict) else crop
    if not data.get("do_center_crop") or not isinstance(shortest, int):
        return None
    return side / shortest if isinstance(side, int) and 0 < side <= shortest else None


def _per_channel(value: object) -> tuple[float, float, float] | None:
    if not isinstance(value, list) or len(value) != 3:  # noqa: PLR2004  # colours
        return None
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in value):
        return None
    first, second, third = (float(each) for each in value)
    return first, second, third


def _read(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return {}
        data = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
