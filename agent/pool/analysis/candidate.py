"""Makes the candidate of a row: what the device's selection would have compared, with feedback."""

from agent.domain import ModelInfo, Thresholds
from agent.pool.candidates import Candidate
from agent.pool.rows import PoolRow, RowSuspect
from agent.selection.chances import Chances
from agent.selection.feedback import Feedback
from agent.selection.suspects import highest, strongest
from agent.selection.view import Place, View, rounded


class PoolChances:
    """What a feedback file makes of the suspects of a pool."""

    def __init__(self, feedback: Feedback, thresholds: Thresholds, model: ModelInfo) -> None:
        """`thresholds` and `model` are those of the pool."""
        self._chances = Chances(feedback, thresholds)
        self._is_other = feedback.is_of_other_model(model)
        self._cameras: dict[str, str] = {}  # as the file names them, by those of the pool
        self.sha256 = self._chances.sha256
        self.weights = self._chances.weights

    def p(self, suspect: RowSuspect, camera: str) -> float:
        """Return the `p` of a suspect; `camera` is that of its row."""
        name = self._cameras.get(camera)
        if name is None:
            name = self._cameras[camera] = self._named(camera)
        return self._chances.p(
            suspect.p,
            suspect.rule,
            suspect.side,
            label=suspect.label,
            camera=name,
            is_other=self._is_other,
        )

    def _named(self, camera: str) -> str:
        """Return what the file calls a camera.

        Reviews know the camera of a record: `gate` of a capture that is of `DEVICE/gate` in a pool.
        """
        return camera if self._chances.knows_camera(camera) else camera.rpartition("/")[2]


def named_with(row: PoolRow, chances: PoolChances | None) -> tuple[RowSuspect, ...]:
    """Return what the rules name in a row with the `p` that counts, the highest first."""
    if chances is None:
        return highest(row.suspects)
    return highest(_with_p(each, chances.p(each, row.camera)) for each in row.suspects)


def candidate_of(row: PoolRow, chances: PoolChances | None = None) -> Candidate:
    """Return the candidate of a row that has no problem.

    Its view is that of `view_of` for the same frame on a device with the same feedback. No number
    of a track is compared but within one recording: those of two processes may be the same.
    """
    places = tuple(
        Place(
            each.p,
            each.rule if each.box is None and each.track is not None else "",
            each.label,
            each.track,
            rounded(each.box) if each.box is not None else None,
            each.crop,
            each.feature,
        )
        for each in strongest(named_with(row, chances))
    )
    view = View(row.camera, row.at, row.bits, row.digest, places, row.item, row.source)
    return Candidate(row.key, row.id, view, row.is_unusable, row.is_degraded)


def _with_p(suspect: RowSuspect, p: float) -> RowSuspect:
    """Return a suspect with another `p`; `replace` takes three times as long."""
    return RowSuspect(
        suspect.rule,
        suspect.side,
        p,
        suspect.label,
        suspect.box,
        suspect.track,
        suspect.reason,
        suspect.crop,
        suspect.feature,
    )
