"""onnxruntime's execution providers as the operator names them, and what they are told.

`AGENT_PROVIDERS` lists them best first, with or without "ExecutionProvider" at the end, each with
options after colons: `cuda:device_id=1 cpu`. Options are passed on as they are; this module adds
only where an engine that takes minutes to build is kept. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import ConfigurationError

SUFFIX = "ExecutionProvider"

# `auto` takes what is there, best first, but for these: one is a remote service, one compiles the
# model for minutes at its first start.
ONLY_BY_NAME = ("AzureExecutionProvider", "TensorrtExecutionProvider")

BUILDS_ENGINES = ("TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider")


@dataclass(frozen=True, slots=True)
class Provider:
    """One execution provider and its options."""

    name: str  # in full
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a model runs on."""

    providers: Sequence[str] = ()  # as AGENT_PROVIDERS; empty or "auto" for what is there
    threads: int = 1  # of one run; they sleep between runs
    engines: Path | None = None  # a folder where providers keep what they build


ANY_HARDWARE = Hardware()


def is_auto(names: Sequence[str]) -> bool:
    """Whether the choice is left to us."""
    return not names or [name.lower() for name in names] == ["auto"]


def wanted_providers(
    names: Sequence[str], available: Sequence[str], *, engines: Path | None
) -> list[Provider]:
    """Return the providers to try, best first.

    Args:
        names: As AGENT_PROVIDERS; empty or "auto" for what is there.
        available: What this onnxruntime has, in full.
        engines: A folder for built engines, or None to keep none.

    Raises:
        ConfigurationError: One that is not there, or an option that is none.
    """
    if is_auto(names):
        found = [Provider(name) for name in available if name not in ONLY_BY_NAME]
    else:
        found = [_parsed(name, available) for name in names]
    return [Provider(each.name, {**_kept(each.name, engines), **each.options}) for each in found]


def builds_engines(names: Sequence[str]) -> bool:
    """Whether loading a model with these may take minutes."""
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
            f"AGENT_PROVIDERS: {wrong[0]!r} in {text!r} is no option; write them as "
            f"{name}:option=value"
        )
    return Provider(known[_short(name)], {key: value for key, _, value in pairs})


def _short(name: str) -> str:
    return name.lower().removesuffix(SUFFIX.lower())


def _kept(name: str, engines: Path | None) -> dict[str, str]:
    """Return the options by which a provider keeps what it has built."""
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
