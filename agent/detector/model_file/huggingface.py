"""The files beside a model that was exported from the Hugging Face hub.

The exporters write `config.json`, whose `id2label` names the classes, and
`preprocessor_config.json` with the preprocessing. Labels that cannot be understood are not used. A
preprocessing that cannot be understood is an error: a model that gets other numbers than in its
training detects less, and nobody would see why.

Source: the documentation of transformers, "Image Processor" and "Configuration".
"""

import json
from pathlib import Path
from typing import Any

from agent.detector.formats.contract import ChannelOrder
from agent.detector.model_file.input_spec import LARGEST_SIDE, InputSpec
from agent.detector.model_file.small_file import read_small_text
from agent.detector.model_file.words import labels_of, number_of, numbers_of
from agent.errors import ModelUnusable
from agent.printable import printable

MAX_VALUE = 255.0
LEAST = 1e-6
"""The least scale factor or standard deviation: with less, values overflow."""


def hub_labels(model: Path) -> tuple[str, ...] | None:
    """Return the labels of `config.json` by class id; None if class ids have gaps."""
    try:
        named = _read(model.with_name("config.json")).get("id2label")
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(named, dict):
        return None
    labels = [named.get(str(number)) for number in range(len(named))]
    if not all(isinstance(each, str) for each in labels):
        return None
    try:
        return labels_of(labels) or None
    except ValueError:
        return None


def hub_input(model: Path) -> InputSpec | None:
    """Return normalization and crop from `preprocessor_config.json`.

    None if there is no such file, or if it has neither.

    Raises:
        ModelUnusable: The file cannot be read, or its numbers cannot be used.
    """
    path = model.with_name("preprocessor_config.json")
    try:
        return _input_of(_read(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelUnusable(
            f"cannot use {printable(path)}: {printable(why or error)}; copy it again from the "
            "model's export, or delete it: then the model gets the usual input of its format"
        ) from error


def _input_of(data: dict[str, Any]) -> InputSpec | None:
    """Return the preprocessing of the file's content; raise `ValueError` if it is invalid."""
    if not any(key in data for key in ("do_rescale", "do_normalize", "image_mean")):
        return None
    rescales = data.get("do_rescale", True) is not False
    factor = number_of(data.get("rescale_factor", 1 / MAX_VALUE))
    if factor is None or not LEAST <= factor <= 1:
        if rescales:
            raise ValueError(f"`rescale_factor` must be a number from {LEAST:g} to 1")
        factor = 1.0
    normalises = data.get("do_normalize", True) is not False
    mean, std = _per_channel(data.get("image_mean")), _per_channel(data.get("image_std"))
    if normalises and (mean is None or std is None or min(std) < LEAST):
        raise ValueError(
            "`image_mean` and `image_std` must have three numbers each, those of `image_std` "
            f"at least {LEAST:g}"
        )
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
    if not isinstance(side, int) or not 0 < side <= shortest <= LARGEST_SIDE:
        return None
    return side / shortest


def _per_channel(value: object) -> tuple[float, float, float] | None:
    numbers = numbers_of(value, 3)
    return None if numbers is None else (numbers[0], numbers[1], numbers[2])


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a file; raise `OSError` or `ValueError` if it is no JSON object."""
    try:
        data = json.loads(read_small_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    return data
