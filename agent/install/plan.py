"""What an installation consists of: from facts about a machine to a list of steps.

Nothing is read or done here, so a plan can be shown, tested, and made for a machine that is still
an image. `agent/install/apply.py` looks and acts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath as Place

from agent.settings.declarations import Settings, variable

USER = "capture-agent"
UNIT_NAME = "capture-agent.service"
SETTINGS_FOLDER = Place("/etc/capture-agent")
ENV_FILE = SETTINGS_FOLDER / "capture-agent.env"
TOKEN_FILE = SETTINGS_FOLDER / "upload_token"
API_TOKEN_FILE = SETTINGS_FOLDER / "api_token"
STATE_FOLDER = Place("/var/lib/capture-agent")
RUNTIME_FOLDER = Place("/run/capture-agent")  # the unit preserves it for `as-service status`
UNIT = Place("/etc/systemd/system") / UNIT_NAME
ENABLED = UNIT.parent / "multi-user.target.wants" / UNIT_NAME
DROP_IN_FOLDER = UNIT.with_name(f"{UNIT_NAME}.d")
SYSUSERS = Place("/etc/sysusers.d/capture-agent.conf")

_SYSUSERS_TEXT = f"""\
# Made by `capture-agent install --root`: the user of the capture agent.
u {USER} - "Capture agent" {STATE_FOLDER}
m {USER} video
"""
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 (names, no files)
"""What the unit's sandbox hides: ProtectHome and PrivateTmp."""


@dataclass(frozen=True, slots=True)
class Folder:
    """This folder exists, with this mode."""

    path: Place
    mode: int
    owner: str = "root"  # user and group


@dataclass(frozen=True, slots=True)
class File:
    """This file exists, whole, with this mode; `text` None leaves what is in it."""

    path: Place
    mode: int
    text: str | None
    group: str = "root"


@dataclass(frozen=True, slots=True)
class Command:
    """This program runs."""

    words: tuple[str, ...]
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """This file, or this folder and all in it, is gone."""

    path: Place


@dataclass(frozen=True, slots=True)
class Message:
    """Nothing to do; a person should know."""

    text: str


Step = Folder | File | Command | Remove | Message


@dataclass(frozen=True, slots=True)
class Machine:
    """What the steps depend on."""

    executable: str  # path of capture-agent as the machine will see it
    unit: str  # the text of the unit as it comes with the agent
    drop_ins: Mapping[str, str]  # all that come with the agent: name to text
    env_template: str
    platforms: frozenset[str] = frozenset()  # names of drop-ins that this machine needs
    groups: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    files: Mapping[Place, str] = field(default_factory=dict)  # those of ours that exist
    folders: frozenset[Place] = frozenset()  # those of ours that exist
    image: str | None = None  # folder of another root, None for the running machine
    has_accounts: bool = True  # whether there is an /etc/passwd to add a user to
    systemd_runs: bool = True


def plan_install(machine: Machine) -> list[Step]:
    """The steps to an installed agent; those that find their work done change nothing."""
    group = USER if machine.image is None else "root"
    steps: list[Step] = _user(machine)
    steps.append(Folder(SETTINGS_FOLDER, 0o755))
    steps += _env_file(machine, group)
    for path in (TOKEN_FILE, API_TOKEN_FILE):  # the unit fails without a file of a credential
        steps.append(File(path, 0o600, None if path in machine.files else ""))
    if machine.image is None:  # in an image, StateDirectory= makes it at the first start
        steps.append(Folder(STATE_FOLDER, 0o700, USER))
    steps += [File(UNIT, 0o644, unit_text(machine)), *_drop_ins(machine)]
    return [*steps, _reload(machine)]


def plan_uninstall(machine: Machine, *, purge: bool) -> list[Step]:
    """The steps back; captures, settings and the user stay unless `purge`."""
    steps: list[Step] = []
    if UNIT in machine.files and machine.image is None and machine.systemd_runs:
        steps.append(Command(("systemctl", "disable", "--now", UNIT_NAME), may_fail=True))
    steps += [Remove(path) for path in _ours(machine) if path in machine.files]
    if DROP_IN_FOLDER in machine.folders and not _foreign_drop_ins(machine):
        steps.append(Remove(DROP_IN_FOLDER))
    if RUNTIME_FOLDER in machine.folders:
        steps.append(Remove(RUNTIME_FOLDER))
    steps.append(_reload(machine))
    kept = [path for path in (SETTINGS_FOLDER, STATE_FOLDER) if path in machine.folders]
    if not purge:
        names = " and ".join(str(path) for path in kept)
        return [*steps, Message(f"kept: {names}; --purge deletes them")] if kept else steps
    steps += [Remove(path) for path in kept]
    if USER in machine.users:
        prefix = ("--prefix", machine.image) if machine.image else ()
        steps.append(Command(("userdel", *prefix, USER)))
        # Where userdel leaves the group; where it does not, there is none to delete.
        steps.append(Command(("groupdel", *prefix, USER), may_fail=True))
    elsewhere = re.search(r"(?m)^AGENT_SPOOL_DIR=(\S.*)$", machine.files.get(ENV_FILE, ""))
    if elsewhere:
        steps.append(Message(f"captures in {elsewhere[1]} are not touched: delete them by hand"))
    return steps


