"""What the rows of a store depend on; they are never mixed with rows of other settings."""

import json
from collections.abc import Mapping

from agent.errors import ConfigurationError
from agent.pool.store.place import Place
from agent.pool.store.schema import ROW_SCHEMA
from agent.printable import printable

_FILE = "settings.json"
_SCHEMA = "row schema"


def check_settings(place: Place, settings: Mapping[str, str]) -> None:
    """Note the settings of a new store, or raise `ConfigurationError` if it has others.

    Args:
        place: Of the store.
        settings: What a row depends on, by the name that a user knows; the values as text.
    """
    wanted = {**settings, _SCHEMA: str(ROW_SCHEMA)}
    data = place.read(_FILE)
    if data is None:
        place.write(_FILE, json.dumps(wanted, indent=1, sort_keys=True).encode())
        return
    kept = _read(place, data)
    if kept.get(_SCHEMA) != wanted[_SCHEMA]:
        raise ConfigurationError(
            f"cannot go on in {place.name}: another version of capture-agent analysed its images "
            f"({_SCHEMA} {_shown(kept, _SCHEMA)}, and this one has {ROW_SCHEMA}). Give another "
            f"--out, or delete {place.name} to analyse all again"
        )
    names = [name for name in {**wanted, **kept} if wanted.get(name) != kept.get(name)]
    if names:
        lines = [f"{name} was {_shown(kept, name)}, is {_shown(wanted, name)}" for name in names]
        raise ConfigurationError(
            f"cannot go on in {place.name}: its images were analysed with other settings: "
            f"{'; '.join(lines)}. Give another --out, or delete {place.name} to analyse all again"
        )


def _read(place: Place, data: bytes) -> Mapping[str, str]:
    try:
        kept = json.loads(data)
        if isinstance(kept, dict) and all(isinstance(each, str) for each in kept.values()):
            return kept
    except (ValueError, RecursionError):
        pass
    raise ConfigurationError(
        f"cannot go on in {place.name}: its {_FILE} cannot be read; delete {place.name} to analyse "
        "all again"
    )


def _shown(settings: Mapping[str, str], name: str) -> str:
    value = settings.get(name)
    return printable(value) if value else "not set"
