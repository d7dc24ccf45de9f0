"""What the daemon says of its auto labels."""

from dataclasses import replace

from agent.domain import ModelInfo
from agent.mqtt.messages import device_state
from agent.runtime.auto_labels import AutoReport
from tests.fakes.log import Recorder
from tests.mqtt.door import FIGURES, STATE
from tests.selection.auto_frames import MODEL, Device, feedback, objects, plan, seen


def test_the_log_says_which_classes_are_trusted_and_what_is_missing() -> None:
    recorder, device = Recorder(), Device(plan(3600.0))
    assert device.selection.auto is not None
    report = AutoReport(device.selection.auto, lambda: MODEL, recorder.log)
    report.decided()
    device.selection.use(feedback())
    report.decided()

    assert "AGENT_FEEDBACK" in recorder.one("auto labels off")["missing"]
    decided = recorder.one("auto labels decided")
    assert decided["classes"] == "car from 0.70 (lower bound 0.985)"
    assert "person is not trusted: lower bound 0.912 < 0.98" in decided["missing"]


def test_the_state_has_the_trust_the_counts_and_why_frames_were_left_out() -> None:
    device, model = Device(plan(3600.0)), [MODEL]

    def in_use() -> ModelInfo:
        return model[0]

    assert device.selection.auto is not None
    report = AutoReport(device.selection.auto, in_use, Recorder().log)
    device.selection.use(feedback())
    device.run([seen(10.0, *objects(("person", 0.9))), seen(20.0), seen(30.0)])
    state = report.state({"auto_sent_today": 3, "auto_waiting": 2})

    assert (state.per_day, state.sent_today, state.waiting) == (10, 3, 2)
    assert state.trusted == "car from 0.70 (lower bound 0.985)"
    assert "person" in state.missing
    assert state.left_out == "2 (no detection reaches its threshold), 1 (a class is not trusted)"
    model[0] = replace(MODEL, name="other", sha256="00")
    assert report.state({}).trusted == ""
    assert "need a feedback file for other" in report.state({}).missing


def test_the_state_on_mqtt_has_the_auto_labels_of_today_where_there_are_any() -> None:
    with_auto = device_state(STATE, {**FIGURES, "auto_sent_today": 3.0}, dropped=0)

    assert with_auto["auto_sent_today"] == 3
    assert "auto_sent_today" not in device_state(STATE, FIGURES, dropped=0)
