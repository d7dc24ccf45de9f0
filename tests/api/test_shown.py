"""`POST /v1/shown` on a real server: what counts, and what is refused."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from agent.runtime.affirmation import SHOWN
from agent.runtime.application import Application
from tests.fakes.api import Serve, ServedApi
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.screen import Screen

PATH = "/v1/shown"


@pytest.fixture
def screen(clock: ManualClock, log: Recorder) -> Screen:
    return Screen(clock, log)


@pytest.fixture
def served(application: Application, serve: Serve, screen: Screen) -> ServedApi:
    return serve(replace(application, shown=screen.affirmations))


def test_a_shown_prediction_counts_and_the_answer_does_not_tell_what_was_drawn(
    served: ServedApi, screen: Screen
) -> None:
    for n, client in enumerate((served.tcp, served.unix)):
        screen.clock.now += 1
        screen.see()
        body = {"camera": "gate", "at": "-0s", "seconds": 1.5}
        response = client.post(PATH, body)

        assert response.status == 202, response.json
        assert response.json == {
            "camera": "gate",
            "moment": f"2026-05-28T20:43:{21 + n}.000Z",
            "counts": True,
        }
    assert screen.stats.total()[SHOWN] == 2


def test_a_flash_is_taken_and_does_not_count(served: ServedApi, screen: Screen) -> None:
    screen.see()
    response = served.unix.post(PATH, {"camera": "gate", "at": 0, "seconds": 0.2})

    assert (response.status, response.json["counts"]) == (202, False)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "camera: is missing; at: is missing; seconds: is missing"),
        ({"camera": "gate", "at": "-1s"}, 400, "seconds: is missing"),
        ({"camera": "gate", "at": 0, "seconds": "2"}, 400, "seconds: must be a number"),
        ({"camera": "gate", "at": 0, "seconds": True}, 400, "seconds: must be a number"),
        ({"camera": "gate", "at": 0, "seconds": 0}, 400, "seconds: must be above 0"),
        ({"camera": "gate", "at": 0, "seconds": 3601}, 400, "at most 3600"),
        ({"camera": "gate", "at": 0, "seconds": 10**399}, 400, "at most 3600"),
        ({"camera": "gate", "at": 10**399, "seconds": 2}, 400, "cannot read the time"),
        ({"camera": "gate", "at": 0, "second": 2}, 400, "second: unknown; did you mean seconds?"),
        ({"camera": 7, "at": 0, "seconds": 2}, 400, "camera: must be a text"),
        ({"camera": "roof", "at": 0, "seconds": 2}, 404, "the cameras are gate, yard"),
        ({"camera": "gate", "at": "noon", "seconds": 2}, 400, "write RFC 3339"),
        ({"camera": "gate", "at": "-60s", "seconds": 2}, 410, "the last 10 s are kept"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_body_that_is_wrong_is_refused_with_all_that_is_wrong(
    served: ServedApi, screen: Screen, body: Mapping[str, Any], status: int, words: str
) -> None:
    screen.see()
    response = served.unix.post(PATH, body)

    assert response.status == status, response.json
    assert words in response.error
    assert screen.stats.total()[SHOWN] == 0


def test_without_frames_in_memory_there_is_no_such_call(
    application: Application, serve: Serve
) -> None:
    response = serve(application).unix.post(PATH, {"camera": "gate", "at": 0, "seconds": 2})

    assert response.status == 404
