"""Which captures a reviewer gets, in which order, and who gets which."""

from collections.abc import Callable
from typing import Any

import pytest

from agent.dataset.reviews import review_line
from agent.domain import VerdictKind
from agent.errors import RequestRefused
from agent.review.claims import CLIENTS_MAX, Claims
from agent.review.desk import FOLLOW_S, Page, ReviewDesk
from agent.review.entries import Queue
from agent.review.filters import Filters
from agent.review.other_desks import CLAIM_S
from tests.fakes.captures import CAR, capture_id
from tests.fakes.clock import WALL, ManualClock
from tests.review.review_folder import ReviewFolder

DeskOf = Callable[[ReviewFolder], ReviewDesk]
ALL = Filters()


def page(client: str = "a", by: str = "Ann", *holding: str) -> Page:
    return Page(client, by, holding)


def handed(
    desk: ReviewDesk, at: Page, queue: Queue = Queue.VALUE, filters: Filters = ALL, **how: Any
) -> list[str]:
    found = desk.next(at, queue, filters, **{"count": 1, "again": False, **how})
    return [str(each["id"]) for each in found["captures"]]


def ids(*numbers: int) -> list[str]:
    return [capture_id(number) for number in numbers]


def says(desk: ReviewDesk, number: int, kind: VerdictKind = VerdictKind.RIGHT) -> None:
    line = review_line(capture_id(number), kind, at=WALL + number, by="Ben", note="Blurred")
    desk.add([line])


def test_the_highest_value_comes_first_and_random_captures_apart(
    folder: ReviewFolder, desk_of: DeskOf
) -> None:
    for number, value in enumerate((0.2, 1.5, 0.9)):
        folder.put(number, value=value)
    folder.put(3, value=9.0, lane="random")
    folder.put(4, value=0.0, lane="requested")
    desk = desk_of(folder)

    assert handed(desk, page(), count=9) == ids(1, 2, 0, 4)
    assert handed(desk, page(), Queue.RANDOM, count=9) == ids(3)


def test_neither_time_nor_value_decides_the_order_of_the_random_sample(
    folder: ReviewFolder, desk_of: DeskOf
) -> None:
    for number in range(20):
        folder.put(number, value=number, lane="random")

    found = handed(desk_of(folder), page(), Queue.RANDOM, count=20)

    assert sorted(found) == ids(*range(20))
    assert found not in (ids(*range(20)), ids(*reversed(range(20))))
    half = sum(found.index(each) < 10 for each in ids(*range(10)))
    assert 2 <= half <= 8  # early and late captures are mixed


def test_two_pages_get_different_captures_until_one_is_closed(
    folder: ReviewFolder, desk_of: DeskOf, clock: ManualClock
) -> None:
    for number in range(3):
        folder.put(number, value=9 - number)
    desk = desk_of(folder)

    assert handed(desk, page("a")) == ids(0)
    assert handed(desk, page("b", "Ben")) == ids(1)
    assert desk.state(page("b", "Ben", *ids(1)), ALL)["others"] == ["Ann"]
    clock.now += CLAIM_S - 1
    assert handed(desk, page("b", "Ben", *ids(1)), count=9) == ids(2)
    clock.now += 2  # the last call of the page a is older than a claim lasts
    assert handed(desk, page("b", "Ben"), count=9) == ids(0)


def test_other_pages_are_named_once_and_those_without_a_name_are_counted(
    folder: ReviewFolder, desk_of: DeskOf
) -> None:
    desk = desk_of(folder)
    for client, by in [
        ("a", "Ben"),
        ("b", "Ben"),
        ("c", ""),
        ("d", ""),
        ("e", "Ann"),
        ("f", "Ann"),
    ]:
        state = desk.state(page(client, by), ALL)

    assert state["others"] == ["Ann in another window", "Ben", "2 without a name"]


def test_a_page_that_is_closed_gives_its_captures_back(
    folder: ReviewFolder, desk_of: DeskOf
) -> None:
    folder.put(0)
    desk = desk_of(folder)

    assert handed(desk, page("a")) == ids(0)
    assert handed(desk, page("b")) == []
    desk.state(Page("a", "Ann", tuple(ids(0)), is_leaving=True), ALL)

    assert handed(desk, page("b")) == ids(0)
    assert desk.state(page("b"), ALL)["others"] == []


