"""A Debian that boots with systemd, the package on it: what the unit promises, seen to happen.

Each command and its result are in `test_boot.log` in the cache's folder; see `conftest.py`.
"""

import json
import re

import pytest

from tests.boot.device import ENDPOINT, PYTHON, STATE, UNIT, WORKING, Device

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

MODEL = "/srv/model.onnx"
BUNDLED = "opt/capture-agent/lib/python*/site-packages/agent/detector/models/nanodet-g-416.onnx"


def test_it_is_ready_when_systemd_says_so_and_delivers(device: Device) -> None:
    since = device.start()

    state, status, user = device.facts("ActiveState", "StatusText", "User")
    assert (state, user) == ("active", "capture-agent")
    assert status.startswith("capturing")
    device.wait_for("capture delivered", since)
    assert device.delivered() > 0
    assert device.status()["delivered"] > 0
    assert device.path(STATE).stat().st_mode & 0o777 == 0o700


def test_the_sandbox_is_as_tight_as_promised_and_holds(device: Device) -> None:
    device.start()

    said = device.run("systemd-analyze", "security", "--no-pager", UNIT)

    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert level, said
    assert float(level[1]) <= 2.0
    process = f"/proc/{device.main_process()}"
    facts = device.run("cat", f"{process}/status")
    assert re.search(r"(?m)^CapEff:\s+0+$", facts)
    assert re.search(r"(?m)^NoNewPrivs:\s+1$", facts)
    assert re.search(r"(?m)^Seccomp:\s+2$", facts)
    assert device.run("ls", "-A", f"{process}/root/root") == ""


def test_what_a_person_asks_is_answered_as_the_service_would(device: Device) -> None:
    """Its settings, its token, its user, and its sandbox, in which the camera must open."""
    since = device.start()
    device.wait_for("capture delivered", since)

    assert "as-service status looks at it" in device.run("capture-agent", "status", fails=True)
    service = ("capture-agent", "as-service")
    device.machine.until(
        lambda: re.search('"state": ?"live"', device.machine.look(*service, "status", "--json")[1])
    )
    status = json.loads(device.run(*service, "status", "--json"))
    assert status["daemon_pid"] == device.main_process()
    assert re.match(r"street: \S+ (stored|delivered)", device.run(*service, "request"))
    device.run(*service, "look", "--out", "/var/lib/capture-agent/look.jpg")
    after = json.loads(device.run(*service, "status", "--json"))
    assert (after["daemon"], after["daemon_pid"]) == ("running", status["daemon_pid"])
    assert status["delivered"] > 0
    checks = json.loads(device.run(*service, "check", "--json"))["checks"]
    assert {each["name"] for each in checks} >= {"settings", "model", "street", "endpoint"}
    device.configure(AGENT_FPS="fast")
    said = device.run(*service, "check", fails=True)
    assert "AGENT_FPS: must be a number" in said


def test_programs_are_cameras_inside_the_sandbox_and_end_with_the_service(device: Device) -> None:
    """One alone without quotes, as a technician writes it; two with quotes, of which one hangs."""
    grab = f"exec:{PYTHON} /srv/grab.py /srv/clip.mp4"
    since = device.start(AGENT_CAMERAS=grab)
    device.wait_for("camera opened", since)
    assert 'text="looking at the street"' in device.wait_for("program message", since)
    device.wait_for("capture delivered", since)
    [program] = programs(device)
    facts = device.run("cat", f"/proc/{program}/status")
    owner = device.run("stat", "--format=%U", f"/proc/{program}").strip()
    environment = device.run("cat", f"/proc/{program}/environ")
    assert owner == "capture-agent"
    assert re.search(r"(?m)^Seccomp:\s+2$", facts)
    assert "PATH=" in environment
    assert not re.search("AGENT_|CREDENTIALS_DIRECTORY|NOTIFY_SOCKET", environment)

    both = f"\"'a={grab}' 'b={grab} hang'\""
    since = device.start(AGENT_CAMERAS=both, AGENT_CAMERA_STALL="10s")
    assert "camera=b " in device.wait_for("camera lost", since)
    assert programs(device)
    device.run("systemctl", "stop", UNIT)
    assert not programs(device)
    assert "stop overdue" not in "".join(device.journal(since))

    device.start(AGENT_CAMERAS=both, AGENT_CAMERA_STALL="30s")
    device.machine.until(lambda: len(programs(device)) == len("ab"))
    killed = programs(device)
    before = device.main_process()
    device.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", UNIT)
    device.wait_for_another(before)
    assert not programs(device) & killed


def programs(device: Device) -> set[str]:
    """The numbers of the camera's programs that run."""
    find = "grep -l 'grab[.]py' /proc/[0-9]*/cmdline 2>/dev/null"
    return {path.split("/")[2] for path in device.machine.look("sh", "-c", find)[1].split()}


def test_what_waits_is_taken_away_on_a_stick(device: Device) -> None:
    since = device.start(AGENT_UPLOAD_URL="")
    device.wait_for("capture stored", since)
    device.run("systemctl", "stop", UNIT)
    device.run("install", "--directory", "--owner=capture-agent", "/media/stick")

    export = ("export", "/media/stick/captures", "--acknowledge")
    device.run("capture-agent", "as-service", "--writable", "/media/stick", *export)

    assert list(device.path("/media/stick/captures/images").glob("*.jpg"))
    assert device.status()["waiting"] == 0
    device.wait_for("agent started", device.start())  # what is left is still the service's


