"""The fleet view: which devices need somebody, in which order, and what it says of them."""

import random
from typing import Any

import pytest

from agent.factories.status_facts import needs
from agent.fleet.devices import Condition, Device, Heartbeat, Problem, Reports
from agent.fleet.facts import facts_of
from agent.fleet.fleet import Fleet, fleet_of
from agent.record.device_status import SCHEMA
from agent.record.timestamp import timestamp
from agent.runtime.daemon_view import DaemonView, Presence
from agent.settings.declarations import Settings
from tests.fakes.clock import WALL
from tests.fakes.fleet import (
    DAY,
    HOUR,
    MODEL,
    MODEL_SHA256,
    OLD_MODEL_SHA256,
    heartbeat,
    lost_camera,
    simulated_reports,
    status_fields,
)
from tests.record.device_statuses import ABOUT


def fleet(*heartbeats: Heartbeat, now: float = WALL, **more: Any) -> Fleet:
    return fleet_of(Reports(heartbeats, **more), now)


def device_of(now: float = WALL, *, clock_off_s: float = 0.0, **changes: Any) -> Device:
    """The only device of a fleet, whose heartbeat came at `WALL`."""
    [found] = fleet(heartbeat(status_fields(at=WALL + clock_off_s, **changes)), now=now).devices
    return found


def test_a_device_that_is_well_needs_nobody() -> None:
    device = device_of(WALL + 300)

    assert (device.condition, device.sentence, device.seen_s) == (Condition.WELL, "", 300)
    assert [each.words for each in device.cameras] == ["live, 25.0 fps"]
    assert fleet(heartbeat(status_fields())).is_well


@pytest.mark.parametrize(
    ("heartbeat_s", "age", "is_silent"),
    [
        (900, 2.5 * 900 + 59, False),
        (900, 2.5 * 900 + 61, True),
        (60, 209, False),
        (60, 211, True),
        (6 * HOUR, 14 * HOUR, False),
        (6 * HOUR, 15.1 * HOUR, True),
        (None, 2.5 * 900 + 61, True),
    ],
)
def test_two_and_a_half_periods_without_a_heartbeat_are_silence(
    heartbeat_s: float | None, age: float, *, is_silent: bool
) -> None:
    device = device_of(WALL + age, heartbeat_s=heartbeat_s)

    assert (device.condition is Condition.SILENT) is is_silent


def test_a_silent_device_is_shown_with_its_last_words() -> None:
    device = device_of(WALL + 3 * DAY, cameras=[lost_camera(error=None)], waiting=412)

    assert device.sentence == (
        "silent for 3.0 d: check power and network at the site; its last status: camera door lost "
        "for 2.0 h, 412 captures waiting"
    )
    assert device.cameras[0].words == "lost for 2.0 h"  # as it was then


@pytest.mark.parametrize(
    ("changes", "condition", "words"),
    [
        (
            {"cameras": [lost_camera()]},
            Condition.FAILING,
            "camera door lost for 2.0 h: connection refused",
        ),
        (
            {"cameras": [lost_camera(state="failed", error="cannot read x.mp4")]},
            Condition.FAILING,
            "door failed for 2.0 h: cannot read x.mp4",
        ),
        (
            {"upload": "blocked", "last_error": "401 no token"},
            Condition.FAILING,
            "nothing can be delivered (401 no token): `capture-agent check`",
        ),
        ({"disk": "refused", "disk_error": "I/O"}, Condition.FAILING, "refuses writes (I/O): save"),
        ({"disk": "full"}, Condition.FAILING, "the disk is full: make room"),
        ({"daemon": "stopped", "exit_code": 78}, Condition.FAILING, "the daemon does not run"),
        ({"daemon": "killed"}, Condition.FAILING, "the daemon does not run"),
        (
            {"daemon": "silent", "needs": ["the daemon does not answer: no state"]},
            Condition.FAILING,
            "the daemon does not answer: no state: restart it",
        ),
        ({"needs": ["camera door: the image is covered"]}, Condition.ATTENTION, "covered"),
        ({"daemon": "stopping"}, Condition.STOPPED, "stopped 0s ago with 3 captures waiting"),
        ({"daemon": "stopped", "exit_code": 0}, Condition.STOPPED, "start it when it should"),
    ],
)
def test_a_sentence_says_what_is_wrong_and_what_to_do(
    changes: dict[str, Any], condition: Condition, words: str
) -> None:
    device = device_of(**changes)

    assert device.condition is condition
    assert words in device.sentence


