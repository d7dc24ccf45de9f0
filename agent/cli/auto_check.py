"""What `check` says of auto labels."""

from agent.cli.feedback_check import model_of
from agent.errors import ConfigurationError
from agent.factories.feedback import required_feedback
from agent.selection.auto_words import NEEDS_FEEDBACK, few, missing_words, trusted_words
from agent.settings.declarations import Settings


def check_auto_labels(settings: Settings) -> str:
    """Say which classes the model may label itself, and what the others lack.

    Raises `ConfigurationError` if it may label none, because then nothing happens.
    """
    model = model_of(settings)
    if model is None:
        raise ConfigurationError("cannot tell: the model cannot be used, see its line")
    if settings.feedback is None:
        raise ConfigurationError(NEEDS_FEEDBACK)
    feedback = required_feedback(settings, model)
    precision = settings.auto_precision
    missing = missing_words(feedback, model, precision)
    trusted = [] if feedback.is_of_other_model(model) else trusted_words(feedback, precision)
    if not trusted:
        raise ConfigurationError(f"the model labels nothing itself: {'; '.join(missing)}")
    words = f"{settings.auto_per_day:g} a day, of {few(trusted)}"
    return "; ".join([words, *missing])
