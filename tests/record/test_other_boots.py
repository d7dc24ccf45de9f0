"""Two devices with one id are told from one device that boots again."""

from collections.abc import Sequence
from typing import Any

import pytest

from agent.record.device_status import STATUS_MAX, checked_status, encoded_status
from agent.record.other_boots import BOOTS_MAX, with_other_boots
from tests.record.device_statuses import ABOUT, camera_facts, status_facts

Sent = tuple[str, float, float]
"""Boot, seconds since it, and when its status was stored."""


def status(boot: str, since: float, **changed: Any) -> bytes:
    about = {**ABOUT, "boot": boot, "since_boot_s": since}
    return encoded_status(status_facts(**changed), about)


def kept(sent: Sequence[Sent], **changed: Any) -> list[dict[str, Any]]:
    """Return the `other_boots` where statuses were stored one after the other."""
    stored, stored_at = status(*sent[0][:2], **changed), sent[0][2]
    for boot, since, at in sent[1:]:
        stored = with_other_boots(status(boot, since, **changed), stored, stored_at)
        stored_at = at
    return list(checked_status(stored)["other_boots"])


def others(sent: Sequence[Sent], **changed: Any) -> list[str]:
    """Return the boots that are of other devices than the last one."""
    found = kept(sent, **changed)
    return [
        each["boot"] for each in found if each["is_other_device"] and each["boot"] != sent[-1][0]
    ]


TWO: Sequence[Sent] = [("a", 10, 10), ("b", 90, 15), ("a", 20, 20)]
LATE: Sequence[Sent] = [("a", 10, 10), ("b", 5, 60), ("a", 20, 61)]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param([("a", 10, 10), ("a", 20, 20), ("a", 30, 30)], [], id="one boot"),
        pytest.param([("a", 10, 10), ("b", 5, 30), ("c", 5, 60), ("c", 9, 64)], [], id="reboots"),
        pytest.param(TWO[:2], [], id="two devices, before one comes back"),
        pytest.param(TWO, ["b"], id="two devices"),
        pytest.param([*TWO, ("b", 100, 25)], ["a"], id="two devices, the other one"),
        pytest.param([*TWO, ("a", 30, 30), ("a", 40, 40)], ["b"], id="two devices, then one"),
        pytest.param(
            [("a", 10, 10), ("b", 90, 12), ("c", 1, 14), ("a", 20, 20), ("b", 100, 22)],
            ["a", "c"],
            id="three devices",
        ),
        pytest.param(LATE, [], id="late on its way, after a reboot"),
        pytest.param([*LATE, ("b", 15, 70), ("b", 25, 80)], [], id="after one that was late"),
        pytest.param(
            # The clock of the place was set forward by an hour after the first one.
            [("a", 0, 0), ("b", 7, 3607), ("a", 15, 3615), ("b", 22, 3622), ("a", 30, 3630)],
            ["b"],
            id="a step of the clock",
        ),
        pytest.param([("unknown", 10, 10), ("b", 9, 15), ("unknown", 20, 20)], [], id="unknown"),
    ],
)
def test_a_boot_that_comes_back_is_of_another_device(
    sent: Sequence[Sent], expected: list[str]
) -> None:
    assert others(sent) == expected


def test_a_test_from_a_desk_with_the_id_of_a_device_is_none() -> None:
    """`check --upload-test` says that no daemon runs."""
    desk = status("desk", 70_000, daemon="none", uptime_s=None)
    stored = with_other_boots(desk, status("a", 10), 10.0)
    stored = with_other_boots(status("a", 20), stored, 15.0)

    assert not any(each["is_other_device"] for each in checked_status(stored)["other_boots"])


def test_what_is_there_and_no_status_is_replaced() -> None:
    for damaged in (None, b"", b"{", b"\xff", b'{"schema": 1}'):
        assert with_other_boots(status("a", 10), damaged, 5.0) == status("a", 10)


def test_however_many_boots_there_were_the_status_stays_bounded() -> None:
    cameras = [camera_facts(f"camera-{n}", error="x" * 500) for n in range(76)]
    sent = [(f"{n:064}", 5.0, 100.0 * n) for n in range(20)]

    assert len(status("a", 1, cameras=cameras)) > STATUS_MAX * 0.8
    assert len(kept(sent, cameras=cameras)) == BOOTS_MAX
