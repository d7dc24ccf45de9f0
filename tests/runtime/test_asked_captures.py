"""Captures of the frame that somebody saw: that frame, with what the rules said of it."""

from dataclasses import replace

import pytest

from agent.domain import Capture, Lane, Observation
from agent.errors import RefusalKind, RequestRefused
from agent.runtime.past_captures import EVALUATION_S, MOST_WAITING, PastCaptures
from agent.runtime.recent_frame import RecentFrame
from agent.runtime.supervisor import Supervisor
from agent.spool.spool import Spool
from tests.fakes.captures import capture_id, frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.asked_agent import CERTAIN, DOUBTFUL, AskedAgent
from tests.runtime.whole_agent import Recording, WholeAgent


@pytest.fixture
def agent(spool: Spool, clock: ManualClock, log: Recorder) -> AskedAgent:
    return AskedAgent(spool, clock, log)


def test_the_frame_that_was_seen_is_stored_and_not_the_next_one(agent: AskedAgent) -> None:
    agent.play(30)
    name = agent.captures.request("gate", "-3s", note=" the belt is torn ")
    assert agent.captures.state(name)["state"] == "requested"
    agent.play(2)
    agent.work()

    [stored] = agent.waiting().values()
    assert stored.id == name
    assert set(stored.image) == {15}
    assert stored.record["lane"] == "requested"
    assert stored.record["note"] == "the belt is torn"
    assert stored.record["rules"] == [{"name": "requested", "score": 1.0}]
    assert [each["confidence"] for each in stored.record["detections"]] == [CERTAIN]
    state = agent.captures.state(name)
    assert {field: state[field] for field in ("id", "state", "lane", "rules", "camera")} == {
        "id": name,
        "state": "waiting",
        "lane": "requested",
        "rules": stored.record["rules"],
        "camera": "gate",
    }


def test_what_the_rules_found_in_that_frame_is_in_the_record(agent: AskedAgent) -> None:
    agent.play(10)
    agent.model.confidence = 0.51  # of one frame
    agent.play(1)
    agent.model.confidence = CERTAIN
    agent.play(10)
    agent.sent()
    agent.captures.request("gate", "-2.2s")
    agent.work()

    [stored] = [each for each in agent.waiting().values() if each.record["lane"] == "requested"]
    assert set(stored.image) == {10}
    assert [each["name"] for each in stored.record["rules"]] == ["requested", "low_confidence"]
    assert [each["rule"] for each in stored.record["suspects"]] == ["low_confidence"]