def unit_text(machine: Machine) -> str:
    """The unit that starts this machine's executable."""
    path = machine.executable.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    if re.search(r"[\s'\"\\]", path):
        path = f'"{path}"'
    line = f"ExecStart={path} run"
    return re.sub(r"(?m)^ExecStart=.*$", lambda _: line, machine.unit)


def missing_settings(env_file: str) -> list[str]:
    """The settings that an env file of an older version does not mention, not even as comment."""
    named = set(re.findall(r"(?m)^[#\s]*(AGENT_[A-Z0-9_]+)\s*=", env_file))
    return [name for name in map(variable, Settings.model_fields) if name not in named]


def hidden_from_the_service(path: str) -> bool:
    """Whether the unit's sandbox hides this path, so that the service could not start."""
    return any(Place(path).is_relative_to(place) for place in _HIDDEN)


def _user(machine: Machine) -> list[Step]:
    steps: list[Step] = []
    if machine.image is not None:
        steps += [
            Folder(SYSUSERS.parent, 0o755),
            File(SYSUSERS, 0o644, _SYSUSERS_TEXT),
        ]
        if not machine.has_accounts:
            steps.append(Message(f"no /etc/passwd yet: systemd-sysusers makes the user {USER}"))
    if USER not in machine.users and machine.has_accounts:
        prefix = ("--prefix", machine.image) if machine.image else ()
        own_group = ("--gid", USER) if USER in machine.groups else ("--user-group",)
        kind = ("--system", *own_group, "--no-create-home")
        home = ("--home-dir", str(STATE_FOLDER), "--shell", "/usr/sbin/nologin")
        steps.append(Command(("useradd", *prefix, *kind, *home, USER)))
    if machine.has_accounts and "video" not in machine.groups:
        prefix = ("--prefix", machine.image) if machine.image else ()
        steps.append(Command(("groupadd", *prefix, "--system", "video")))
    if machine.image is None:  # in an image, the unit's SupplementaryGroups= is enough
        steps.append(Command(("usermod", "--append", "--groups", "video", USER)))
    return steps


def _env_file(machine: Machine, group: str) -> list[Step]:
    present = machine.files.get(ENV_FILE)
    if present is None:
        return [File(ENV_FILE, 0o640, machine.env_template, group)]
    steps: list[Step] = [Message(f"{ENV_FILE} exists and is not touched")]
    lacking = missing_settings(present)
    if lacking:
        steps.append(
            Message(
                f"settings that it does not mention, all with a default: {', '.join(lacking)}; "
                "`capture-agent env` explains them"
            )
        )
    return steps


def _drop_ins(machine: Machine) -> list[Step]:
    """Those that this machine needs; one that it needs no more is removed."""
    steps: list[Step] = [Folder(DROP_IN_FOLDER, 0o755)]
    for name, text in machine.drop_ins.items():
        path = _drop_in(name)
        if name in machine.platforms:
            if "render" not in machine.groups:  # a group that does not exist fails the unit
                text = re.sub(r"(?m)^SupplementaryGroups=render\n", "", text)  # noqa: PLW2901
            steps.append(File(path, 0o644, text))
        elif path in machine.files:
            steps.append(Remove(path))
    return steps


def _reload(machine: Machine) -> Step:
    if machine.image is not None:
        return Message("daemon-reload is left to the first boot of the image")
    if not machine.systemd_runs:
        return Message("systemd does not run here: daemon-reload is left out")
    return Command(("systemctl", "daemon-reload"))


def _ours(machine: Machine) -> list[Place]:
    return [ENABLED, UNIT, *map(_drop_in, machine.drop_ins), SYSUSERS]


def _foreign_drop_ins(machine: Machine) -> bool:
    ours = {*map(_drop_in, machine.drop_ins)}
    return any(path.parent == DROP_IN_FOLDER and path not in ours for path in machine.files)


def _drop_in(name: str) -> Place:
    return DROP_IN_FOLDER / f"10-{name}.conf"