def test_a_page_gets_again_what_it_let_go_without_a_look(
    folder: ReviewFolder, desk_of: DeskOf
) -> None:
    """As when its person chooses another queue, or filters."""
    for number in range(3):
        folder.put(number, value=9 - number)
    desk = desk_of(folder)

    assert handed(desk, page("a"), count=3) == ids(0, 1, 2)
    assert handed(desk, Page("a", "Ann", (), tuple(ids(1, 2))), count=3) == ids(1, 2)


def test_a_page_gets_what_it_skipped_only_when_it_begins_again(
    folder: ReviewFolder, desk_of: DeskOf
) -> None:
    for number in range(3):
        folder.put(number, value=9 - number)
    desk = desk_of(folder)

    assert handed(desk, page(), count=2) == ids(0, 1)
    says(desk, 1)
    assert handed(desk, page(), count=9) == ids(2)
    assert handed(desk, page(), count=9) == []
    assert desk.next(page(), Queue.VALUE, ALL, count=0, again=False)["left"] == 2
    assert handed(desk, page(), count=9, again=True) == ids(0, 2)


def test_captures_and_verdicts_of_others_appear(
    folder: ReviewFolder, desk_of: DeskOf, clock: ManualClock
) -> None:
    folder.put(0)
    desk, other = desk_of(folder), desk_of(folder)
    folder.put(1, value=5)
    says(other, 0)

    desk.follow()
    assert handed(desk, page(), count=9) == []  # reviews are read at once, captures are not
    clock.now += FOLLOW_S
    desk.follow()

    assert handed(desk, page(), count=9) == ids(1)
    state = desk.state(page("a", "Ann", *ids(0)), ALL)
    assert (state["captures"], state["reviewed"]) == (2, 1)
    assert state["held"][capture_id(0)]["by"] == "Ben"


def test_a_record_that_cannot_be_read_later_stops_nothing(
    folder: ReviewFolder, desk_of: DeskOf, clock: ManualClock
) -> None:
    folder.put(0)
    desk = desk_of(folder)
    bad = folder.path / "records" / f"{capture_id(1)}.json"
    bad.write_text("[[[")
    clock.now += FOLLOW_S
    desk.follow()

    assert handed(desk, page(), count=9) == ids(0)
    [problem] = desk.state(page(), ALL)["problems"]
    assert capture_id(1) in problem
    bad.unlink()
    clock.now += FOLLOW_S
    desk.follow()
    assert desk.state(page(), ALL)["problems"] == []


FILTERS: list[tuple[dict[str, str], list[int]]] = [
    ({}, [0, 1, 2, 3]),
    ({"camera": "gate"}, [0, 2, 3]),
    ({"device": "far"}, [2]),
    ({"label": "bus"}, [3]),
    ({"rule": "flicker"}, [0, 2, 3]),
    ({"lane": "requested"}, [2]),
    ({"text": "TRUCK yard"}, [1]),
    ({"text": capture_id(2)}, [2]),
    ({"camera": "gate", "label": "bus"}, [3]),
    ({"camera": "nowhere"}, []),
    ({"by": "Ben"}, []),  # what nobody reviewed has no reviewer
    ({"verdict": "any"}, [4, 5]),
    ({"verdict": "wrong"}, [5]),
    ({"verdict": "any", "by": "Ben", "text": "blurred"}, [4, 5]),
    ({"verdict": "any", "text": "sharp"}, []),
]


