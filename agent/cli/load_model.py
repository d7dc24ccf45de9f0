"""A process that loads the settings' model, runs it once, and says nothing.

Not a command of its own: `agent/detector/fallback/subprocess_check.py` starts it with the
settings of the model.
"""

from agent.errors import ConfigurationError


def main() -> int:
    """Return 0, or 78 if the model cannot be used; the daemon, which loads it next, says why."""
    from agent.cli import console
    from agent.factories.model import detector_of
    from agent.runtime.model import synthetic_image

    try:
        detector_of(console.settings()).detect(synthetic_image())
    except ConfigurationError as error:
        return error.exit_code
    return 0
