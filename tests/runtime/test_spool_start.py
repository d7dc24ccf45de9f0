"""A start on a disk that is full or read-only waits inside the process."""

from contextlib import nullcontext
from typing import Any, cast

import pytest

from agent.errors import ConfigurationError, SpoolUnavailable
from agent.runtime.spool_start import once_usable
from agent.spool.spool import Spool
from tests.fakes.log import Recorder


class _Spool:
    def waiting(self) -> int:
        return 3


class _Told:
    def __init__(self) -> None:
        self.messages: list[str] = []

    def notify(self, state: str) -> None:
        self.messages.append(state)


SPOOL = cast("Spool", _Spool())


def _opens_after(refusals: int) -> Any:
    left = [SpoolUnavailable("cannot open the spool /s: the disk is full.\nx")] * refusals

    def open_spool() -> Any:
        if left:
            raise left.pop()
        return nullcontext(SPOOL)

    return open_spool


def test_it_waits_says_it_once_and_begins_when_the_disk_has_room() -> None:
    log, told, waits = Recorder(), _Told(), list[float]()

    with once_usable(_opens_after(7), notifier=told, log=log.log, wait=waits.append) as spool:
        assert spool is SPOOL

    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert log.events == ["spool unavailable", "spool available"]
    assert len(told.messages) == 7
    for message, wait in zip(told.messages, waits, strict=True):
        limit, status = message.splitlines()
        assert int(limit.removeprefix("EXTEND_TIMEOUT_USEC=")) > wait * 1e6
        assert status.startswith("STATUS=spool unavailable: cannot open the spool /s: the disk is")


def test_captures_may_be_evicted_for_the_first_opening_alone() -> None:
    first, again = _opens_after(1), _opens_after(2)
    waits = list[float]()

    with once_usable(
        first, open_again=again, notifier=_Told(), log=Recorder().log, wait=waits.append
    ) as spool:
        assert spool is SPOOL

    assert waits == [1, 2, 4]


def test_a_usable_disk_is_not_mentioned() -> None:
    log, told = Recorder(), _Told()

    with once_usable(_opens_after(0), notifier=told, log=log.log):
        pass

    assert (log.events, told.messages) == ([], [])


def test_what_a_person_must_fix_is_raised() -> None:
    def open_spool() -> Any:
        raise ConfigurationError("belongs to root")

    with (
        pytest.raises(ConfigurationError, match="root"),
        once_usable(open_spool, notifier=_Told(), log=Recorder().log),
    ):
        pass
