"""What the daemon says of its auto labels: in the log, and in its state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.domain import ModelInfo
from agent.exchange.state import AutoState
from agent.logs import Log
from agent.selection.auto_label import AutoLabels
from agent.selection.auto_words import few, missing_words, trusted_words
from agent.selection.feedback import Feedback

_SHOWN_REASONS = 3


@dataclass(slots=True)
class AutoReport:
    """Says which classes the model labels itself, and what the others lack."""

    auto: AutoLabels
    model: Callable[[], ModelInfo]
    log: Log
    _of: tuple[Feedback | None, str] | None = None  # for which the words hold
    _trusted: str = field(default="", init=False)
    _missing: str = field(default="", init=False)

    def decided(self) -> None:
        """Log what a feedback file, or its absence, decides."""
        self._look()
        if self._trusted:
            self.log.info(
                "auto labels decided", classes=self._trusted, missing=self._missing or "nothing"
            )
        else:
            self.log.warning("auto labels off", missing=self._missing)

    def state(self, figures: Mapping[str, float | None]) -> AutoState:
        """Return what `status` shows; `figures` are those of the send order."""
        self._look()
        sent, waiting = figures.get("auto_sent_today"), figures.get("auto_waiting")
        refused = self.auto.refused.most_common(_SHOWN_REASONS)
        return AutoState(
            self.auto.per_day,
            None if sent is None else int(sent),
            None if waiting is None else int(waiting),
            trusted=self._trusted,
            missing=self._missing,
            left_out=", ".join(f"{count} ({reason})" for reason, count in refused),
        )

    def _look(self) -> None:
        """Bring the words up to the feedback and the model in use."""
        feedback, model = self.auto.feedback, self.model()
        if self._of is not None and self._of[0] is feedback and self._of[1] == model.sha256:
            return
        precision = self.auto.trust.precision
        is_other = feedback is not None and feedback.is_of_other_model(model)
        self._trusted = "" if is_other else few(trusted_words(feedback, precision))
        self._missing = few(missing_words(feedback, model, precision), separator="; ")
        self._of = feedback, model.sha256
