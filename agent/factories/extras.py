"""Whether the libraries of an extra are installed, asked before anything of it is imported."""

import importlib.util
from collections.abc import Collection, Mapping, Sequence

from agent.errors import ConfigurationError

LIBRARIES: Mapping[str, Sequence[str]] = {
    "web": ("starlette", "uvicorn", "jinja2"),
    "mqtt": ("paho",),
    "pool": ("pyarrow", "ray"),
}
"""What each extra that a setting needs brings."""


def need(
    extra: str, setting: str, *, is_setting: bool = True, unused: Collection[str] = ()
) -> None:
    """Raise `ConfigurationError` if a setting, or a command, needs libraries that are not there.

    Args:
        extra: The extra that brings the libraries.
        setting: The setting or command, as people write it.
        is_setting: Whether it can be unset.
        unused: Libraries of the extra that are not needed this time.
    """
    needed = (name for name in LIBRARIES[extra] if name not in unused)
    lacking = [name for name in needed if importlib.util.find_spec(name) is None]
    if lacking:
        otherwise = f", or unset {setting}" if is_setting else ""
        raise ConfigurationError(
            f"{setting} needs {' and '.join(lacking)}: pip install 'edge-capture-agent[{extra}]' "
            f"in the agent's environment{otherwise}"
        )