@pytest.mark.parametrize(("code", "fix"), [(1, "restart it"), (78, "`capture-agent check` on the")])
def test_a_daemon_that_ended_with_an_error_is_not_called_silent(code: int, fix: str) -> None:
    said = f"the daemon does not run: it ended with the exit code {code}"
    device = device_of(WALL + 3 * DAY, daemon="stopped", exit_code=code, needs=[said])

    assert (device.condition, device.needs[0].word) == (Condition.FAILING, "daemon ended")
    assert device.since_s == 3 * DAY
    assert device.sentence.startswith(f"{said}, 3.0 d ago: {fix}")


def test_a_camera_without_an_error_is_told_what_to_check() -> None:
    device = device_of(cameras=[lost_camera(error=None)])

    assert device.sentence == (
        "camera door lost for 2.0 h: check its power, its cable and its address in AGENT_CAMERAS"
    )


def test_a_long_error_is_cut_in_the_sentence_and_whole_in_the_needs() -> None:
    error = "why " * 200
    device = device_of(cameras=[lost_camera(error=error), lost_camera("ramp", error=error)])

    assert len(device.sentence) < 500
    assert "camera ramp lost" in device.sentence
    assert len(device.needs[0].fix) > 700


def test_a_sentence_names_three_needs_and_counts_the_others() -> None:
    cameras = [lost_camera(f"view {n}", error=None) for n in range(20)]
    device = device_of(cameras=cameras)

    assert device.sentence.count("lost for 2.0 h") == 3
    assert device.sentence.endswith("; and 17 more")
    assert len(device.needs) == 20


def stopped(ago: float, **limit: Any) -> Fleet:
    beat = heartbeat(status_fields(daemon="stopping"), WALL - ago)
    return fleet_of(Reports((beat,)), WALL, **limit)


def test_a_device_that_was_stopped_is_not_silent() -> None:
    found = stopped(23 * HOUR)

    assert found.devices[0].sentence.startswith("stopped 23.0 h ago with 3 captures waiting: start")
    assert found.is_well


def test_a_device_that_was_stopped_and_does_not_come_back_needs_somebody() -> None:
    found = stopped(3.2 * DAY)
    [device] = found.devices

    assert device.sentence == (
        "stopped 3.2 d ago with 3 captures waiting and did not come back: start it, or retire it "
        "with `capture-agent fleet DIR --forget ID`"
    )
    assert (device.condition, device.needs[0].word) == (Condition.ATTENTION, "not back")
    assert not found.is_well


@pytest.mark.parametrize(
    ("ago", "limit", "is_well"),
    [(HOUR, 1800.0, False), (HOUR, 7200.0, True), (900 * DAY, None, True)],
)
def test_how_long_a_device_may_be_stopped_can_be_said(
    ago: float, limit: float | None, *, is_well: bool
) -> None:
    assert stopped(ago, stopped_max=limit).is_well is is_well


def test_of_a_stopped_device_nothing_is_known_while_no_receiver_ran() -> None:
    beat = heartbeat(status_fields(daemon="stopping"), WALL)
    now = WALL + 10 * DAY

    assert fleet(beat, now=now, away=(WALL + HOUR, now - HOUR)).is_well


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({}, Condition.WAITING),
        ({"credits_left": 0.9}, Condition.WELL),  # waits for the budget: that is what it is for
        ({"credits_left": -1}, Condition.WAITING),  # there is no budget
        ({"waiting": 0}, Condition.WELL),
        ({"oldest_waiting": timestamp(WALL - 23 * HOUR)}, Condition.WELL),
        ({"upload": "blocked"}, Condition.FAILING),
    ],
)
def test_captures_that_could_be_sent_must_not_wait_for_days(
    changes: dict[str, Any], condition: Condition
) -> None:
    old = {"oldest_waiting": timestamp(WALL - 3 * DAY), "waiting": 40, "credits_left": 5.0}

    assert device_of(**{**old, **changes}).condition is condition


