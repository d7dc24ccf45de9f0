"""What a feedback file makes of the `p` of suspects: the only place that changes it.

Rules give a prior and know nothing of reviews. Here `p` becomes min(1, prior x factor), with the
factor of the most specific group of which the file has reviews. Where a label and a camera have
factors of their own, and their combination has none, both count: as effects that multiply.
"""

from collections.abc import Iterable, Iterator

from agent.domain import Observation, Suspect, Thresholds
from agent.selection.feedback import SAME_THRESHOLD, Feedback, Side, factor_of

OTHER_MODEL_POWER = 0.5
"""Of a factor that was learnt with another model: half of it in logarithms. What a camera shows
stays the same, and what the model makes of it does not."""

_Kind = tuple[str, Side, str, str, bool]  # rule, side, label, camera, whether of another model


class Chances:
    """The factors of one feedback file: one dictionary lookup for each suspect."""

    def __init__(self, feedback: Feedback, thresholds: Thresholds) -> None:
        """`thresholds` are those of this device."""
        self.sha256 = feedback.sha256
        self.weights = {each.label: each.weight for each in feedback.classes}
        self._feedback = feedback
        self._thresholds = thresholds
        self._groups = {
            (each.rule, each.side, each.label, each.camera): each.factor
            for each in feedback.suspects
        }
        self._cameras = {each.camera for each in feedback.suspects}
        self._known: dict[_Kind, float] = {}

    def applied(self, suspects: Iterable[Suspect], observation: Observation) -> list[Suspect]:
        """Return the suspects of a frame with their new `p`, and their prior beside it."""
        model = observation.model
        is_other = model is not None and self._feedback.is_of_other_model(model)
        camera = observation.frame.camera
        return [
            _with_p(
                suspect,
                self.p(
                    suspect.p,
                    suspect.rule,
                    side,
                    label=suspect.label,
                    camera=camera,
                    is_other=is_other,
                ),
            )
            for suspect, side in with_sides(suspects, observation, self._thresholds)
        ]

    def p(
        self, prior: float, rule: str, side: Side, *, label: str, camera: str, is_other: bool
    ) -> float:
        """Return the `p` of a suspect whose rule gives it `prior`.

        `is_other`: the reviews were of captures of another model than the one that is in doubt.
        """
        kind = rule, side, label, camera, is_other
        factor = self._known.get(kind)
        if factor is None:
            factor = self._known[kind] = self._factor(kind)
        return min(1.0, prior * factor)

    def knows_camera(self, camera: str) -> bool:
        """Whether the file has factors of this camera."""
        return camera in self._cameras

    def _factor(self, kind: _Kind) -> float:
        rule, side, label, camera, is_other = kind
        if not self._is_same_threshold(label):
            return 1.0
        factor = factor_of(self._groups, rule, side, label=label, camera=camera)
        return factor**OTHER_MODEL_POWER if is_other else factor

    def _is_same_threshold(self, label: str) -> bool:
        reviewed = self._feedback.thresholds
        if reviewed is None:
            return True
        return abs(reviewed.of(label) - self._thresholds.of(label)) <= SAME_THRESHOLD


def with_sides(
    suspects: Iterable[Suspect], observation: Observation, thresholds: Thresholds
) -> Iterator[tuple[Suspect, Side]]:
    """Yield the suspects of a frame, and on which side of its label's threshold each is.

    A place at which the model reports no box is a miss, if anything.
    """
    # By identity: to compare boxes by value takes longer than all the rest.
    confidences = {id(each.box): each.confidence for each in observation.detections}
    for suspect in suspects:
        if suspect.box is None:
            yield suspect, Side.FRAME
            continue
        confidence = confidences.get(id(suspect.box))
        above = confidence is not None and confidence >= thresholds.of(suspect.label)
        yield suspect, Side.ABOVE if above else Side.BELOW


def _with_p(suspect: Suspect, p: float) -> Suspect:
    """Return a suspect with another `p`; `replace` takes three times as long."""
    box, track, reason = suspect.box, suspect.track, suspect.reason
    return Suspect(suspect.rule, p, suspect.label, box, track, reason, suspect.p)
