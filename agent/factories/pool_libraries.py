"""Whether the libraries of a pool can be used, asked before anything depends on them."""

import importlib
import importlib.metadata
from collections.abc import Mapping

from agent.errors import ConfigurationError
from agent.factories.extras import need
from agent.printable import printable

OLDEST: Mapping[str, tuple[int, int]] = {"pyarrow": (19, 0), "ray": (2, 49)}
"""The oldest versions that are tested, as the extra asks for them."""

_COMMAND = "`capture-agent pool`"
_INSTALL = "in the agent's environment: pip install --force-reinstall 'edge-capture-agent[pool]'"
_NOT_LOADED = (
    ImportError,
    AttributeError,
    OSError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
)
"""What importing a library raises that was built for another Python, NumPy or machine."""

_LONGEST = 300  # characters of a reason


def need_pool_libraries(*, with_ray: bool) -> None:
    """Raise `ConfigurationError` if a library is missing, too old or cannot be loaded.

    Ray is loaded by its driver process, which says itself why that fails.
    """
    need("pool", _COMMAND, is_setting=False, unused=() if with_ray else ("ray",))
    for name in ("pyarrow", "ray") if with_ray else ("pyarrow",):
        _check_version(name)
    try:
        for module in ("pyarrow", "pyarrow.compute", "pyarrow.parquet"):
            importlib.import_module(module)
    except _NOT_LOADED as error:
        why = printable(str(error).partition("\n")[0] or type(error).__name__, _LONGEST)
        raise ConfigurationError(
            f"{_COMMAND} cannot load pyarrow: {why}; install it again {_INSTALL}"
        ) from error


def _check_version(name: str) -> None:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # it is there without what an installer notes
        return
    oldest = OLDEST[name]
    if _numbers(found) < oldest:
        shown = ".".join(map(str, oldest))
        raise ConfigurationError(
            f"{_COMMAND} needs {name} {shown} or newer, and {printable(found)} is installed; "
            f"update it {_INSTALL.replace('--force-reinstall', '--upgrade')}"
        )


def _numbers(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version; what is no number is 0."""
    parts = [*text.split("."), "0"][:2]
    return tuple(int(part) if part.isascii() and part.isdigit() else 0 for part in parts)
