"""The feedback file of a running daemon: read at the start and again on SIGHUP.

A file that cannot be used never stops the capturing: at the start the rules' own priors hold, and
after a reload those of the file before.
"""

from collections.abc import Callable

from agent.domain import ModelInfo
from agent.errors import ConfigurationError
from agent.exchange.state import FeedbackState
from agent.logs import Log
from agent.runtime.requested import Requested
from agent.runtime.shown_error import shown_error
from agent.selection.feedback import Feedback
from agent.selection.feedback_words import proposed_thresholds, strongest_changes


def feedback_state(reload: "FeedbackReload") -> FeedbackState:
    """Return what `status` shows of the feedback."""
    feedback, error = reload.current, shown_error(reload.error)
    if feedback is None:
        return FeedbackState(error=error)
    return FeedbackState(
        sha256=feedback.sha256,
        made_at=feedback.made_at,
        captures=feedback.captures,
        changes="; ".join(strongest_changes(feedback)),
        thresholds=proposed_thresholds(feedback),
        error=error,
    )


class FeedbackReload:
    """Holds the feedback in use, and reads its file when asked; `step` belongs to one worker."""

    def __init__(
        self,
        read: Callable[[ModelInfo], Feedback],
        use: Callable[[Feedback], None],
        *,
        model: Callable[[], ModelInfo],
        log: Log,
    ) -> None:
        """Make it; `load` reads the file for the first time.

        Args:
            read: Reads the file for a model; raises `ConfigurationError`.
            use: Is called with each file that is taken up.
            model: Returns the model in use.
            log: Gets what became of each look at the file.
        """
        self.current: Feedback | None = None
        self.error: str | None = None
        """Why the file is not in use; None if it is."""
        self._read = read
        self._use = use
        self._model = model
        self._log = log
        self._requested = Requested()

    def ask(self) -> None:
        """Request a look at the file; may be called from a signal handler."""
        self._requested.ask()

    def step(self) -> float:
        """Read the file if somebody asked; returns the wait, as a worker's step does."""
        if self._requested.wait():
            self.load()
        return 0.0

    def load(self) -> None:
        """Read the file and use it; what is in use stays if the file is refused."""
        model = self._model()
        try:
            feedback = self._read(model)
        except ConfigurationError as error:
            kept = self.current.sha256[:12] if self.current is not None else "none"
            self.error = str(error)
            self._log.warning("feedback refused", error=str(error), kept=kept)
            return
        was_refused, self.error = self.error is not None, None
        self.current = feedback
        self._use(feedback)
        self._log.info(
            "feedback loaded",
            sha256=feedback.sha256[:12],
            made_at=feedback.made_at,
            captures=feedback.captures,
            changes="; ".join(strongest_changes(feedback)) or "none",
            other_model=feedback.is_of_other_model(model),
        )
        if was_refused:
            self._log.warning("feedback accepted", sha256=feedback.sha256[:12])
