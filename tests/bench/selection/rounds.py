"""Reviews of one round and what they change in the next, over frames whose failures are known."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Capture, EncodedImage, ModelInfo, Task, Thresholds, VerdictKind
from agent.evaluation.judged_captures import JudgedCapture
from agent.evaluation.suspect_evidence import Evidence, evidence_of, in_failures
from agent.evaluation.suspect_factors import suspect_factors
from agent.evaluation.truth import truth_of_boxes
from agent.record.schema import RecordMaker
from agent.selection.feedback import Feedback
from tests.bench.selection.failures import Seen, Truth
from tests.bench.selection.ours import Chosen, choose, plan_of
from tests.bench.selection.policies import found

MODEL = ModelInfo("bench", "0" * 64, Task.DETECT, "CPUExecutionProvider", ())


@dataclass(frozen=True)
class Part:
    """A stretch of one camera's frames, with the labels that a reviewer would draw."""

    frames: Sequence[Seen]
    truth: Sequence[Truth]  # of each frame
    label: str = "person"

    def round(
        self,
        credits_: float,
        thresholds: Thresholds,
        *,
        seed: str,
        random_share: float = 0.2,
        feedback: Feedback | None = None,
    ) -> list[Chosen]:
        """Return what a day's credits buy."""
        last = self.frames[-1].observation.frame.at
        length = last * len(self.frames) / max(1, len(self.frames) - 1)
        plan = plan_of(credits_, thresholds, seed=seed, random_share=random_share)
        return choose(self.frames, replace(plan, period_s=length), feedback=feedback)

    def distinct(self, chosen: Iterable[Chosen]) -> int:
        """Return how many distinct failures labels of these captures show."""
        return found(self.frames, [each.frame for each in chosen])

    def reviewed(self, chosen: Iterable[Chosen], thresholds: Thresholds) -> list[JudgedCapture]:
        """Return the captures as a person reviews them who draws each box."""
        maker = RecordMaker("device", "boot", MODEL, thresholds, "0")
        return [self._reviewed(maker, each.capture, each.frame) for each in chosen]

    def _reviewed(self, maker: RecordMaker, capture: Capture, frame: int) -> JudgedCapture:
        height, width = capture.observation.frame.pixels.shape[:2]
        image = EncodedImage(b"", width, height)
        record = maker.make(capture.id, capture, image, clock_synchronized=True)
        objects = [AnnotatedBox(self.label, box) for _, box in self.truth[frame].objects]
        objects += [
            AnnotatedBox(self.label, box, is_crowd=True) for box in self.truth[frame].ignored
        ]
        truth = truth_of_boxes(record, objects)
        verdict = VerdictKind.WRONG if truth.has_failure else VerdictKind.RIGHT
        return JudgedCapture(record, truth, verdict)


def learnt(
    captures: Sequence[JudgedCapture],
    thresholds: Thresholds,
    change: Callable[[Sequence[Evidence]], Sequence[Evidence]] = lambda evidence: evidence,
) -> Feedback:
    """Return the feedback of reviewed captures; `change` spoils the evidence, to plant a bug."""
    evidence = change(in_failures(evidence_of(captures)))
    return Feedback(
        "2026-11-29T12:00:00.000Z",
        "0",
        MODEL.name,
        MODEL.sha256,
        len(captures),
        tuple(suspect_factors(evidence)),
        (),
        thresholds,
    )
