"""A call that hangs holds up nobody; a call that ends gives its result or its error."""

import subprocess
import sys
from threading import Event

import pytest

from agent.runtime.abandonable import Abandonable, within
from tests.limits import LIMIT_S


def test_a_call_gives_its_result() -> None:
    assert within(20, lambda: 5, name="five") == 5


def test_a_call_raises_in_its_caller(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        within(20, fail, name="fails")
    assert capfd.readouterr().err == ""


def test_a_call_that_hangs_is_left_behind() -> None:
    let_go = Event()
    hanging = Abandonable(lambda: let_go.wait(60), name="hangs")

    assert not hanging.wait(0.01)
    assert within(0.01, lambda: let_go.wait(60), name="hangs") is None
    let_go.set()
    assert hanging.wait(60)
    assert hanging.result()


def test_the_end_of_the_process_does_not_wait_for_it() -> None:
    script = (
        "import time; from agent.runtime.abandonable import within; "
        f"print(within(0.01, lambda: time.sleep({2 * LIMIT_S}), name='hangs'))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )

    assert (ended.returncode, ended.stdout) == (0, "None\n"), ended.stderr
