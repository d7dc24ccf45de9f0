"""Random actions, with power cuts and errors at any step, against a simple model."""

import errno
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agent.domain import Lane
from agent.errors import SpoolUnavailable
from agent.spool.types import NewCapture, SpoolLimits
from tests.fakes.captures import new_capture
from tests.fakes.disk.power_cut import DiskFault, PowerCut
from tests.search import examples
from tests.spool.checked_spool import CheckedSpool
from tests.spool.spool_builders import OVERHEAD, Machine, fact_text

_errors = st.sampled_from([errno.ENOSPC, errno.EIO, errno.EROFS])
_steps = st.integers(1, 20)
_dice = st.randoms(use_true_random=False)
_shapes = st.lists(
    st.tuples(
        st.sampled_from(Lane),
        st.integers(0, 4).map(lambda quarter: quarter / 4),
        st.integers(1, 12_000),
    ),
    min_size=1,
    max_size=4,
)


class SpoolMachine(RuleBasedStateMachine):
    """Random actions on one machine."""

    @initialize(blocks=st.integers(4, 40))
    def begin(self, blocks: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        limits = SpoolLimits(OVERHEAD + blocks * 4096)
        self.checked = CheckedSpool(Machine(Path(self.folder.name) / "spool", limits))
        self.disk = self.checked.machine.disk
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "checked"):
            self.checked.machine.kill()
            self.folder.cleanup()

    @rule(shapes=_shapes, dice=_dice)
    def put(self, shapes: list[tuple[Lane, float, int]], dice: random.Random) -> None:
        captures = []
        for lane, value, size in shapes:
            self.number += 1
            clip = (b"a" * size, b"b") if size % 2 else ()
            captures.append(new_capture(self.number, lane=lane, value=value, size=size, clip=clip))
        self._put(captures, dice)

    @precondition(lambda self: self.checked.unstored)
    @rule(dice=_dice)
    def put_again_what_the_disk_refused(self, dice: random.Random) -> None:
        captures = list(self.checked.unstored.values())
        dice.shuffle(captures)
        self._put(captures[:4], dice)

    @rule(dice=_dice)
    def claim(self, dice: random.Random) -> None:
        with self._with_power(dice):
            self.checked.claim()

    @rule(dice=_dice, facts=st.integers(1, 3))
    def keep_facts(self, dice: random.Random, facts: int) -> None:
        known = ["", *sorted(self.checked.images)]
        texts = []
        for _ in range(facts):
            self.number += 1
            texts.append(fact_text(self.number, dice.choice(known)))
        with self._with_power(dice):
            self.checked.keep_facts(texts)

    @precondition(lambda self: self.checked.claimed)
    @rule(dice=_dice, end=st.sampled_from(["acknowledge", "acknowledge", "release", "reject"]))
    def finish(self, dice: random.Random, end: str) -> None:
        identity = dice.choice(sorted(self.checked.claimed))
        with self._with_power(dice):
            getattr(self.checked, end)(identity)

    @precondition(lambda self: self.checked.rejected)
    @rule(dice=_dice)
    def requeue(self, dice: random.Random) -> None:
        identity = dice.choice(sorted(self.checked.rejected))
        with self._with_power(dice):
            self.checked.requeue(identity)

    @rule(steps=_steps)
    def cut_the_power_soon(self, steps: int) -> None:
        self.disk.inject(DiskFault(steps))

    @rule(steps=_steps, error=_errors, lasting=st.booleans())
    def fail_soon(self, steps: int, error: int, lasting: bool) -> None:
        self.disk.inject(DiskFault(steps, error, lasting))

    @rule()
    def fix_the_disk(self) -> None:
        self.disk.inject(None)

    @rule(dice=_dice, power=st.booleans())
    def stop_now(self, dice: random.Random, power: bool) -> None:
        self._end(dice, power=power)

    @rule(dice=_dice)
    def lose_power_and_index(self, dice: random.Random) -> None:
        self._end(dice, power=True, is_index_lost=True)

    @invariant()
    def state_matches(self) -> None:
        if hasattr(self, "checked"):
            self.checked.check()

    def _put(self, captures: list[NewCapture], dice: random.Random) -> None:
        with self._with_power(dice):
            self.checked.put(captures)

    @contextmanager
    def _with_power(self, dice: random.Random) -> Iterator[None]:
        try:
            yield
        except PowerCut:
            self._end(dice, power=dice.random() < 0.7)

    def _end(self, dice: random.Random, *, power: bool, is_index_lost: bool = False) -> None:
        """End the process and start it again; the start may fail or lose power too."""
        machine = self.checked.machine

        def start() -> None:
            machine.kill()
            if power:
                machine.lose_power(lambda bound: dice.randint(0, bound))
            if is_index_lost:
                machine.lose_index()
            while True:
                if dice.random() < 0.3:
                    error = dice.choice([None, None, errno.EIO, errno.ENOSPC])
                    self.disk.inject(DiskFault(dice.randint(1, 25), error))
                try:
                    machine.start()
                except PowerCut:
                    machine.lose_power(lambda bound: dice.randint(0, bound))
                except SpoolUnavailable:
                    machine.kill()
                else:
                    self.disk.inject(None)
                    return

        self.checked.start_again(start, is_index_lost=is_index_lost)


def test_random_actions_break_no_promise() -> None:
    run_state_machine_as_test(
        SpoolMachine,
        settings=settings(
            max_examples=examples(60),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_many_random_actions_break_no_promise() -> None:
    run_state_machine_as_test(
        SpoolMachine,
        settings=settings(
            max_examples=500,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
