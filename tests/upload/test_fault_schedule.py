# ruff: noqa: T201  # the seed of a failure must be known
"""Nothing lost, nothing twice, under a long random schedule of faults; and it would be noticed."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.domain import Receipt, StoredCapture
from agent.errors import CaptureRejected, TargetBlocked, TargetUnavailable
from agent.runtime.uploader import Uploader
from agent.upload.response import Response, require_proof
from tests.upload.fault_schedule import BrokenPromiseError, Schedule

SEEDS = range(5)
PLANTED_SEEDS = range(100, 104)

Judge = Callable[..., Receipt]


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runtime.uploader.IDLE_S", 0.0)


def run(seed: int, folder: Path, **planted: Any) -> Schedule:
    print(f"schedule of seed {seed}")
    schedule = Schedule(seed, folder, **planted)
    schedule.run()
    return schedule


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_endpoint_holds_is_what_the_spool_let_go(seed: int, tmp_path: Path) -> None:
    schedule = run(seed, tmp_path)
    endpoint = schedule.endpoint

    print(f"{endpoint.requests} requests, {endpoint.round} rounds, {schedule.clock.now:.0f} s")
    print(f"delivered {len(schedule.delivered)}, rejected {len(schedule.rejected_ids)}, ", end="")
    print(f"evicted {len(schedule.evicted)}, lies {dict(endpoint.told)}")
    assert sum(endpoint.told.values()) > 15


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1030))
def test_it_holds_for_many_more_schedules(seed: int, tmp_path: Path) -> None:
    run(seed, tmp_path)


# Planted bugs: a schedule that does not notice them proves nothing.


def believing(means_delivered: Callable[[Response], bool]) -> Judge:
    """A require_proof that takes some answers for a receipt, whatever their body says."""

    def judged(response: Response, capture_id: str, sha256: str, **options: Any) -> Receipt:
        if means_delivered(response):
            return Receipt(capture_id, sha256)
        return require_proof(response, capture_id, sha256, **options)

    return judged


def rejecting_failure(response: Response, capture_id: str, sha256: str, **options: Any) -> Receipt:
    if 500 <= response.status < 600:
        raise CaptureRejected(f"cannot deliver the capture: the endpoint answers {response.status}")
    return require_proof(response, capture_id, sha256, **options)


def deaf_to_pauses(response: Response, capture_id: str, sha256: str, **options: Any) -> Receipt:
    try:
        return require_proof(response, capture_id, sha256, **options)
    except TargetUnavailable as error:
        raise TargetUnavailable(str(error)) from None


JUDGES = {
    "any 2xx is delivered": believing(lambda response: 200 <= response.status < 300),
    "any 409 is delivered": believing(lambda response: response.status == 409),
    "our id anywhere is proof": believing(lambda response: b"sha256" in response.body),
    "a 5xx is the capture's fault": rejecting_failure,
    "a pause that is asked for is ignored": deaf_to_pauses,
}


class Hasty(Uploader):
    """Deletes before the response, as if it could only be yes."""

    def _send(self, capture: StoredCapture) -> None:
        self._log.info("capture delivered", capture=capture.id)
        self._spool.acknowledge(capture.id)
        with contextlib.suppress(TargetUnavailable, TargetBlocked, CaptureRejected):
            self._target.send(capture)
        with self._lock:
            self._backoff.delivered(self._clock.monotonic())


class Forgetful(Uploader):
    """Keeps its claim on a capture that could not be delivered."""

    def _failed(self, capture: StoredCapture, error: TargetUnavailable | TargetBlocked) -> None:
        with self._lock:
            self._backoff.unavailable(self._clock.monotonic())


class Repeating(Uploader):
    """Sends what was delivered once more."""

    def _send(self, capture: StoredCapture) -> None:
        super()._send(capture)
        with contextlib.suppress(TargetUnavailable, TargetBlocked, CaptureRejected):
            self._target.send(capture)


def notices(folder: Path, **planted: Any) -> bool:
    """Whether one of a few schedules fails."""
    for seed in PLANTED_SEEDS:
        try:
            run(seed, folder / str(seed), **planted)
        except BrokenPromiseError as error:
            print(error)
            return True
    return False


@pytest.mark.parametrize("planted", JUDGES.values(), ids=JUDGES)
def test_a_judge_that_is_wrong_is_noticed(
    planted: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.upload.targets.endpoint.require_proof", planted)

    assert notices(tmp_path)


@pytest.mark.parametrize("planted", [Hasty, Forgetful, Repeating], ids=lambda kind: kind.__name__)
def test_an_uploader_that_is_wrong_is_noticed(planted: type[Uploader], tmp_path: Path) -> None:
    assert notices(tmp_path, make_uploader=planted)