def test_what_the_status_itself_says_is_not_said_twice() -> None:
    """The needs are in the words of `status`: where these change, this says so."""
    facts = status_fields(
        cameras=[lost_camera()],
        upload="blocked",
        last_error="401",
        disk="refused",
        disk_error="I/O",
        model_error=None,
        feedback=None,
        in_rejected=4,
    )
    view = DaemonView(Presence.RUNNING, None, None)
    facts["needs"] = needs(facts, view, Settings())
    assert len(facts["needs"]) == 4

    device = device_of(**{name: facts[name] for name in facts if name not in {"at", "device"}})

    assert [each.condition for each in device.needs] == [*[Condition.FAILING] * 3, "attention"]


def test_the_clock_of_the_receiver_says_when_a_device_was_seen_last() -> None:
    device = device_of(WALL + 60, clock_off_s=-3 * HOUR)

    assert device.seen_s == 60
    assert (device.condition, device.needs[0].word) == (Condition.ATTENTION, "clock wrong")
    assert device.sentence.startswith("its clock is 3.0 h behind: set its clock (NTP)")


def test_a_clock_that_is_off_by_more_than_a_day_is_told_by_what_it_says() -> None:
    assert device_of(clock_off_s=30.0 - WALL).sentence.startswith("its clock says 1970-01-01: set")
    for year in ("0001", "9999"):
        [device] = fleet(heartbeat(status_fields() | {"at": f"{year}-12-31T23:59:59Z"})).devices
        assert device.sentence.startswith(f"its clock says {year}-12-31: set")


def test_an_address_in_an_error_is_cut_and_not_left_out() -> None:
    error = "cannot open rtsp://10.0.0.12/" + "path" * 100
    sentence = device_of(cameras=[lost_camera(error=error)]).sentence

    assert "cannot open rtsp://10.0.0.12/path" in sentence
    assert len(sentence) <= 240


def test_what_is_shown_of_cameras_is_marked_as_past_where_the_daemon_does_not_run() -> None:
    assert not device_of().is_past
    for changes in ({"daemon": "stopped"}, {"daemon": "stopped", "exit_code": 1}):
        assert device_of(**changes).is_past
    assert device_of(WALL + DAY).is_past
    assert stopped(3 * DAY).devices[0].is_past


def test_old_captures_are_told_by_the_clock_that_dated_them() -> None:
    oldest = timestamp(WALL - 5 * DAY - HOUR)
    device = device_of(clock_off_s=-5 * DAY, oldest_waiting=oldest, credits_left=5.0)

    assert device.oldest_waiting_s == pytest.approx(HOUR)


def test_a_difference_that_all_clocks_have_is_that_of_the_receiver() -> None:
    behind = [
        heartbeat(status_fields(f"gate-{n}", WALL - HOUR), received_at=WALL) for n in range(5)
    ]
    wrong = heartbeat(status_fields("yard", WALL), received_at=WALL)
    found = fleet(*behind, wrong)

    assert [each.name for each in found.devices if each.condition is Condition.ATTENTION] == [
        "yard"
    ]
    assert "the clocks of most devices are 1.0 h behind" in found.notes[0]


def test_where_all_are_silent_the_endpoint_is_the_reason() -> None:
    found = fleet(
        *(heartbeat(status_fields(f"gate-{n}"), WALL - n) for n in range(4)), now=WALL + DAY
    )

    assert found.totals.by_condition[Condition.SILENT] == 4
    assert found.notes[0].startswith("no device has sent a heartbeat for 1.0 d: rather than each")


def test_a_heartbeat_from_the_future_is_told() -> None:
    found = fleet(heartbeat(status_fields(at=WALL + DAY), WALL + DAY))

    assert found.devices[0].seen_s == 0
    assert found.notes[0].startswith("the latest heartbeat of 1 devices came at a later time")