def test_the_rules_that_look_ahead_are_waited_for(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    agent = AskedAgent(spool, clock, log, rules=("flicker",))
    agent.play(20)
    agent.model.confidence = 0.1
    agent.play(1)
    agent.model.confidence = CERTAIN
    name = agent.captures.request("gate")
    for _ in range(3):
        agent.work()
        assert agent.captures.state(name)["state"] == "requested"
        agent.play(1)
    agent.work()

    stored = agent.waiting()[name]
    assert [each["name"] for each in stored.record["rules"]] == ["requested", "flicker"]


def test_a_capture_does_not_wait_for_rules_that_never_come(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    agent = AskedAgent(spool, clock, log, rules=("flicker",))
    agent.play(20)
    name = agent.captures.request("gate")
    agent.work()
    clock.now += EVALUATION_S
    agent.work()

    assert agent.waiting()[name].record["suspects"] == []


def test_a_frame_that_is_asked_for_twice_is_captured_once(agent: AskedAgent) -> None:
    agent.play(10)
    first = agent.captures.request("gate", "-1s")

    assert agent.captures.request("gate", "-1s") == first
    assert agent.captures.request("gate", "-1s", note="look") != first
    agent.work()
    assert agent.captures.request("gate", "-1.05s") == first


def test_a_waiting_capture_of_the_score_lane_gives_way_and_a_sample_stays(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    agent = AskedAgent(spool, clock, log, every_nth=10)
    agent.model.confidence = DOUBTFUL
    agent.play(1)
    agent.model.confidence = CERTAIN
    agent.play(9)
    agent.work()
    before = {each.record["lane"]: each.id for each in agent.waiting().values()}
    assert set(before) == {"score", "interval"}
    agent.captures.request("gate", "-2s")
    agent.captures.request("gate", "-0.2s")
    agent.work()

    lanes = [each.record["lane"] for each in agent.waiting().values()]
    assert sorted(lanes) == ["interval", "requested", "requested"]
    gone = agent.captures.state(before["score"])
    assert (gone["state"], gone["reason"]) == ("evicted", "duplicate")


def test_the_state_of_every_capture_is_known_until_it_is_long_delivered(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    agent = AskedAgent(spool, clock, log, every_nth=1)
    agent.play(3)
    agent.work()
    name = next(iter(agent.waiting()))
    assert agent.captures.state(name)["lane"] == "interval"
    assert [each["id"] for each in agent.captures.latest()][::-1] == list(agent.waiting())

    after_a_restart = AskedAgent(spool, clock, log)
    state = after_a_restart.captures.state(name)
    assert (state["state"], state["lane"], state["camera"]) == ("waiting", "interval", "gate")
    agent.sent()
    with pytest.raises(RequestRefused, match="not known any more") as refusal:
        after_a_restart.captures.state(name)
    assert refusal.value.kind is RefusalKind.UNKNOWN


def test_what_was_asked_for_is_made_at_a_stop_and_nothing_is_taken_any_more(
    agent: AskedAgent,
) -> None:
    agent.play(3)
    names = [agent.captures.request("gate", at) for at in ("-0.6s", "-0.4s", "-0.2s")]
    agent.past.finish()
    agent.inference.abandon_runs()
    agent.writer.step()

    assert list(agent.waiting()) == names
    with pytest.raises(RequestRefused, match="stopping"):
        agent.captures.request("gate", note="too late")


@pytest.mark.slow
def test_captures_wait_for_room_in_the_pipeline_and_too_many_are_refused(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    agent = AskedAgent(spool, clock, log, queue_length=1)
    agent.play(5)
    for number in range(MOST_WAITING):
        agent.captures.request("gate", note=str(number))
    with pytest.raises(RequestRefused, match="64 captures are being made") as refusal:
        agent.captures.request("gate", note="one more")
    assert refusal.value.kind is RefusalKind.NOT_NOW

    agent.past.step()
    assert agent.inference.pending <= 2  # the others wait as JPEGs

    for _ in range(MOST_WAITING):
        agent.work()
    assert len(agent.waiting()) == MOST_WAITING


def test_a_jpeg_that_cannot_be_decoded_refuses_its_capture_with_the_reason(
    agent: AskedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent.past, "_decode", lambda _: None)
    agent.play(3)
    name = agent.captures.request("gate")
    agent.work()

    state = agent.captures.state(name)
    assert (state["state"], state["reason"]) == (
        "refused",
        "the JPEG of its frame cannot be decoded",
    )


def test_a_frame_that_is_not_encoded_yet_is_captured_from_its_pixels(agent: AskedAgent) -> None:
    agent.play(3, encode=False)
    name = agent.captures.request("gate")
    agent.work()

    assert set(agent.waiting()[name].image) == {2}


def test_notes_are_short_and_printable(agent: AskedAgent) -> None:
    agent.play(1)
    refused = {"x" * 501: "note: at most 500 characters, not 501", "a\nb": "one line of printable"}
    for note, why in refused.items():
        with pytest.raises(RequestRefused, match=why) as refusal:
            agent.captures.request("gate", note=note)
        assert refusal.value.kind is RefusalKind.INVALID


@pytest.mark.slow
@pytest.mark.parametrize("place", [-1, 0, 16])
def test_a_planted_wrong_frame_is_seen_in_the_image(
    agent: AskedAgent, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr("agent.runtime.recent.nearest", lambda frames, *_, **__: frames[place])
    agent.play(30)
    name = agent.captures.request("gate", "-3s")
    agent.work()

    assert set(agent.waiting()[name].image) != {15}


def test_a_stop_makes_what_was_asked_for_before_the_writer_ends(
    spool: Spool, log: Recorder
) -> None:
    whole = WholeAgent(Recording([]), spool, log)
    inference = whole.stages.inference
    past = PastCaptures(
        inference, whole.stats.followed, decode=lambda _: None, clock=whole.clock, idle=0.0
    )
    seen = Observation(frame(sequence=7), ())
    capture = Capture(seen, Lane.REQUESTED, (), 0.0, id=capture_id(7))
    past.want(RecentFrame(seen, whole.clock.monotonic()), capture)
    supervisor = Supervisor(
        replace(whole.stages, asked=past, uploader=None),
        clock=whole.clock,
        notifier=whole.says,
        log=log.log,
    )

    assert supervisor.run() == 0

    stored = spool.read(capture_id(7))
    assert stored is not None
    assert set(stored.image) == {7}
