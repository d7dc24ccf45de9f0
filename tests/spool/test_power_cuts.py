"""The proofs, on the real spool."""

from functools import partial

import pytest

from agent.spool import reconciliation
from tests.fakes.disk.power_cut import TwoNamesDisk
from tests.spool.proofs import (
    MakeMachine,
    Proof,
    delivers_a_refused_put_once,
    delivers_each_fact_once,
    drains_a_full_disk,
    finishes_what_the_disk_refused,
    gives_up_a_refused_put_for_good,
    keeps_the_budget,
    requeues_or_leaves_rejected,
    sends_the_same_after_a_purchase,
    survives_a_lost_index,
    survives_failed_flushes,
    survives_kills_then_power_cuts,
    survives_power_cuts,
    survives_power_cuts_at_start,
)


@pytest.mark.parametrize(
    "proof",
    [
        survives_power_cuts,
        survives_kills_then_power_cuts,
        survives_power_cuts_at_start,
        survives_failed_flushes,
        drains_a_full_disk,
        delivers_a_refused_put_once,
        finishes_what_the_disk_refused,
        gives_up_a_refused_put_for_good,
        survives_a_lost_index,
        keeps_the_budget,
        delivers_each_fact_once,
        sends_the_same_after_a_purchase,
        requeues_or_leaves_rejected,
    ],
)
def test_the_spool_keeps_its_promise(proof: Proof, make_machine: MakeMachine) -> None:
    proof(make_machine)


def test_power_may_be_lost_between_the_transactions_of_a_recovery(
    make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "GROUP", 1)

    survives_power_cuts_at_start(make_machine)


@pytest.mark.parametrize(
    "proof", [survives_power_cuts, survives_kills_then_power_cuts, survives_power_cuts_at_start]
)
def test_a_move_may_leave_a_file_in_both_folders(proof: Proof, make_machine: MakeMachine) -> None:
    proof(partial(make_machine, make_disk=TwoNamesDisk))
