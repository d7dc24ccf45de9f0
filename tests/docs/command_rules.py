"""What can be said of a documented command without running it: one rule for each program.

A rule answers with a complaint, or with nothing. A program without a rule is a complaint, so that
a new command in a page comes with a way to check it.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import PurePosixPath

from pydantic import ValidationError
from typer.testing import CliRunner

from agent.cli import app
from agent.errors import ConfigurationError
from agent.events import EVENTS
from agent.factories.delivery import upload_target
from agent.install.plan import API_TOKEN_FILE, ENV_FILE, STATE_FOLDER, TOKEN_FILE, UNIT_NAME, USER
from agent.mqtt.topics import Topics
from agent.ports import Clock
from agent.settings.declarations import Settings, variable
from agent.settings.describe import doc_of
from agent.settings.load import without_environment
from agent.system import SystemClock
from tests import ROOT
from tests.docs.pages import Command

UNIT = ROOT / "systemd" / UNIT_NAME
OF_OTHERS = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|REGION|ENDPOINT_URL|SESSION_TOKEN)|PIPX_(HOME|BIN_DIR)"
)
"""Variables that libraries of ours read, and installers."""

_VERBS = frozenset({"enable", "disable", "start", "stop", "restart", "reload", "edit", "kill"})
_INSTALLED = frozenset(map(str, (ENV_FILE, TOKEN_FILE, API_TOKEN_FILE, STATE_FOLDER, UNIT_NAME)))
_PIP_FOLDERS = frozenset({"--dest", "--find-links"})
_PIP_OPTIONS = frozenset({"-q", "-e", "--no-index"}) | _PIP_FOLDERS
_CLOCK: Clock = SystemClock()
_MODES = ("g+w", "644")
API_CERTIFICATE = doc_of(Settings.model_fields["api_tls_cert"]).example
_BROKER_UNIT = "mosquitto.service"
_BROKER_PACKAGES = ("mosquitto", "mosquitto-clients")


def complaint(command: Command) -> str | None:
    """What is wrong with a command; None when nothing is."""
    wrong = wrong_settings(command.settings)
    if wrong or not command.words:
        return wrong
    program, *words = command.words
    rule = RULES.get(program) or RULES.get(PurePosixPath(program).name)
    return rule(words) if rule else f"no rule for the program {program}: write one"


def wrong_settings(given: Mapping[str, str]) -> str | None:
    """Each variable exists, its value is allowed, and an address makes its target."""
    fields = {variable(field): field for field in Settings.model_fields}
    unknown = [n for n in given if n not in fields and not OF_OTHERS.fullmatch(n)]
    if unknown:
        return f"no such variable: {', '.join(unknown)}"
    ours = {fields[name]: value for name, value in given.items() if name in fields}
    try:
        settings = without_environment(**{"upload_token": "a-token", **ours})
        if settings.upload_url:
            upload_target(settings, clock=_CLOCK)
    except (ValidationError, ConfigurationError) as error:
        return str(error)
    return None


def _capture_agent(words: list[str]) -> str | None:
    """The command and all its options exist: with `--help` they are parsed, and nothing is done."""
    groups = {"rejected"}
    at = next((n for n, word in enumerate(words) if not word.startswith("-")), None)
    if at is None:
        return "names no command"
    end = at + (2 if words[at] in groups else 1)
    for asked in ([*words[:at], "--help"], [*words[at:end], "--help", *words[end:]]):
        response = CliRunner().invoke(app, asked)
        if response.exit_code != 0:
            return response.output
    return None


def _systemctl(words: list[str]) -> str | None:
    verb, *names = [word for word in words if not word.startswith("-")]
    if verb == "daemon-reload" and not names:
        return None
    if verb not in _VERBS:
        return f"is no verb of ours: {verb}"
    if verb == "reload" and "ExecReload=" not in UNIT.read_text("utf-8"):
        return "the unit cannot reload"
    units = [_unit(name) for name in names]
    return None if units in ([UNIT_NAME], [_BROKER_UNIT]) else f"not our unit: {names}"


def _mosquitto(words: list[str]) -> str | None:
    """The topic is one that the daemon of the page publishes, or takes commands on."""
    topic = words[words.index("-t") + 1]
    names = {"-h": "10.0.0.2", "-u": USER, "-P": "PASSWORD"}
    given = {before: word for before, word in pairwise(words) if before in names}
    if given != names:
        return f"names another broker or user: {given}"
    topics = Topics("capture-agent", "gate-07")
    allowed = (f"{topics.prefix}/#", topics.capture, topics.camera("street", "capture"))
    return None if topic in allowed else f"no topic of ours: {topic}"


def _journalctl(words: list[str]) -> str | None:
    flags = " ".join(words)
    named = re.search(r"(?:-\w*u|--unit=?)\s*(\S+)", flags)
    return None if named and _unit(named[1]) == UNIT_NAME else f"not our unit: {flags}"


def _systemd_analyze(words: list[str]) -> str | None:
    return None if words == ["security", USER] else f"unknown: {words}"


def _editor(words: list[str]) -> str | None:
    """Only files that `install` makes are edited."""
    return None if set(words) <= _INSTALLED else f"`install` does not make {words}"


def _python(words: list[str]) -> str | None:
    if words[:2] == ["-m", "venv"]:
        return None if len(words) == 3 else f"one folder, not {words[2:]}"
    if words[:2] == ["-m", "pytest"]:
        return None
    if words[0] == "-m":
        module = ROOT / words[1].replace(".", "/")
        is_there = module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()
        return None if is_there else f"no such module: {words[1]}"
    return None if (ROOT / words[0]).is_file() else f"no such file: {words[0]}"


def _pip(words: list[str]) -> str | None:
    """What is installed is this project, with extras that it has, or what an extra consists of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    if words[:1] not in (["install"], ["download"]):
        return f"unknown: pip {words}"
    for before, word in pairwise(words):
        if word in _PIP_OPTIONS or before in _PIP_FOLDERS:
            continue
        if any(word in extra for extra in project["optional-dependencies"].values()):
            continue
        match = re.fullmatch(r"(\.|[\w-]+)(?:\[([\w,]+)\])?", word)
        if match is None or match[1] not in (".", project["name"]):
            return f"not this project: {word}"
        extras = match[2].split(",") if match[2] else []
        if not set(extras) <= set(project["optional-dependencies"]):
            return f"no such extra: {word}"
    return None