def test_after_a_kill_it_comes_back_and_nothing_is_lost(device: Device) -> None:
    since = device.start(AGENT_UPLOAD_URL="")  # all captures wait
    device.wait_for("capture stored", since)
    before = device.main_process()

    device.run("systemctl", "kill", "--kill-who=main", "--signal=SIGKILL", UNIT)

    device.wait_for_another(before)
    assert device.facts("NRestarts") == ["1"]
    stored = [line for line in device.journal(since) if 'event="capture stored"' in line]
    facts = device.status()
    assert facts["waiting"] >= len(stored) > 0
    assert facts["stored"] == facts["waiting"] + facts["delivered"] + facts["evicted"]


def test_a_worker_that_hangs_trips_the_watchdog(device: Device) -> None:
    """The main thread lives on, and must not feed the watchdog for a thread that makes no step."""
    override = device.path(f"/etc/systemd/system/{UNIT}.d/test.conf")
    override.write_text("[Service]\nWatchdogSec=6s\n", "utf-8")
    device.run("systemctl", "daemon-reload")
    try:
        since = device.start()
        device.wait_for("camera opened", since)
        before = device.main_process()
        hang = ("python3", "/srv/hang.py", str(before), "onnxruntime")
        device.run("systemd-run", "--quiet", "--unit=hang", "--collect", *hang)

        stalled = device.wait_for("worker stalled", since)

        device.wait_for_another(before)
    finally:
        device.try_to("systemctl", "stop", "hang.service")
        override.unlink()
        device.run("systemctl", "daemon-reload")

    assert 'workers="inference' in stalled
    said = device.journal(since)
    assert f"{UNIT}: Watchdog timeout (limit 6s)!" in said
    assert f"{UNIT}: Failed with result 'watchdog'." in said


def test_a_wrong_setting_stops_it_for_good_with_one_clear_line(device: Device) -> None:
    since = device.start()
    device.configure(AGENT_FPS="fast")

    device.run("systemctl", "restart", UNIT, fails=True)

    facts = ("ActiveState", "Result", "ExecMainStatus", "NRestarts")
    assert device.facts(*facts) == ["failed", "exit-code", "78", "0"]
    warnings = device.journal(since, "--priority=warning")
    [line] = [line for line in warnings if line.startswith("capture-agent:")]
    assert "AGENT_FPS: must be a number" in line


def test_it_stops_in_time_with_an_endpoint_that_does_not_answer(device: Device) -> None:
    device.run("systemctl", "kill", "--kill-who=main", "--signal=SIGSTOP", "endpoint.service")
    try:
        since = device.start()
        device.wait_for("capture stored", since)
        device.run("systemctl", "stop", UNIT)
    finally:
        device.run("systemctl", "kill", "--kill-who=main", "--signal=SIGCONT", "endpoint.service")

    assert device.facts("ActiveState", "Result") == ["inactive", "success"]  # not "timeout"
    assert "lost=0" in device.wait_for("agent stopped", since)


def test_a_reload_takes_up_a_good_model_and_keeps_the_old_one_for_a_bad(device: Device) -> None:
    [bundled] = device.machine.root.glob(BUNDLED)
    model = device.path(MODEL)
    model.write_bytes(bundled.read_bytes())
    settings = {"AGENT_MODEL_FORMAT": "nanodet", "AGENT_MODEL_LABELS": "coco"}
    since = device.start(AGENT_MODEL=MODEL, **settings)
    process = device.main_process()
    device.wait_for("frame captured", since)

    model.write_bytes(bundled.read_bytes()[:100_000])
    device.run("systemctl", "reload", UNIT)
    kept = device.wait_for("model reload failed", since)
    # The same graph, and its maker's name (field 2 of an ONNX file) once more: another file.
    model.write_bytes(bundled.read_bytes() + b"\x12\x03new")
    device.run("systemctl", "reload", UNIT)
    changed = device.wait_for("model changed", since)

    assert "cannot load the model" in kept
    assert "level=info" in changed
    assert device.main_process() == process


def test_the_journal_at_warning_tells_what_is_wrong_and_nothing_else(device: Device) -> None:
    since = device.start(
        AGENT_CAMERAS=f"{WORKING['AGENT_CAMERAS']} door=rtsp://127.0.0.1:9/door",
        AGENT_UPLOAD_URL=ENDPOINT.replace("8000", "9"),
    )
    for event in ("camera lost", "upload delayed", "capture stored"):
        device.wait_for(event, since)

    lines = device.journal(since, "--priority=warning")

    told = [re.search(r'event="([^"]+)"', line) for line in lines]
    assert {found and found[1] for found in told} == {"camera lost", "upload delayed"}
    assert len(lines) < len(device.journal(since)) / 2


def test_it_comes_back_after_the_power_was_lost(device: Device) -> None:
    device.run("systemctl", "enable", "--quiet", UNIT)
    since = device.start(AGENT_UPLOAD_URL="")
    device.wait_for("capture stored", since)
    stored = device.status()["stored"]

    device.machine.lose_power()
    device.machine.boot()

    device.wait_for_another(0)
    facts = device.status()
    assert facts["stored"] >= stored
    assert facts["stored"] == facts["waiting"] + facts["delivered"] + facts["evicted"]
