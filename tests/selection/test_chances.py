"""A feedback file changes `p` of the suspects that it has reviews of, and of no others."""

from dataclasses import replace

import numpy as np
import pytest

from agent.domain import Box, Detection, Observation, Suspect, Thresholds
from agent.selection.chances import Chances
from agent.selection.cover import UNSEEN, Cover
from agent.selection.device import Selection
from agent.selection.feedback import Feedback, Side, SuspectFactor
from agent.selection.plan import SelectionPlan
from agent.selection.view import Place, View
from tests.fakes.captures import frame
from tests.fakes.feedback import MODEL, factor, feedback, of_another_model
from tests.selection.budgeted_spool import WaitingCaptures, clock_at_midnight

BOX, OTHER = Box(0, 0, 2, 2), Box(2, 0, 4, 2)
THRESHOLDS = Thresholds(0.5)


def seen(confidence: float, *, camera: str = "gate", label: str = "car") -> Observation:
    pixels = np.zeros((4, 6, 3), np.uint8)
    shown = frame(1.0, camera=camera, pixels=pixels)
    return Observation(shown, (Detection(label, 0, confidence, BOX),), model=MODEL)


def p_of(
    given: Feedback,
    confidence: float,
    *,
    camera: str = "gate",
    label: str = "car",
    thresholds: Thresholds = THRESHOLDS,
    box: Box | None = BOX,
) -> float:
    """Return `p` of a suspect that had 0.2 before."""
    suspect = Suspect("low_confidence", 0.2, label, box)
    observation = seen(confidence, camera=camera, label=label)
    [found] = Chances(given, thresholds).applied([suspect], observation)
    assert found.prior == 0.2
    return found.p


def test_the_two_sides_of_the_threshold_have_factors_of_their_own() -> None:
    given = feedback(
        factor("low_confidence", Side.ABOVE, 3.0), factor("low_confidence", Side.BELOW, 0.1)
    )

    assert p_of(given, 0.51) == pytest.approx(0.6)
    assert p_of(given, 0.49) == pytest.approx(0.02)
    assert p_of(given, 0.51, box=None) == 0.2
    assert p_of(given, 0.51, box=OTHER) == pytest.approx(0.02)  # a place without a box is a miss


def test_p_stays_a_probability() -> None:
    assert p_of(feedback(factor("low_confidence", Side.ABOVE, 20.0)), 0.6) == 1.0


RULE = factor("low_confidence", Side.ABOVE, 0.5)
CAR = factor("low_confidence", Side.ABOVE, 1.0, label="car")
GATE = factor("low_confidence", Side.ABOVE, 0.25, camera="gate")
CAR_AT_GATE = factor("low_confidence", Side.ABOVE, 2.0, label="car", camera="gate")


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((RULE,), 0.5),
        ((RULE, CAR), 1.0),
        ((RULE, GATE), 0.25),
        ((RULE, CAR, GATE), 0.5),  # twice as often for cars, half as often at the gate
        ((RULE, CAR, GATE, CAR_AT_GATE), 2.0),
        ((CAR_AT_GATE,), 2.0),
        ((factor("low_confidence", Side.ABOVE, 3.0, label="person"),), 1.0),
        ((factor("low_confidence", Side.ABOVE, 3.0, camera="yard"),), 1.0),
        ((factor("flicker", Side.ABOVE, 3.0),), 1.0),
    ],
)
def test_the_most_specific_group_counts(groups: tuple[SuspectFactor, ...], expected: float) -> None:
    assert p_of(feedback(*groups), 0.6) == pytest.approx(0.2 * expected)


def test_reviews_of_another_model_count_half_in_logarithms() -> None:
    assert p_of(of_another_model(feedback(RULE)), 0.6) == pytest.approx(0.2 * 0.5**0.5)


def test_reviews_at_another_threshold_say_nothing_of_the_side() -> None:
    given = feedback(RULE, factor("low_confidence", Side.BELOW, 0.5))

    assert p_of(given, 0.6, thresholds=Thresholds(0.4)) == 0.2
    assert p_of(given, 0.6, thresholds=Thresholds(0.5, {"car": 0.3})) == 0.2
    assert p_of(given, 0.6, thresholds=Thresholds(0.4, {"car": 0.5})) == pytest.approx(0.1)
    assert p_of(replace(given, thresholds=None), 0.6, thresholds=Thresholds(0.4)) == 0.1


def selected(given: Feedback | None, confidences: list[float]) -> list[tuple[float, str | None]]:
    """Return value and feedback of what is captured of a camera's frames, without a budget."""
    plan = SelectionPlan(("low_confidence",), THRESHOLDS, "seed", is_random=False)
    numbers = iter(range(100))
    selection = Selection(["gate"], plan, new_id=lambda _: f"id{next(numbers)}")
    selection.use(given)
    found = []
    for n, confidence in enumerate(confidences):
        made = seen(confidence)
        made = replace(made, frame=replace(made.frame, at=60.0 * n, sequence=n))
        found += selection.observe(made, 60.0 * n)
    return [(round(each.value, 3), each.feedback) for each in found]


def test_what_reviews_called_wrong_is_no_longer_captured_and_the_record_names_the_file() -> None:
    given = feedback(factor("low_confidence", Side.ABOVE, 0.05))

    assert selected(None, [0.5, 0.48]) == [(0.3, None), (0.27, None)]
    assert selected(given, [0.5, 0.48]) == [(0.27, given.sha256)]


def test_the_weight_of_a_class_multiplies_what_its_suspects_add_and_not_their_p() -> None:
    given = feedback(weights={"car": 1.5})
    [(value, _)] = selected(given, [0.5])

    assert value == pytest.approx(1.5 * 0.25 + UNSEEN)
    assert p_of(given, 0.6) == 0.2


def car(number: int, p: float, label: str = "car") -> View:
    return View("gate", digest=str(number), places=(Place(p, label=label, track=number),))


def test_a_new_weight_counts_for_what_waits_already() -> None:
    clock = clock_at_midnight()
    waiting = WaitingCaptures(1440, clock)
    for n, label in enumerate(["car", "person", "person"]):
        waiting.show(n, car(n, 0.5 - 0.1 * n, label))
    cover: Cover = waiting.order.cover

    clock.now += 60
    assert waiting.buy() == 0
    cover.weigh({"person": 0.5})
    waiting.show(3, car(3, 0.3))
    clock.now += 60
    assert waiting.buy() == 3
    cover.weigh({"person": 2.0})
    waiting.show(4, car(4, 0.5))
    clock.now += 3 * 60

    assert waiting.buy_all() == [1, 2, 4]
