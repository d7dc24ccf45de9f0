"""What of a device needs a person, read from its status, with what to do about it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.fleet.devices import Camera, Condition, Need
from agent.record.timestamp import seconds_of
from agent.settings.units import show_span

OLD_WAITING_S = 86_400.0
"""Captures that could be delivered and have waited for longer need a person."""

STOPPED_MAX_S = 86_400.0
"""A device that was stopped in order needs a person once it has not come back for longer."""

CLOCK_OFF_S = 60.0
"""A clock that is off by more is wrong: a heartbeat takes seconds, and NTP keeps milliseconds."""

HEARTBEAT_S = 900.0
"""Seconds between two heartbeats of a device that does not say it."""

_MISSED = 2.5  # heartbeats until a device is silent: two may be lost
_SLACK_S = 60.0  # that a heartbeat may be late: its sender waits for captures and for the network
_DAY_S = 86_400.0
_BOOT_LENGTH = 8  # characters of a boot's id that are shown
_STOPPED = frozenset({"stopping", "stopped"})
_GONE = frozenset({"silent", "killed", "none", "stopped"})
_LOST = frozenset({"lost", "failed"})
_CAMERA_FIX = "check its power, its cable and its address in AGENT_CAMERAS"
_POOR = frozenset({"frozen", "covered", "dark", "overexposed", "blurred"})
_USELESS = frozenset({"frozen", "covered"})
_BAD_CONFIGURATION = 78  # exit code: restarting cannot help
_CHECK = "`capture-agent check` on the device says what to change; then restart it"
_RESTART = "restart it: systemctl restart capture-agent"
_DISK = {
    "refused": (
        "the disk refuses writes",
        "save its captures with `capture-agent export DIR`, then replace the card or disk",
    ),
    "full": ("the disk is full", "make room on it, or set AGENT_SPOOL_MIN_FREE lower"),
}

Status = Mapping[str, Any]
"""As `checked_status` returns it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a status was received, and for when it is read; seconds since 1970 UTC."""

    received_at: float
    now: float
    clock_off_s: float = 0.0  # what the device's clock is ahead

    @property
    def age_s(self) -> float:
        """Seconds since the status was received."""
        return max(self.now - self.received_at, 0.0)

    def since(self, time: str | None) -> float | None:
        """Return the seconds since a time of the device's clock."""
        if time is None:
            return None
        return max(self.now + self.clock_off_s - seconds_of(time), 0.0)


def silent_after(status: Status) -> float:
    """Return the seconds without a heartbeat after which a device is silent."""
    return _MISSED * (status["heartbeat_s"] or HEARTBEAT_S) + _SLACK_S


def was_stopped(status: Status) -> bool:
    """Return whether the daemon said before it fell silent that it stops in order."""
    return status["daemon"] in _STOPPED and not status["exit_code"]


def has_failed(status: Status) -> bool:
    """Return whether the daemon said that it ended with an error: then its silence is no news."""
    return status["daemon"] in _STOPPED and bool(status["exit_code"])


def cameras_of(status: Status, moment: Moment) -> Iterator[Camera]:
    """Yield the cameras with their conditions in words."""
    for camera in status["cameras"]:
        state, since, quality = camera["state"] or "unknown", camera["since_s"], camera["quality"]
        words = state
        if state == "live":
            words += "" if camera["fps"] is None else f", {max(camera['fps'], 0.0):.1f} fps"
            words += f", {quality}" if quality in _POOR else ""
        elif since is not None and state != "ended":
            words += f" for {show_span(since + moment.age_s)}"
        yield Camera(camera["name"] or "?", words, state, _is_well(camera), camera["error"])


def needs_of(status: Status, moment: Moment) -> list[Need]:
    """Return what needs a person, the most urgent first, the longest first within that."""
    found = [
        *_camera_needs(status, moment),
        *_delivery_needs(status, moment),
        *_disk_needs(status),
        *_clock_needs(status, moment),
        *_id_needs(status, moment),
        *_daemon_needs(status, moment),
        *_other_needs(status),
    ]
    return sorted(found, key=lambda need: (need.condition.rank, -(need.since_s or 0.0)))


def _is_well(camera: Mapping[str, Any]) -> bool:
    if camera["state"] == "live":
        return camera["quality"] not in _USELESS and not camera["error"]
    return camera["state"] in {"opening", "starting", "ended", "off"}


def _camera_needs(status: Status, moment: Moment) -> Iterator[Need]:
    for camera in status["cameras"]:
        if camera["state"] not in _LOST:
            continue
        lasted = None if camera["since_s"] is None else camera["since_s"] + moment.age_s
        what = f"camera {camera['name'] or '?'} {camera['state']}"
        what += f" for {show_span(lasted)}" if lasted is not None else ""
        fix = camera["error"] or _CAMERA_FIX  # an error says what to do, as far as it is known
        yield Need(Condition.FAILING, what, fix, lasted, f"camera {camera['state']}")


