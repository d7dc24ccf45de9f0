"""What people say of a frame or a capture: which becomes a capture, and which a fact."""

import pytest

from agent.domain import Capture, Lane, Verdict, VerdictKind
from agent.errors import RefusalKind, RequestRefused
from agent.record.timestamp import timestamp
from agent.runtime.stored_verdicts import MOST_WAITING, second_capture
from agent.spool.spool import Spool
from tests.fakes.captures import RANDOM_SLOT, capture_id, stored_capture
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.asked_agent import CERTAIN, DOUBTFUL, AskedAgent

RING_S = 12.0


@pytest.fixture
def agent(spool: Spool, clock: ManualClock, log: Recorder) -> AskedAgent:
    return AskedAgent(spool, clock, log)


@pytest.fixture
def sampling(spool: Spool, clock: ManualClock, log: Recorder) -> AskedAgent:
    """Every tenth frame is a capture of the interval lane."""
    return AskedAgent(spool, clock, log, every_nth=10)


@pytest.mark.parametrize("verdict", ["wrong", "missing"])
def test_a_failure_becomes_a_capture_of_the_frame_with_the_verdict_about_itself(
    agent: AskedAgent, verdict: str
) -> None:
    agent.play(30)
    given = agent.clock.wall()
    said = agent.verdicts.give(verdict, camera="gate", at="-3s", by=" Ann ", note="two cats")
    agent.work()

    [stored] = agent.waiting().values()
    line = {
        "id": stored.id,
        "camera": "gate",
        "moment": timestamp(given - 3.0),
        "at": timestamp(given),
        "by": "Ann",
        "verdict": verdict,
        "note": "two cats",
    }
    assert said == {**line, "state": "requested"}
    assert set(stored.image) == {15}
    assert stored.record["lane"] == "verdict"
    assert stored.record["verdicts"] == [line]
    assert stored.record["rules"][0] == {"name": verdict, "score": 1.0}
    assert stored.record["value"] >= 1
    assert agent.stats.total()[f"verdict/{verdict}"] == 1
    assert agent.log.one("verdict given")["by"] == "Ann"


def test_further_verdicts_about_a_frame_are_facts_of_its_capture(agent: AskedAgent) -> None:
    agent.play(10)
    first = agent.verdicts.give("wrong", camera="gate", at="-1s", by="Ann")["id"]
    for verdict in ("wrong", "missing", "right"):
        said = agent.verdicts.give(verdict, camera="gate", at="-1s", by="Bob")
        assert said["id"] == first
    assert agent.verdicts.give("wrong", capture=first)["id"] == first
    agent.work()

    [sent] = agent.sent()
    assert sent.id == first
    found = [(line["id"], line["verdict"], line["by"]) for line in sent.record["verdicts"]]
    assert found == [
        (first, "wrong", "Ann"),
        (first, "wrong", "Bob"),
        (first, "missing", "Bob"),
        (first, "right", "Bob"),
        (first, "wrong", None),
    ]
    assert len(agent.captures.state(first)["verdicts"]) == 5


def test_a_verdict_about_a_named_capture_that_needs_no_image_stays_with_it(
    sampling: AskedAgent,
) -> None:
    sampling.play(12)
    sampling.work()
    [named] = sampling.waiting()
    made = sampling.verdicts.give("wrong", capture=named)["id"]

    assert made != named
    assert sampling.verdicts.give("right", capture=named)["id"] == named
    assert sampling.verdicts.give("unusable", capture=named)["id"] == named
    assert sampling.verdicts.give("missing", capture=named)["id"] == made


@pytest.mark.parametrize("verdict", ["right", "unusable"])
def test_a_verdict_that_needs_no_image_makes_no_capture(agent: AskedAgent, verdict: str) -> None:
    agent.play(10)
    said = agent.verdicts.give(verdict, camera="gate", at="-1s")
    agent.work()

    assert (said["id"], said["state"]) == (None, None)
    assert agent.waiting() == {}
    agent.captures.request("gate")
    agent.work()
    [line] = agent.lines()
    assert (line["id"], line["verdict"]) == (None, verdict)