def test_filters_narrow_lists_counts_and_what_is_handed_out(
    folder: ReviewFolder, desk_of: DeskOf
) -> None:
    folder.put(0, value=9)
    folder.put(1, value=8, camera="yard", note="a truck", rules=[])
    folder.put(2, value=7, device="far", lane="requested")
    folder.put(3, value=6, detections=[{**CAR, "label": "bus"}, {**CAR, "confidence": 0.1}])
    folder.put(4, value=5)
    folder.put(5, value=4)
    desk = desk_of(folder)
    says(desk, 4)
    says(desk, 5, VerdictKind.WRONG)

    for given, found in FILTERS:
        chosen = Filters(**given)
        listed = desk.listed("value", chosen, offset=0, limit=9)
        assert [each["id"] for each in listed["captures"]] == ids(*found), given
        assert handed(desk, page(), filters=chosen, count=9, again=True) == ids(*found), given
        assert desk.state(page(), chosen)["queues"]["value"]["left"] == len(found), given


def test_the_list_of_reviews_has_the_newest_first_and_pages(
    folder: ReviewFolder, desk_of: DeskOf
) -> None:
    for number in range(4):
        folder.put(number, lane="random" if number % 2 else "score")
    desk = desk_of(folder)
    for number in (2, 0, 3):
        says(desk, number, VerdictKind.WRONG if number else VerdictKind.RIGHT)

    whole = desk.listed("reviewed", ALL, offset=0, limit=9)
    part = desk.listed("reviewed", ALL, offset=1, limit=1)
    wrong = desk.listed("reviewed", Filters(verdict="wrong"), offset=0, limit=9)

    assert [each["id"] for each in whole["captures"]] == ids(3, 2, 0)
    assert (part["total"], [each["id"] for each in part["captures"]]) == (3, ids(2))
    assert [each["id"] for each in wrong["captures"]] == ids(3, 2)
    with pytest.raises(RequestRefused, match="must be one of value, random, auto, reviewed"):
        desk.listed("all", ALL, offset=0, limit=9)


def test_facets_name_what_there_is(folder: ReviewFolder, desk_of: DeskOf) -> None:
    model = {"name": "m", "sha256": "1", "task": "detect", "labels": ["person", "car", "bus"]}
    folder.put(0, model=model)
    folder.put(1, camera="yard", lane="random")
    desk = desk_of(folder)
    box = {"label": "crane", "box": [1.0, 1.0, 9.0, 9.0]}
    wrong = review_line(capture_id(1), VerdictKind.WRONG, at=WALL, by="Ben", boxes=[box])
    desk.add([wrong])

    found = desk.facets()

    assert (found["camera"], found["by"]) == (["gate", "yard"], ["Ben"])
    assert found["rule"] == ["low_confidence", "flicker"]
    assert found["classes"] == ["person", "car", "bus", "crane"]


def test_a_capture_says_all_that_a_reviewer_needs(folder: ReviewFolder, desk_of: DeskOf) -> None:
    weak = {**CAR, "label": "bus", "confidence": 0.2}
    verdict = {
        "id": capture_id(0),
        "camera": "gate",
        "moment": "2026-05-28T20:26:40.000Z",
        "at": "2026-05-28T20:26:43.000Z",
        "by": "guard",
        "verdict": "wrong",
        "note": "no car",
    }
    folder.put(0, detections=[CAR, weak], note="why?", verdicts=[verdict])
    desk = desk_of(folder)
    says(desk, 0)

    found = desk.capture(capture_id(0))

    assert [(each["label"], each["sure"]) for each in found["detections"]] == [
        ("car", True),
        ("bus", False),
    ]
    assert found["rules"][0]["words"].startswith("The confidence of a detection is near")
    assert (found["suspects"][0]["label"], found["suspects"][0]["p"]) == ("car", 0.5)
    assert [(each["by"], each["note"]) for each in found["said"]] == [("guard", "no car")]
    assert [(each["by"], each["verdict"]) for each in found["history"]] == [("Ben", "right")]
    assert found["review"]["by"] == "Ben"  # what was said at the device is no review
    assert (found["width"], found["height"], found["note"]) == (200, 100, "why?")


def test_only_so_many_pages_are_remembered() -> None:
    claims = Claims()
    for number in range(CLIENTS_MAX + 5):
        claims.note(str(number), ["x"], by=f"{number}", now=float(number) / 1000)

    assert len(claims.others("me", 0.0)) == CLIENTS_MAX
    assert "0" not in claims.others("me", 0.0)
