"""Reads AGENT_PROVIDERS: onnxruntime's execution providers and their options.

The setting lists them best first, with or without "ExecutionProvider" at the end, each with options
after colons: `cuda:device_id=1 cpu`. Options are passed on unchanged; this module adds only the
cache folder for engines that take minutes to build.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import ConfigurationError

SUFFIX = "ExecutionProvider"

# `auto` takes all available providers, best first, except these: Azure is a remote service, and
# TensorRT compiles the model for minutes at the first start.
ONLY_BY_NAME = ("AzureExecutionProvider", "TensorrtExecutionProvider")

_NVIDIA = (("nvidia[0-9]*", "nvidia-uvm"), ("nvhost-gpu",), ("nvgpu/*",))  # a card, or a Jetson
# The device files without which a provider cannot work: one of several sets, all files of it. A
# driver may make them after the boot.
_DEVICE_FILES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "CUDAExecutionProvider": _NVIDIA,
    "TensorrtExecutionProvider": _NVIDIA,
    "NvTensorRTRTXExecutionProvider": _NVIDIA,
    "ROCMExecutionProvider": (("kfd",),),
    "MIGraphXExecutionProvider": (("kfd",),),
    "OpenVINOExecutionProvider": (("dri/renderD*",), ("accel/accel*",)),
}

BUILDS_ENGINES = ("TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider")


@dataclass(frozen=True, slots=True)
class Provider:
    """One execution provider and its options."""

    name: str  # the full name
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a model runs on."""

    providers: Sequence[str] = ()  # as AGENT_PROVIDERS; empty or "auto": all that are available
    threads: int = 1  # per run; they sleep between runs
    engines: Path | None = None  # the cache folder for built engines; None: no cache


ANY_HARDWARE = Hardware()


def is_auto(names: Sequence[str]) -> bool:
    """Whether the agent chooses the providers."""
    return not names or [name.lower() for name in names] == ["auto"]


def wanted_providers(
    names: Sequence[str], available: Sequence[str], *, engines: Path | None
) -> list[Provider]:
    """Return the providers to try, best first.

    Args:
        names: As AGENT_PROVIDERS; empty or "auto" for all that are available.
        available: The full names of the providers of this onnxruntime.
        engines: The cache folder for built engines; None for no cache.

    Raises:
        ConfigurationError: A provider is not available, or an option is malformed.
    """
    if is_auto(names):
        found = [Provider(name) for name in available if name not in ONLY_BY_NAME]
    else:
        found = [_parsed(name, available) for name in names]
    return [
        Provider(each.name, {**_cache_options(each.name, engines), **each.options})
        for each in found
    ]


def lacks_device(name: str, devices: Path = Path("/dev")) -> bool:
    """Whether a provider has no device file yet, so that it may work later without a change."""
    sets = _DEVICE_FILES.get(name, ())
    return bool(sets) and not any(
        all(any(devices.glob(pattern)) for pattern in patterns) for patterns in sets
    )


def builds_engines(names: Sequence[str]) -> bool:
    """Whether loading a model with these providers may take minutes."""
    shorts = {_short(name.partition(":")[0]) for name in names}
    return any(_short(name) in shorts for name in BUILDS_ENGINES)


def _parsed(text: str, available: Sequence[str]) -> Provider:
    """Read `name:option=value:option=value`."""
    name, *parts = text.split(":")
    known = {_short(each): each for each in available}
    if _short(name) not in known:
        raise ConfigurationError(
            f"AGENT_PROVIDERS: this onnxruntime has no {name}; it has {', '.join(available)}"
        )
    pairs = [part.partition("=") for part in parts]
    wrong = [part for part, pair in zip(parts, pairs, strict=True) if not (pair[0] and pair[2])]
    if wrong:
        raise ConfigurationError(
            f"AGENT_PROVIDERS: {wrong[0]!r} in {text!r} is not an option; write options as "
            f"{name}:option=value"
        )
    return Provider(known[_short(name)], {key: value for key, _, value in pairs})


def _short(name: str) -> str:
    return name.lower().removesuffix(SUFFIX.lower())


def _cache_options(name: str, engines: Path | None) -> dict[str, str]:
    """Return the options with which a provider caches built engines."""
    if engines is None:
        return {}
    folder = str(engines)
    return {
        "TensorrtExecutionProvider": {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": folder,
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": folder,
        },
        "NvTensorRTRTXExecutionProvider": {"nv_runtime_cache_path": folder},
        "OpenVINOExecutionProvider": {"cache_dir": folder},
    }.get(name, {})
