"""Several `review` processes on one folder: each hands out other captures, and none waits."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from agent.dataset.reviews import review_line
from agent.domain import VerdictKind
from agent.review.desk import Page, ReviewDesk
from agent.review.entries import Queue
from agent.review.filters import Filters
from agent.review.other_desks import CLAIM_S, FOLDER
from tests.end_to_end.command import COMMAND
from tests.fakes.api import ApiClient
from tests.fakes.captures import capture_id
from tests.fakes.clock import WALL, ManualClock
from tests.review.conftest import opened_desk
from tests.review.review_folder import ReviewFolder

DeskOf = Callable[[ReviewFolder], ReviewDesk]
ALL = Filters()


@pytest.fixture
def street(folder: ReviewFolder) -> ReviewFolder:
    """Six captures; the number 0 is worth most."""
    for number in range(6):
        folder.put(number, value=9 - number)
    return folder


def handed(desk: ReviewDesk, by: str, *holding: str, count: int = 2) -> list[str]:
    found = desk.next(Page(by, by, holding), Queue.VALUE, ALL, count=count, again=False)
    return [str(each["id"]) for each in found["captures"]]


def ids(*numbers: int) -> list[str]:
    return [capture_id(number) for number in numbers]


def test_two_desks_hand_out_different_captures_and_name_each_other(
    street: ReviewFolder, desk_of: DeskOf
) -> None:
    one, other = desk_of(street), desk_of(street)

    assert handed(one, "Ann") == ids(0, 1)
    assert handed(other, "Ben") == ids(2, 3)
    assert handed(one, "Ann", *ids(0, 1)) == ids(4, 5)
    assert one.state(Page("Ann", "Ann", ()), ALL)["others"] == ["Ben"]
    assert other.state(Page("Ben", "Ben", ()), ALL)["others"] == ["Ann"]


def test_what_another_desk_reviewed_is_not_handed_out_a_moment_later(
    street: ReviewFolder, desk_of: DeskOf
) -> None:
    one, other = desk_of(street), desk_of(street)
    assert handed(one, "Ann") == ids(0, 1)
    one.add([review_line(capture_id(0), VerdictKind.RIGHT, at=WALL, by="Ann")])
    one.state(Page("Ann", "Ann", (), is_leaving=True), ALL)

    assert handed(other, "Ben") == ids(1, 2)


def test_a_desk_that_ends_or_says_nothing_gives_its_captures_back(
    street: ReviewFolder, desk_of: DeskOf, clock: ManualClock
) -> None:
    other = desk_of(street)
    with opened_desk(street, clock) as one:
        assert handed(one, "Ann") == ids(0, 1)
        assert handed(other, "Ben", count=1) == ids(2)
        clock.now += CLAIM_S + 1
        assert handed(other, "Ben", count=1) == ids(0)
        assert handed(one, "Ann", *ids(1), count=1) == ids(2)
    assert handed(other, "Cid") == ids(1, 2)
    assert len(list((street.path / FOLDER).glob("*.json"))) == 1  # of the one that runs


def test_what_a_killed_desk_left_is_ignored_and_removed(
    street: ReviewFolder, desk_of: DeskOf, clock: ManualClock
) -> None:
    left = street.path / FOLDER / "killed.json"
    left.parent.mkdir()
    left.write_text(json.dumps([{"by": "Eve", "at": clock.wall(), "holding": ids(0, 1)}]))
    left.with_suffix(".lock").touch()

    assert handed(desk_of(street), "Ann") == ids(0, 1)
    assert not left.exists()
    assert not left.with_suffix(".lock").exists()


@pytest.mark.parametrize(
    "text", ["", "{}", "[[]]", '[{"by": "Eve"}]', '[{"holding": 5}]', "[" * 9999]
)
def test_a_desk_whose_pages_cannot_be_read_stops_nobody(
    street: ReviewFolder, desk_of: DeskOf, clock: ManualClock, text: str
) -> None:
    one = desk_of(street)
    with opened_desk(street, clock) as other:
        assert handed(other, "Ben", count=1) == ids(0)
        for file in (street.path / FOLDER).glob("*.json"):
            file.write_text(text)

        assert handed(one, "Ann", count=1) == ids(0)


def test_where_desks_cannot_see_each_other_each_goes_on(
    street: ReviewFolder, desk_of: DeskOf
) -> None:
    (street.path / FOLDER).write_text("not a folder")
    one, other = desk_of(street), desk_of(street)

    assert handed(one, "Ann") == ids(0, 1)
    assert handed(other, "Ben") == ids(0, 1)


@pytest.mark.slow
def test_two_processes_share_the_work_and_a_killed_one_holds_nothing(street: ReviewFolder) -> None:
    one, other = started(street), started(street)
    try:
        assert asked(one, "Ann") == ids(0, 1)
        assert asked(other, "Ben") == ids(2, 3)
        os.kill(one[0].pid, signal.SIGKILL)
        one[0].wait()
        assert asked(other, "Ben", *ids(2, 3)) == ids(0, 1)
    finally:
        for process, _ in (one, other):
            process.kill()
            process.communicate()


def started(folder: ReviewFolder) -> tuple[subprocess.Popen[str], ApiClient]:
    words = [COMMAND, "review", str(folder.path), "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    return process, ApiClient(port=int(url.rstrip("/").rpartition(":")[2]))


def asked(desk: tuple[subprocess.Popen[str], ApiClient], by: str, *holding: str) -> list[str]:
    body: dict[str, Any] = {"client": by, "reviewer": by, "holding": holding, "queue": "value"}
    response = desk[1].post("/v1/next", {**body, "count": 2})
    assert response.status == 200, response.body
    return [str(each["id"]) for each in response.json["captures"]]
