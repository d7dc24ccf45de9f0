"""The feedback file that the settings name."""

from agent.domain import ModelInfo
from agent.errors import ConfigurationError
from agent.files import read_regular_file
from agent.printable import printable
from agent.selection.feedback import LONGEST, Feedback, parse_feedback
from agent.settings.declarations import Settings

SETTING = "AGENT_FEEDBACK"


def feedback_of(settings: Settings, model: ModelInfo, *, named: str = SETTING) -> Feedback | None:
    """Read the file at `AGENT_FEEDBACK`; None if there is no such setting.

    Raises as `required_feedback`.
    """
    return None if settings.feedback is None else required_feedback(settings, model, named=named)


def required_feedback(settings: Settings, model: ModelInfo, *, named: str = SETTING) -> Feedback:
    """Read the file at `AGENT_FEEDBACK`, which must be set; `named` is what a person set.

    Raises `ConfigurationError`, with the fix, for a file that cannot be read, is damaged, or names
    labels of which the model has none: those of another model, or of another AGENT_MODEL_LABELS.
    """
    path = settings.feedback
    assert path is not None  # noqa: S101 (the callers checked it)
    name = f"{named} {printable(path)}"
    try:
        feedback = parse_feedback(read_regular_file(path, LONGEST))
    except FileNotFoundError:
        raise ConfigurationError(
            f"cannot read {name}: there is no such file; copy it there, or {_fix(named)}"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {name}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigurationError(
            f"cannot use {name}: {error}; copy it again, or make it again with "
            "`capture-agent feedback`"
        ) from None
    labels = feedback.labels if model.labels else frozenset()
    if labels and labels.isdisjoint(model.labels):
        raise ConfigurationError(
            f"cannot use {name}: it was made for the model {printable(feedback.model_name)} "
            f"(sha256 {feedback.model_sha256[:12]}), and {printable(model.name)} has none of its "
            f"labels, such as {printable(min(labels))}; correct AGENT_MODEL_LABELS, or review "
            "captures of this model and make a new file with `capture-agent feedback`"
        )
    return feedback


def _fix(named: str) -> str:
    return f"unset {named}" if named == SETTING else f"leave {named} out"
