"""Which frames the model may label itself."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import AutoLabel, Box, ClassScore, Detection, Observation, Suspect, TrustedClass
from agent.selection import auto_gate
from agent.selection.auto_gate import AutoRefusal, AutoTrust, auto_label_of, trust_in
from agent.selection.feedback import Feedback
from agent.selection.image_quality import ImageQuality
from tests.selection.auto_frames import MODEL, STEPS, THRESHOLDS, feedback, objects, seen, trust

CAR, PERSON = ("car", 0.92), ("person", 0.97)
_suspect = Suspect("isolated", 0.3, "car", Box(500.0, 0.0, 600.0, 100.0))


def judged(
    observation: Observation,
    named: Sequence[Suspect] = (),
    quality: ImageQuality = ImageQuality.CLEAR,
    *,
    of: AutoTrust | None = None,
) -> AutoLabel | AutoRefusal:
    of = trust() if of is None else of
    return auto_label_of(observation, named, quality, thresholds=THRESHOLDS, trust=of)


def test_a_class_is_trusted_from_the_lowest_confidence_whose_lower_bound_reaches_the_promise() -> (
    None
):
    assert dict(trust().classes) == {"car": TrustedClass("car", 0.7, 0.985)}
    assert dict(trust(0.9).classes) == {
        "car": TrustedClass("car", 0.5, 0.9),
        "person": TrustedClass("person", 0.7, 0.912),
    }
    assert not trust_in(None, 0.98).classes


def test_a_frame_of_trusted_objects_is_labelled_with_the_reasons() -> None:
    found = judged(seen(0, *objects(("car", 0.75), CAR)))

    assert found == AutoLabel(0.98, (TrustedClass("car", 0.7, 0.985),), 0.75)


@pytest.mark.parametrize(
    ("observation", "why"),
    [
        (seen(0), AutoRefusal.EMPTY),
        (seen(0, *objects(("car", 0.01))), AutoRefusal.EMPTY),
        (seen(0, *objects(PERSON)), AutoRefusal.UNTRUSTED),
        (seen(0, *objects(CAR, PERSON)), AutoRefusal.UNTRUSTED),
        (seen(0, *objects(("bicycle", 0.99))), AutoRefusal.UNTRUSTED),
        (seen(0, *objects(CAR, ("car", 0.69))), AutoRefusal.BELOW_TRUST),
        (seen(0, *objects(CAR, ("car", 0.45))), AutoRefusal.DOUBTFUL),
        (seen(0, *objects(CAR, ("person", 0.45))), AutoRefusal.DOUBTFUL),
        (seen(0, *objects(CAR, *[("person", 0.22)] * 5)), AutoRefusal.DOUBTFUL),
        (replace(seen(0, *objects(CAR)), invalid=True), AutoRefusal.INVALID),
        (replace(seen(0, *objects(CAR)), model=replace(MODEL, sha256="00")), "no feedback"),
    ],
)
def test_a_frame_that_may_be_wrong_is_refused(observation: Observation, why: str) -> None:
    found = judged(observation)

    assert isinstance(found, AutoRefusal)
    assert found.startswith(why)


@pytest.mark.parametrize("quality", [one for one in ImageQuality if one is not ImageQuality.CLEAR])
def test_an_image_that_is_not_clear_is_refused(quality: ImageQuality) -> None:
    assert judged(seen(0, *objects(CAR)), quality=quality) is AutoRefusal.QUALITY


@pytest.mark.parametrize(
    ("suspect", "is_doubtful"),
    [
        (_suspect, True),
        (replace(_suspect, box=None), True),
        (replace(_suspect, p=0.05), False),
        (replace(_suspect, rule="low_confidence", box=objects(CAR)[0].box), False),
        (replace(_suspect, rule="clash", box=objects(CAR)[0].box), True),
    ],
)
def test_suspects_of_any_rule_count_but_for_the_nearness_of_trusted_boxes_to_the_threshold(
    suspect: Suspect, *, is_doubtful: bool
) -> None:
    found = judged(seen(0, *objects(CAR)), [suspect])

    assert (found is AutoRefusal.DOUBTFUL) is is_doubtful


def test_reviews_that_found_faint_boxes_to_be_no_objects_open_the_gate() -> None:
    """The rule's own `p`, as the feedback lowers it, counts instead of the prior."""
    faint = Detection("car", 0, 0.45, Box(500.0, 0.0, 600.0, 100.0))
    lowered = Suspect("low_confidence", 0.01, "car", faint.box)

    assert judged(seen(0, *objects(CAR), faint)) is AutoRefusal.DOUBTFUL
    assert isinstance(judged(seen(0, *objects(CAR), faint), [lowered]), AutoLabel)


def test_a_classifier_labels_the_frame_with_its_best_class() -> None:
    def classified(confidence: float, label: str = "car") -> Observation:
        scores = (ClassScore(label, 0, confidence), ClassScore("other", 1, 1 - confidence))
        return replace(seen(0), classes=scores)

    assert isinstance(judged(classified(0.8)), AutoLabel)
    assert judged(classified(0.6)) is AutoRefusal.BELOW_TRUST
    assert judged(classified(0.4)) is AutoRefusal.EMPTY
    assert judged(classified(0.99, "person")) is AutoRefusal.UNTRUSTED


def _by_estimate(of: Feedback | None, precision: float) -> AutoTrust:
    """Bug: trust the estimate, here 1 of 40 reviewed boxes, instead of its lower bound."""
    right = trust_in(of, precision)
    return replace(right, classes={**right.classes, "person": TrustedClass("person", 0.7, 1.0)})


_labels = st.lists(
    st.tuples(st.sampled_from(["car", "person", "dog"]), st.floats(0.05, 0.99)), max_size=4
)


def _holds(drawn: list[tuple[str, float]]) -> bool:
    """Whether what is labelled keeps the promise: only trusted objects, at least one, no doubt."""
    found = judged(seen(0, *objects(*drawn)), of=auto_gate.trust_in(feedback(), precision=0.98))
    if isinstance(found, AutoRefusal):
        return True
    counted = [(label, confidence) for label, confidence in drawn if confidence >= 0.5]
    doubtful = [confidence for _, confidence in drawn if 0.4 <= confidence < 0.5]
    steps = {label: [t for t in steps if t.precision_low >= 0.98] for label, steps in STEPS.items()}
    return (
        bool(counted)
        and not doubtful
        and all(
            steps.get(label) and confidence >= min(t.confidence for t in steps[label])
            for label, confidence in counted
        )
    )


@given(_labels)
def test_what_the_model_labels_is_trusted_and_complete(drawn: list[tuple[str, float]]) -> None:
    assert _holds(drawn)


@pytest.mark.parametrize(
    ("name", "bug", "frame"),
    [
        ("trust_in", _by_estimate, [CAR, PERSON]),
        ("_expected", lambda *_: 0.0, [CAR, ("car", 0.48)]),
        ("_untrusted", lambda *_: None, []),
    ],
)
def test_a_gate_with_a_bug_is_caught(
    monkeypatch: pytest.MonkeyPatch, name: str, bug: object, frame: list[tuple[str, float]]
) -> None:
    """By the estimate, without suspects, with empty frames."""
    assert _holds(frame)
    monkeypatch.setattr(auto_gate, name, bug)
    try:
        caught = not _holds(frame)
    except ValueError:  # an empty frame has no faintest object
        caught = True
    assert caught