def test_time_without_a_receiver_is_no_silence() -> None:
    before = heartbeat(status_fields("gate"), WALL)
    away = (WALL + 60, WALL + 3 * DAY)

    assert fleet(before, now=WALL + 3 * DAY + 600, away=away).is_well
    assert not fleet(before, now=WALL + 3 * DAY + 2400, away=away).is_well
    assert not fleet(before, now=WALL + 3 * DAY + 600).is_well


def test_a_device_without_a_heartbeat_is_known_from_its_captures() -> None:
    found = fleet(heartbeat(status_fields("gate")), captured={"gate": WALL, "yard": WALL - 2 * DAY})

    assert [(each.name, each.condition) for each in found.devices] == [
        ("yard", Condition.NO_HEARTBEAT),
        ("gate", Condition.WELL),
    ]
    assert found.devices[0].sentence.startswith("no heartbeat, its latest capture is 2.0 d old")
    assert found.is_well
    found = fleet(captured={"mast": WALL - 40 * DAY})
    assert "40.0 d old: if it should still run, set" in found.devices[0].sentence


def test_captures_without_a_time_say_nothing_of_when_a_device_ran() -> None:
    """As those that `pool` makes of bare images: they are of 1970."""
    (found,) = fleet(captured={"pool": 0.0}).devices

    assert found.sentence.startswith("no heartbeat: set AGENT_HEARTBEAT")
    assert found.since_s is None


def test_the_most_urgent_come_first_and_of_these_the_longest() -> None:
    """The order depends on nothing else: not on the order in which the files were read."""
    old: dict[str, Any] = {"oldest_waiting": timestamp(WALL - 9 * DAY), "credits_left": 3.0}
    beats = [
        heartbeat(status_fields("silent 1"), WALL - DAY),
        heartbeat(status_fields("silent 2"), WALL - 2 * DAY),
        heartbeat(status_fields("lost 1", cameras=[lost_camera(since_s=DAY)])),
        heartbeat(status_fields("lost 9", cameras=[lost_camera(since_s=9 * DAY)])),
        heartbeat(status_fields("old", **old)),
        heartbeat(status_fields("other", needs=["anything"])),
        heartbeat(status_fields("stopped", daemon="stopping")),
        heartbeat(status_fields("well a")),
        heartbeat(status_fields("well b")),
    ]
    expected = ["silent 2", "silent 1", "lost 9", "lost 1", "old", "other", "stopped"]
    for seed in range(5):
        random.Random(seed).shuffle(beats)
        found = [each.name for each in fleet(*beats).devices]
        assert found == [*expected, "well a", "well b"]


def test_versions_and_models_that_differ_from_most_are_marked() -> None:
    beats = [heartbeat(status_fields(f"gate-{n}")) for n in range(4)]
    beats.append(heartbeat(status_fields("old", version="0.0.9", model_sha256=OLD_MODEL_SHA256)))
    beats.append(heartbeat(status_fields("new", model=None, model_sha256=None)))
    found = fleet(*beats)

    assert (found.usual.version, found.usual.model_sha256) == ("0.1.0", MODEL_SHA256)
    marked = {each.name: each.marks for each in found.devices if each.marks}
    assert marked == {
        "old": (
            "another version than 5 others (0.1.0)",
            f"another model than 4 others ({MODEL}, {MODEL_SHA256[:12]})",
        )
    }


def test_of_two_that_are_as_frequent_none_is_the_usual_one() -> None:
    found = fleet(
        heartbeat(status_fields("a", version="1")), heartbeat(status_fields("b", version="2"))
    )

    assert found.usual.version is None
    assert not any(each.is_other_version for each in found.devices)


def other_boot(**changes: Any) -> dict[str, Any]:
    """What a place keeps of a boot that sent as this device too."""
    known = {"boot": "3c4d5e6f-0000", "since_boot_s": 2 * HOUR, "received_from": "10.0.0.4"}
    return {**known, "last": timestamp(WALL - 400), "is_other_device": True, **changes}


