"""The one place where frames may be lost: the newest wins, and the law of its counts holds."""

import threading

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.runtime.mailbox import FrameCounts, Mailbox
from tests.fakes.captures import frame
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import wait_until
from tests.search import examples


def test_the_newest_frame_wins_and_the_older_one_is_counted() -> None:
    mailbox = Mailbox({"gate": False})
    for sequence in range(3):
        mailbox.put(frame(sequence=sequence))

    ticket = mailbox.take(0)

    assert ticket is not None
    assert ticket.frame.sequence == 2
    assert mailbox.counts() == FrameCounts(offered=3, dropped=2, taken=1)
    assert mailbox.take(0) is None


def test_tickets_number_the_taken_frames_of_each_camera() -> None:
    mailbox = Mailbox({"gate": False, "yard": False})
    orders = []
    for sequence in range(3):
        mailbox.put(frame(sequence=sequence))
        mailbox.put(frame(camera="yard", sequence=sequence))
        tickets = [mailbox.take(0), mailbox.take(0)]
        orders += [(t.frame.camera, t.order) for t in tickets if t]

    assert sorted(orders) == [(c, n) for c in ("gate", "yard") for n in range(3)]


def test_a_busy_camera_does_not_starve_the_others() -> None:
    mailbox = Mailbox({"busy": False, "calm": False})
    mailbox.put(frame(camera="calm", sequence=0))
    served = []
    for sequence in range(2):
        mailbox.put(frame(camera="busy", sequence=sequence))
        ticket = mailbox.take(0)
        assert ticket is not None
        served.append(ticket.frame.camera)

    assert sorted(served) == ["busy", "calm"]


def test_a_lossless_camera_waits_until_its_frame_was_taken() -> None:
    mailbox = Mailbox({"clip": True})
    mailbox.put(frame(camera="clip", sequence=0))
    second = threading.Thread(target=mailbox.put, args=(frame(camera="clip", sequence=1),))
    second.start()

    taken = [mailbox.take(LIMIT_S), mailbox.take(LIMIT_S)]
    second.join()

    assert [t.frame.sequence for t in taken if t] == [0, 1]
    assert mailbox.counts() == FrameCounts(offered=2, dropped=0, taken=2)


def test_closing_lets_a_waiting_lossless_camera_go() -> None:
    mailbox = Mailbox({"clip": True})
    mailbox.put(frame(camera="clip", sequence=0))
    second = threading.Thread(target=mailbox.put, args=(frame(camera="clip", sequence=1),))
    second.start()

    mailbox.close()
    second.join(60)

    assert not second.is_alive()
    assert mailbox.counts() == FrameCounts(offered=2, dropped=1, taken=0)


def test_a_camera_with_too_many_unfinished_frames_waits_and_the_others_do_not() -> None:
    mailbox = Mailbox({"gate": False, "yard": False}, unfinished=2)
    served = []
    for sequence in range(4):
        mailbox.put(frame(sequence=sequence))
        mailbox.put(frame(camera="yard", sequence=sequence))
        tickets = [mailbox.take(0), mailbox.take(0)]
        served += [(t.frame.camera, t.frame.sequence) for t in tickets if t]
        mailbox.finished("yard", sequence + 1)

    assert [each for each in served if each[0] == "gate"] == [("gate", 0), ("gate", 1)]
    assert len(served) == 2 + 4
    mailbox.finished("gate", 1)
    ticket = mailbox.take(0)
    assert ticket is not None
    assert (ticket.frame.camera, ticket.frame.sequence) == ("gate", 3)


def test_at_the_close_the_last_frame_is_taken_whatever_is_unfinished() -> None:
    mailbox = Mailbox({"gate": False}, unfinished=1)
    mailbox.put(frame(sequence=0))
    mailbox.take(0)
    mailbox.put(frame(sequence=1))
    assert mailbox.take(0) is None

    mailbox.close()

    assert not mailbox.drained
    assert mailbox.take(0) is not None
    assert mailbox.drained


def test_what_is_inside_at_the_close_can_still_be_taken() -> None:
    mailbox = Mailbox({"gate": False})
    mailbox.put(frame(sequence=0))
    mailbox.close()
    mailbox.put(frame(sequence=1))

    assert not mailbox.drained
    ticket = mailbox.take(0)
    assert ticket is not None
    assert ticket.frame.sequence == 0
    assert mailbox.drained


def test_a_close_wakes_a_worker_that_waits_for_a_frame() -> None:
    mailbox = Mailbox({"gate": False})
    answers: list[object] = []
    worker = threading.Thread(target=lambda: answers.append(mailbox.take(2 * LIMIT_S)), daemon=True)
    worker.start()

    mailbox.close()

    wait_until(lambda: answers == [None])
    worker.join()


class MailboxLaw(RuleBasedStateMachine):
    """Any order of puts, takes and a close against one slot a camera in a plain dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox = Mailbox({"gate": False, "yard": False})
        self.inside: dict[str, int] = {}
        self.offered = self.dropped = self.taken = 0
        self.closed = False

    @rule(camera=st.sampled_from(["gate", "yard"]))
    def put(self, camera: str) -> None:
        self.mailbox.put(frame(camera=camera, sequence=self.offered))
        self.dropped += self.closed or camera in self.inside
        if not self.closed:
            self.inside[camera] = self.offered
        self.offered += 1

    @rule()
    def take(self) -> None:
        ticket = self.mailbox.take(0)
        assert (ticket is None) == (not self.inside)
        if ticket is not None:
            assert self.inside.pop(ticket.frame.camera) == ticket.frame.sequence
            self.taken += 1

    @rule()
    def close(self) -> None:
        self.mailbox.close()
        self.closed = True

    @invariant()
    def nothing_is_lost_uncounted(self) -> None:
        counts = self.mailbox.counts()
        assert counts == FrameCounts(self.offered, self.dropped, self.taken)
        assert counts.offered == counts.dropped + counts.taken + len(self.inside)
        assert self.mailbox.drained == (self.closed and not self.inside)


TestMailboxLaw = MailboxLaw.TestCase
TestMailboxLaw.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
