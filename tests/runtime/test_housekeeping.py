"""Each minute a line; each second a word for `status`; now and then what was learnt."""

import errno
import weakref
from pathlib import Path

from agent.runtime.housekeeping import MEMORY_S, SUMMARY_S, TICK_S, Housekeeping
from agent.runtime.summary import Summary
from agent.spool.spool import Spool
from tests.fakes.captures import frame
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import open_test_spool
from tests.runtime.whole_agent import HungCamera, WholeAgent


def housekeeping_of(agent: WholeAgent, log: Recorder) -> Housekeeping:
    stages = agent.stages
    spool, uploader = stages.spool, stages.uploader
    summary = Summary(stages.mailbox, stages.stats, spool, uploader, log.log)
    return Housekeeping(
        summary, stages.inference, spool, uploader, notifier=agent.says, clock=agent.clock
    )


def test_each_minute_has_one_summary_and_a_status(spool: Spool, log: Recorder) -> None:
    clock = ManualClock()
    agent = WholeAgent(HungCamera(), spool, log, clock=clock)
    housekeeping = housekeeping_of(agent, log)
    for sequence in range(3):
        agent.stages.mailbox.put(frame(sequence=sequence))
    agent.stages.inference.step()
    for _ in range(61):
        clock.now += TICK_S
        assert housekeeping.step() == TICK_S

    line = log.one("summary")
    facts = {
        "frames_read": 3,
        "frames_dropped": 2,
        "frames_analysed": 1,
        "captured": 1,
        "captured_every_nth": 1,
        "stored": 0,
        "delivered": 0,
        "evicted": 0,
        "rejected": 0,
        "waiting": 0,
        "upload": "flowing",
    }
    assert facts.items() <= line.items()
    assert {"inference_p50_ms", "inference_p95_ms"} <= line.keys()
    assert agent.says.said == [
        "STATUS=1 frames analysed in the last minute, 0 captures waiting, upload flowing"
    ]
    clock.now += SUMMARY_S
    housekeeping.step()
    assert log.lines[-1]["frames_read"] == 0


def test_each_minute_frees_objects_that_refer_to_each_other(spool: Spool, log: Recorder) -> None:
    """Python itself looks for them too rarely: the traceback of an error may hold frames."""

    class Holder:
        own: object = None

    clock = ManualClock()
    housekeeping = housekeeping_of(WholeAgent(HungCamera(), spool, log, clock=clock), log)
    holder = Holder()
    holder.own = holder
    is_alive = weakref.ref(holder)
    del holder

    clock.now += SUMMARY_S
    housekeeping.step()

    assert is_alive() is None


def test_a_disk_that_refuses_to_keep_what_was_learnt_is_no_bug(
    tmp_path: Path, clock: ManualClock, log: Recorder
) -> None:
    disk = RefusingDisk()
    with open_test_spool(tmp_path, clock, log, disk=disk) as spool:
        agent = WholeAgent(HungCamera(), spool, log, clock=clock)
        housekeeping = housekeeping_of(agent, log)
        disk.refuses = OSError(errno.EROFS, "Read-only file system")
        clock.now += MEMORY_S

        assert housekeeping.step() == TICK_S
        housekeeping.close()

    assert log.events[-1] == "summary"
