"""The option `--stopped-max` of `fleet` and `receive`."""

from agent.errors import ConfigurationError
from agent.printable import printable
from agent.settings.units import parse_duration

STOPPED_MAX = "24h"
"""How long a device may be stopped in order until it needs somebody, unless the option says it."""

_OFF = "off"


def stopped_limit(text: str) -> float | None:
    """Return the seconds of the option; None for `off`. Raises `ConfigurationError`."""
    if text == _OFF:
        return None
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = None
    if not isinstance(seconds, float):
        raise ConfigurationError(
            f"--stopped-max: must be a duration such as 24h or 7d, or off, not {printable(text)!r}"
        )
    return seconds