def test_it_names_the_capture_of_the_frame_if_there_is_one(sampling: AskedAgent) -> None:
    sampling.play(10)
    sampling.work()
    [name] = sampling.waiting()

    said = sampling.verdicts.give("right", camera="gate", at="-0.2s")
    sampling.work()

    assert (said["id"], said["state"]) == (name, "waiting")
    assert [line["id"] for line in sampling.lines()] == [name]


def test_it_names_the_capture_that_the_frame_becomes(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    """The rules look at three frames after it, and people are faster."""
    agent = AskedAgent(spool, clock, log, rules=("flicker",), every_nth=10)
    agent.play(10)
    assert agent.verdicts.give("right", camera="gate", at="-0.2s")["id"] is None
    agent.work()
    agent.play(3)
    agent.work()

    [name] = agent.waiting()
    agent.facts.step()
    assert [line["id"] for line in agent.lines()] == [name]


def test_a_failure_in_a_waiting_capture_replaces_it_unless_it_is_a_sample(
    sampling: AskedAgent,
) -> None:
    agent = sampling
    agent.model.confidence = DOUBTFUL
    agent.play(1)
    agent.model.confidence = CERTAIN
    agent.play(9)
    requested = agent.captures.request("gate", "-1s")
    agent.work()
    names = {each.record["lane"]: each.id for each in agent.waiting().values()}
    assert names["requested"] == requested
    made = {lane: agent.verdicts.give("wrong", capture=name)["id"] for lane, name in names.items()}
    agent.work()

    waiting = {each.id: each for each in agent.waiting().values()}
    assert set(waiting) == {names["interval"], *made.values()}
    for lane, name in made.items():
        [line] = waiting[name].record["verdicts"]
        assert (line["id"], line["of"]) == (name, names[lane])
        assert agent.captures.state(names[lane])["state"] == (
            "waiting" if lane == "interval" else "evicted"
        )


def test_a_failure_replaces_a_capture_that_was_asked_for_a_moment_before(
    agent: AskedAgent,
) -> None:
    agent.play(10)
    first = agent.captures.request("gate", "-1s")
    second = agent.verdicts.give("wrong", camera="gate", at="-1s")["id"]
    agent.work()

    assert list(agent.waiting()) == [second]
    assert agent.captures.state(first)["reason"] == "duplicate"


@pytest.mark.parametrize("verdict", ["right", "wrong", "missing", "unusable"])
def test_a_verdict_about_a_capture_that_gave_way_is_about_the_one_that_is_kept(
    agent: AskedAgent, verdict: str
) -> None:
    agent.play(10)
    gone = agent.captures.request("gate", "-1s")
    kept = agent.verdicts.give("wrong", camera="gate", at="-1s")["id"]
    agent.work()
    assert agent.captures.state(gone)["state"] == "evicted"

    for _ in ("in memory", "only on disk"):
        assert agent.verdicts.give(verdict, capture=gone)["id"] == kept
        agent.play(60)


def test_a_failure_in_a_capture_that_is_not_made_yet_has_the_lane_verdict(
    agent: AskedAgent,
) -> None:
    agent.play(10)
    asked = agent.captures.request("gate", "-1s")
    said = agent.verdicts.give("wrong", capture=asked)
    assert agent.verdicts.give("right", capture=asked)["id"] == asked
    agent.work()

    assert (said["state"], said["of"]) == ("requested", asked)
    [stored] = agent.waiting().values()
    assert (stored.id, stored.record["lane"]) == (said["id"], "verdict")


@pytest.mark.parametrize("later", [0, 60], ids=["in memory", "only on disk"])
def test_a_failure_makes_one_capture_of_a_frame_that_has_several(
    agent: AskedAgent, later: int
) -> None:
    agent.play(10)
    first = agent.captures.request("gate", "-1s", note="torn")
    second = agent.captures.request("gate", "-1s", note="greasy")
    agent.work()
    agent.play(later)
    made = agent.verdicts.give("wrong", capture=second)["id"]
    agent.work()

    said = agent.verdicts.give("missing", capture=first)
    agent.work()

    assert (said["id"], said["of"]) == (made, first)
    lanes = [each.record["lane"] for each in agent.waiting().values()]
    assert sorted(lanes) == ["requested", "verdict"]


def test_a_failure_in_a_capture_that_gave_way_to_a_request_has_the_image(
    agent: AskedAgent,
) -> None:
    agent.model.confidence = DOUBTFUL
    agent.play(1)
    agent.work()
    [score] = agent.waiting()
    agent.captures.request("gate")
    agent.work()
    assert agent.captures.state(score)["state"] == "evicted"

    made = agent.verdicts.give("missing", capture=score)["id"]
    agent.work()

    assert list(agent.waiting()) == [made]


def test_a_further_failure_of_a_named_capture_tells_which_it_was_said_of(
    sampling: AskedAgent,
) -> None:
    sampling.play(12)
    sampling.work()
    [named] = sampling.waiting()
    made = sampling.verdicts.give("wrong", capture=named)["id"]

    again = sampling.verdicts.give("missing", capture=named)
    assert (again["id"], again["of"]) == (made, named)
    assert "of" not in sampling.verdicts.give("missing", capture=made)


def test_a_prediction_that_nobody_contradicted_replaces_no_capture(agent: AskedAgent) -> None:
    agent.model.confidence = DOUBTFUL
    agent.play(1)
    agent.work()
    [score] = agent.waiting()
    entry = agent.recent.find("gate")
    affirmed = Verdict(VerdictKind.UNOBJECTED, "gate", 0.0, 0.0, capture=capture_id(5))
    capture = Capture(entry.observation, Lane.VERDICT, (), 0.0, id=capture_id(5), verdict=affirmed)
    agent.past.want(entry, capture)
    agent.work()

    waiting = agent.waiting()
    assert set(waiting) == {score, capture_id(5)}
    assert waiting[capture_id(5)].record["value"] == 0


@pytest.mark.parametrize("lane", ["score", "interval"])
def test_a_failure_in_a_waiting_capture_of_long_ago_takes_its_image_from_the_disk(
    sampling: AskedAgent, lane: str
) -> None:
    agent = sampling
    agent.model.confidence = DOUBTFUL
    agent.play(1)
    agent.model.confidence = CERTAIN
    agent.play(9)
    agent.work()
    [old] = [each for each in agent.waiting().values() if each.record["lane"] == lane]
    agent.clock.now += RING_S
    agent.play(8)
    said = agent.verdicts.give("missing", capture=old.id, by="Ann")
    agent.work()
    agent.work()

    new = agent.waiting()[said["id"]]
    assert new.image == old.image
    assert new.id != old.id
    same = {"captured_at", "camera", "detections", "suspects", "model", "image", "monotonic_ns"}
    assert {name: new.record[name] for name in same} == {name: old.record[name] for name in same}
    assert (new.record["lane"], new.record["sampling"]) == ("verdict", None)
    assert new.record["value"] >= 1
    [line] = new.record["verdicts"]
    assert (line["id"], line["of"], line["by"]) == (new.id, old.id, "Ann")
    assert line["moment"] == old.record["captured_at"]
    assert (old.id in agent.waiting()) == (lane == "interval")
    again = agent.verdicts.give("missing", capture=old.id, by="Bob")
    assert again["id"] == new.id


def test_the_copy_of_a_random_capture_is_no_part_of_the_sample() -> None:
    drawn = stored_capture(1, lane="random", sampling=RANDOM_SLOT, value=0.2)
    wrong = Verdict(VerdictKind.WRONG, "gate", 0.0, 0.0, capture=capture_id(2), of=drawn.id)

    made = second_capture(drawn, wrong, hint="")

    assert (made.record["lane"], made.record["sampling"]) == ("verdict", None)
    assert made.image == drawn.image


def test_it_is_found_after_a_restart_too(
    sampling: AskedAgent, spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    sampling.play(10)
    sampling.work()
    [old] = sampling.waiting()
    agent = AskedAgent(spool, clock, log)

    said = agent.verdicts.give("wrong", capture=old)
    agent.work()
    agent.work()

    assert agent.waiting()[said["id"]].record["lane"] == "verdict"


def test_a_failure_in_a_delivered_capture_is_a_fact_about_it(sampling: AskedAgent) -> None:
    agent = sampling
    agent.play(10)
    agent.work()
    [sent] = agent.sent()
    agent.clock.now += RING_S
    agent.play(1)
    said = agent.verdicts.give("wrong", capture=sent.id)
    agent.play(20)
    agent.work()

    assert said["id"] == sent.id
    assert [(line["id"], line["verdict"]) for line in agent.lines()] == [(sent.id, "wrong")]


def test_a_failure_in_a_capture_that_is_delivered_meanwhile_is_a_fact_about_it(
    sampling: AskedAgent,
) -> None:
    agent = sampling
    agent.play(10)
    agent.work()
    [old] = agent.waiting()
    agent.clock.now += RING_S
    agent.play(8)
    said = agent.verdicts.give("wrong", capture=old)
    agent.sent()
    agent.work()
    agent.play(2)
    agent.work()

    assert [(line["id"], line["verdict"]) for line in agent.lines()] == [(old, "wrong")]
    state = agent.captures.state(said["id"])
    assert state["state"] == "refused"
    assert state["reason"].endswith(f"the verdict is about {old}")


def test_no_verdict_is_lost_at_a_stop(sampling: AskedAgent) -> None:
    agent = sampling
    agent.play(10)
    agent.work()
    [old] = agent.waiting()
    agent.clock.now += RING_S
    agent.play(8)
    agent.verdicts.give("wrong", capture=old)
    agent.verdicts.give("right", camera="gate", at="-1s")
    agent.past.finish()
    agent.facts.close()
    agent.stored.close()

    agent.play(2)
    agent.work()
    assert sorted(line["verdict"] for line in agent.lines()) == ["right", "wrong"]


@pytest.mark.slow
def test_too_many_that_wait_for_the_disk_are_refused(
    spool: Spool, clock: ManualClock, log: Recorder
) -> None:
    agent = AskedAgent(spool, clock, log, every_nth=1)
    for _ in range(MOST_WAITING + 1):
        agent.play(1)
        agent.work()
    names = list(agent.waiting())
    agent.clock.now += RING_S
    agent.play(1)
    for name in names[:MOST_WAITING]:
        agent.verdicts.give("wrong", capture=name)

    with pytest.raises(RequestRefused, match="64 wait for the disk") as refusal:
        agent.verdicts.give("wrong", capture=names[MOST_WAITING])
    assert refusal.value.kind is RefusalKind.NOT_NOW


def test_what_is_no_verdict_is_refused_with_the_fix(agent: AskedAgent) -> None:
    agent.play(3)
    frame: dict[str, str] = {"camera": "gate", "at": "-0.2s"}
    subject = "give either capture, or camera and at"
    refused = [
        ("Wrong", frame, "verdict: cannot be 'Wrong'; did you mean wrong?"),
        ("mising", frame, "verdict: cannot be 'mising'; did you mean missing?"),
        ("ok", frame, "verdict: cannot be 'ok'; the verdicts are right, wrong, missing, unusable"),
        ("unobjected", frame, "verdict: unobjected is drawn by the agent of what was shown"),
        ("right", {}, subject),
        ("right", {"camera": "gate"}, subject),
        ("right", {"at": "-1s"}, subject),
        ("right", {"capture": capture_id(1), "camera": "gate"}, subject),
        ("right", {"capture": capture_id(1), **frame}, subject),
        ("right", {**frame, "by": "x" * 65}, "by: at most 64 characters, not 65"),
        ("right", {**frame, "note": "x" * 501}, "note: at most 500 characters, not 501"),
        ("right", {**frame, "note": "a\nb"}, "note: only one line of printable characters"),
    ]
    for verdict, given, said in refused:
        with pytest.raises(RequestRefused) as refusal:
            agent.verdicts.give(verdict, **given)
        assert refusal.value.kind is RefusalKind.INVALID
        assert said in str(refusal.value)
    assert "verdict given" not in agent.log.events


def test_a_capture_that_is_not_known_is_refused(agent: AskedAgent) -> None:
    with pytest.raises(RequestRefused) as refusal:
        agent.verdicts.give("wrong", capture=capture_id(1))
    assert refusal.value.kind is RefusalKind.UNKNOWN


def test_verdicts_are_sent_before_all_others(sampling: AskedAgent) -> None:
    agent = sampling
    agent.model.confidence = DOUBTFUL
    agent.play(20)
    agent.captures.request("gate", "-1s")
    agent.verdicts.give("wrong", camera="gate", at="-2s")
    agent.work()

    lanes = [each.record["lane"] for each in agent.sent()]
    assert lanes[:2] == [Lane.VERDICT.value, Lane.REQUESTED.value]
    assert len(lanes) > 2