def _package(words: list[str]) -> str | None:
    """What the Debian package is called, as a name or as a file."""
    verb, *names = words
    if verb not in {"install", "remove", "purge", "--verify"}:
        return f"unknown: {words}"
    ours = re.compile(r"capture-agent|\./capture-agent_\S+\.deb")
    if tuple(names) == _BROKER_PACKAGES or all(map(ours.fullmatch, names)):
        return None
    return f"not our package: {names}"


def _yolo(words: list[str]) -> str | None:
    """Ultralytics' command, as it was tried by hand: it trains on an export, and writes ONNX."""
    wanted = ({"detect", "train"}, {"export"})
    verbs = {word for word in words if "=" not in word}
    return None if verbs in wanted else f"not tried: yolo {words}"


def _umask(words: list[str]) -> str | None:
    return None if words in (["022"], ["077"]) else f"unknown: {words}"


def _of_our_user(words: list[str]) -> str | None:
    return None if any(USER in word or word in _MODES for word in words) else f"not {USER}: {words}"


def _grep(words: list[str]) -> str | None:
    """What is looked for in a log is an event."""
    event = re.fullmatch(r'event="([a-z ]+)"', words[-1])
    return None if event and event[1] in EVENTS else f"no event: {words[-1]}"


def _curl(words: list[str]) -> str | None:
    """The API is called, at one of its usual addresses."""
    ours = re.compile(
        r"http://(localhost|127\.0\.0\.1:8787|\[::1\]:8787)/(v1/[\w/.?=&%-]+|metrics)?"
    )
    calls = [word for word in words if "://" in word]
    return None if len(calls) == 1 and ours.fullmatch(calls[0]) else f"not our API: {calls}"


def _files(words: list[str]) -> str | None:
    missing = [word for word in words if not (ROOT / word).is_file()]
    return f"no such file: {missing}" if missing else None


def _link(words: list[str]) -> str | None:
    made = PurePosixPath(words[1]).name if len(words) == 3 else ""
    return None if made == "capture-agent" else f"links something else: {words}"


def _unit(name: str) -> str:
    return name if name.endswith(".service") else f"{name}.service"


RULES: Mapping[str, Callable[[list[str]], str | None]] = {
    "capture-agent": _capture_agent,
    "systemctl": _systemctl,
    "journalctl": _journalctl,
    "systemd-analyze": _systemd_analyze,
    "nano": _editor,
    "python": _python,
    "python3": _python,
    "pip": _pip,
    "pipx": _pip,
    "apt": _package,
    "dpkg": _package,
    "mosquitto_pub": _mosquitto,
    "mosquitto_sub": _mosquitto,
    "mosquitto_passwd": _of_our_user,
    "yolo": _yolo,
    "umask": _umask,
    "chgrp": _of_our_user,
    "chmod": _of_our_user,
    "grep": _grep,
    "sha256sum": _files,
    "curl": _curl,
    "ln": _link,
    ".": lambda words: None if words[0].endswith("/bin/activate") else f"unknown: {words}",
    "mount": _of_our_user,
    "usermod": _of_our_user,
    "tee": _editor,
    "openssl": lambda words: None if words[0] in {"rand", "req"} else f"unknown: {words}",
    "cat": lambda words: None if words[:2] == ["cert.pem", "key.pem"] else f"made by none: {words}",
    "mv": lambda words: None if words[-1] == API_CERTIFICATE else f"no file of ours: {words}",
    "umount": lambda words: None if len(words) == 1 else f"one folder, not {words}",
}