def test_two_devices_with_one_id_are_told_with_what_tells_them_apart() -> None:
    device = device_of(other_boots=[other_boot()], received_from="10.0.0.3")

    assert device.condition is Condition.ATTENTION
    assert device.needs[0].word == "id used twice"
    assert device.sentence == (
        "2 devices send as gate-01 (boot 0b1e5c1e from 10.0.0.3 up for 2.0 m; boot 3c4d5e6f from "
        "10.0.0.4 up for 2.0 h): give each its own AGENT_DEVICE_ID"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"is_other_device": False},  # a boot of this device
        {"last": timestamp(WALL - 2400)},  # it has its own id by now
        {"last": None},
        {"boot": ABOUT["boot"]},
    ],
)
def test_a_boot_that_sends_no_more_needs_nobody(changes: dict[str, Any]) -> None:
    assert device_of(other_boots=[other_boot(**changes)]).condition is Condition.WELL


def test_the_totals_are_sums_over_all_devices() -> None:
    found = fleet(
        heartbeat(status_fields("a", waiting=2, delivered=10, budget_per_day=0.5)),
        heartbeat(status_fields("b", waiting=3, delivered=20, budget_per_day=0.25)),
        heartbeat(status_fields("c", waiting=4, budget_per_day=0, credits_left=-1)),
        captured={"d": None},
    )

    totals = found.totals
    assert (totals.devices, totals.waiting, totals.delivered) == (4, 9, 37)
    assert (totals.labels_per_day, totals.unlimited) == (0.75, 1)


def test_a_later_format_is_shown_as_far_as_it_is_known() -> None:
    beat = heartbeat({**status_fields(schema=SCHEMA + 1), "new": {"deep": [1]}})
    [device] = fleet(beat).devices

    assert device.waiting == 3
    assert "later format" in device.marks[0]


def test_of_two_heartbeats_of_a_device_the_latest_counts() -> None:
    found = fleet(
        heartbeat(status_fields(waiting=1), WALL - 50),
        heartbeat(status_fields(waiting=2), WALL - 10),
        heartbeat(status_fields(waiting=3), WALL - 90),
    )

    assert [each.waiting for each in found.devices] == [2]


def test_a_heartbeat_that_cannot_be_read_needs_somebody_and_a_foreign_file_does_not() -> None:
    beat = heartbeat(status_fields())

    assert not fleet(beat, problems=(Problem("x.json", "no JSON"),)).is_well
    assert fleet(beat, problems=(Problem("README", "foreign", is_heartbeat=False),)).is_well


def test_a_status_of_which_nothing_is_known_but_its_name_is_shown() -> None:
    bare = {"schema": 1, "at": timestamp(WALL), "device": "bare", "cameras": [{}]}
    [device] = fleet(heartbeat(bare)).devices

    assert (device.condition, device.waiting, device.cameras[0].words) == (
        Condition.WELL,
        0,
        "unknown",
    )


def test_the_json_object_has_each_device_once_in_the_same_order() -> None:
    found = fleet_of(simulated_reports(200), WALL)
    facts = facts_of(found)

    assert [each["device"] for each in facts["devices"]] == [each.name for each in found.devices]
    assert len({each["device"] for each in facts["devices"]}) == 201
    assert sum(facts["totals"]["by_condition"].values()) == 201
    assert facts["totals"]["need_somebody"] == sum(e["needs_somebody"] for e in facts["devices"])


def test_a_device_whose_heartbeat_cannot_be_read_is_not_told_to_send_one() -> None:
    found = fleet(
        captured={"Gate": None, "Yard": None, "dock": None},
        problems=(Problem("%47ate.json", "access denied"), Problem("Yard.json", "cut")),
    )

    assert {each.name: each.sentence for each in found.devices} == {
        "Gate": "its heartbeat cannot be shown: access denied",
        "Yard": "its heartbeat cannot be shown: cut",
        "dock": "no heartbeat: set AGENT_HEARTBEAT=15m on it, or update its agent",
    }