def _delivery_needs(status: Status, moment: Moment) -> Iterator[Need]:
    waiting, oldest = status["waiting"] or 0, moment.since(status["oldest_waiting"])
    error, credits_left = status["last_error"], status["credits_left"]
    if status["upload"] == "blocked":
        last = moment.since(status["last_delivered"])
        yield Need(
            Condition.FAILING,
            f"nothing can be delivered ({error or 'the endpoint refuses'})",
            "`capture-agent check` on the device says what to change",
            last if last is not None else oldest,
            "upload blocked",
        )
        return
    # Below one credit, captures wait for the budget: that is what it is for.
    is_spent = credits_left is not None and 0 <= credits_left < 1
    if not waiting or oldest is None or oldest <= OLD_WAITING_S or is_spent:
        return
    what = f"{captures(waiting)} waiting, the oldest for {show_span(oldest)}"
    fix = "check its network, AGENT_UPLOAD_WINDOW and AGENT_UPLOAD_MAX_RATE"
    yield Need(Condition.WAITING, f"{what} ({error})" if error else what, fix, oldest, "waiting")


def _disk_needs(status: Status) -> Iterator[Need]:
    if status["disk"] in _DISK:
        what, fix = _DISK[status["disk"]]
        what += f" ({status['disk_error']})" if status["disk_error"] else ""
        if "replace" in (status["disk_error"] or ""):
            fix = ""  # the device says it
        yield Need(Condition.FAILING, what, fix, word=f"disk {status['disk']}")


def _clock_needs(status: Status, moment: Moment) -> Iterator[Need]:
    if abs(moment.clock_off_s) > CLOCK_OFF_S:
        side = "ahead" if moment.clock_off_s > 0 else "behind"
        what = f"its clock is {show_span(abs(moment.clock_off_s))} {side}"
        if abs(moment.clock_off_s) > _DAY_S:
            what = f"its clock says {status['at'][:10]}"
        fix = "set its clock (NTP): its captures carry the wrong time"
        yield Need(Condition.ATTENTION, what, fix, word="clock wrong")


def _id_needs(status: Status, moment: Moment) -> Iterator[Need]:
    """Yield that other devices send with the id of this one, and which."""
    limit = silent_after(status)
    others = [
        each
        for each in status["other_boots"]
        if each["is_other_device"]
        and each["boot"] != status["boot"]
        and each["last"] is not None
        and moment.received_at - seconds_of(each["last"]) <= limit
    ]
    if not others:
        return
    facts = "; ".join(_boot_facts(each) for each in (status, *others))
    what = f"{len(others) + 1} devices send as {status['device']} ({facts})"
    yield Need(Condition.ATTENTION, what, "give each its own AGENT_DEVICE_ID", word="id used twice")


def _boot_facts(sender: Mapping[str, Any]) -> str:
    """Return by what a person finds one of two devices with one id."""
    words = [f"boot {sender['boot'][:_BOOT_LENGTH]}"]
    if sender["received_from"]:
        words.append(f"from {sender['received_from']}")
    if sender["since_boot_s"] is not None:
        words.append(f"up for {show_span(sender['since_boot_s'])}")
    return " ".join(words)


def _daemon_needs(status: Status, moment: Moment) -> Iterator[Need]:
    """Yield that the daemon hangs or ended, in the device's words where it has some."""
    if was_stopped(status):
        return
    said = [need for need in status["needs"] if need.startswith(_DAEMON)]
    if not said and status["daemon"] in _GONE:
        said = ["the daemon does not run"]
    ended = has_failed(status)
    fix = _CHECK if status["exit_code"] == _BAD_CONFIGURATION else _RESTART
    for need in said:
        what = f"{need}, {show_span(moment.age_s)} ago" if ended else need
        since = moment.age_s if ended else None
        yield Need(Condition.FAILING, what, fix, since, word="daemon ended" if ended else "daemon")


_DAEMON = ("the daemon ", "no progress in ")


def _other_needs(status: Status) -> Iterator[Need]:
    """Yield the needs in the device's own words that nothing above says already."""
    said = [*_DAEMON]
    said += [f"camera {each['name']}: " for each in status["cameras"] if each["state"] in _LOST]
    said += ["nothing can be delivered"] if status["upload"] == "blocked" else []
    said += ["the disk ", "the file system has no room"] if status["disk"] in _DISK else []
    for need in status["needs"]:
        if not need.startswith(tuple(said)):
            yield Need(Condition.ATTENTION, need)


def captures(count: int) -> str:
    """Return a number of captures in words."""
    return f"{count:,} capture{'' if count == 1 else 's'}"
