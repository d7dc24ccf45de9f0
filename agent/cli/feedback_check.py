"""What `check` says of the feedback file."""

from agent.detector.application_model import ApplicationModel
from agent.domain import ModelInfo
from agent.errors import ConfigurationError
from agent.factories.feedback import required_feedback
from agent.factories.model import application_task, detector_of
from agent.printable import printable
from agent.selection.feedback_words import (
    proposed_thresholds,
    strongest_changes,
    summary_words,
)
from agent.settings.declarations import Settings


def check_feedback(settings: Settings) -> str:
    """Say what the feedback file changes; raises `ConfigurationError` for one that is refused."""
    model = model_of(settings)
    if model is None:
        raise ConfigurationError(
            f"cannot compare AGENT_FEEDBACK {printable(settings.feedback)} with the model, which "
            "cannot be used: see the line of the model"
        )
    feedback = required_feedback(settings, model)
    words = [summary_words(feedback, strongest_changes(feedback))]
    thresholds = proposed_thresholds(feedback)
    if thresholds:
        words.append(f'best F1 at AGENT_THRESHOLDS="{thresholds}", proposed and not applied')
    if feedback.is_of_other_model(model):
        words.append(
            f"warning: its reviews are of captures of another model, "
            f"{printable(feedback.model_name)} (sha256 {feedback.model_sha256[:12]}): factors "
            "count half, no class is trusted; review captures of this model and make a new file"
        )
    return "; ".join(words)


def model_of(settings: Settings) -> ModelInfo | None:
    """Return the model of the settings; None for one that cannot be used."""
    task = application_task(settings)
    if task is not None:
        return ApplicationModel(task).info
    try:
        return detector_of(settings).info
    except ConfigurationError:  # the model's own line says so
        return None
