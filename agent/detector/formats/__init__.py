"""The families of models that the agent reads.

A new family is one file beside this one and one line in `FORMATS`.
"""

from dataclasses import dataclass

from agent.detector.formats.contract import Format, Signature
from agent.detector.formats.nanodet import NanoDet
from agent.detector.formats.ultralytics import Ultralytics
from agent.errors import ConfigurationError

AUTO = "auto"

# In the order in which `auto` asks: those that are sure of themselves first.
FORMATS: dict[str, Format] = {known.name: known for known in (NanoDet(), Ultralytics())}


@dataclass(frozen=True, slots=True)
class Choice:
    """The format that reads a model, and why this one."""

    format: Format
    reason: str


def choose(name: str, model: Signature) -> Choice:
    """Return the format called `name`, or with `auto` the one that recognises the model.

    Raises:
        ConfigurationError: No such format, none recognises the model, or the named one cannot
            read its outputs.
    """
    if name != AUTO:
        if name not in FORMATS:
            raise ConfigurationError(
                f"AGENT_MODEL_FORMAT: {name} is unknown; known are {AUTO}, {', '.join(FORMATS)}"
            )
        FORMATS[name].classes(model)
        return Choice(FORMATS[name], "named by AGENT_MODEL_FORMAT")
    for known in FORMATS.values():
        reason = known.recognise(model)
        if reason is not None:
            return Choice(known, reason)
    raise ConfigurationError(
        "its outputs look like no format that is known; if it is one of "
        f"{', '.join(FORMATS)}, name it in AGENT_MODEL_FORMAT, else export the model as one"
    )
