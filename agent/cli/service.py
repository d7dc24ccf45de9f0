"""`capture-agent --service COMMAND`: the command sees what the installed service sees.

Its settings, its token, its folder and its user with its groups; of the sandbox only systemd knows.
"""

import grp
import os
import pwd
import re
from collections.abc import Iterable, MutableMapping
from pathlib import Path

from agent.cli.installation import DROP_IN_FOLDER, ENV_FILE, STATE_FOLDER, TOKEN_FILE, UNIT, USER
from agent.config import PREFIX
from agent.errors import ConfigurationError

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def become_service(environ: MutableMapping[str, str] = os.environ) -> None:
    """Take the place of the service for the rest of this process.

    Raises `ConfigurationError` where none is installed, and for a user who may not do so.
    """
    try:
        settings = assignments(Path(ENV_FILE).read_text("utf-8"))
        user = pwd.getpwnam(USER)
    except (FileNotFoundError, KeyError):
        raise ConfigurationError(
            "--service: no service is installed here; `capture-agent install` makes one"
        ) from None
    except PermissionError:
        raise _only_root() from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--service: cannot read {ENV_FILE}: {error}") from error
    if os.geteuid() not in (0, user.pw_uid):
        raise _only_root()
    for name in [name for name in environ if name.startswith(PREFIX)]:
        del environ[name]  # what this terminal says is not what the service is told
    environ.update(settings)
    environ["STATE_DIRECTORY"] = str(STATE_FOLDER)
    environ["HOME"] = user.pw_dir
    if os.geteuid() == 0:
        _take_token(environ)
        groups = {*os.getgrouplist(USER, user.pw_gid), *_supplementary_groups()}
        os.setgroups(sorted(groups))
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    try:
        os.chdir(STATE_FOLDER)  # where the service stands: names in its settings begin there
    except OSError as error:
        raise ConfigurationError(
            f"--service: cannot enter {STATE_FOLDER}: {error.strerror}; `capture-agent install` "
            "makes it and gives it to its user"
        ) from error


def hint(command: str) -> str | None:
    """What to say to somebody who looks for the service in a terminal that knows nothing of it."""
    if any(name.startswith(PREFIX) for name in os.environ) or not Path(ENV_FILE).exists():
        return None
    return f"a service is installed here; sudo capture-agent --service {command} looks at it"


def assignments(env_file: str) -> dict[str, str]:
    """What systemd takes from an EnvironmentFile=: comments left out, lines joined, quotes gone."""
    found = {}
    for line in env_file.replace("\\\n", "").splitlines():
        text = line.strip()
        if _ASSIGNMENT.match(text):
            name, _, value = text.partition("=")
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            found[name] = value
    return found


def named_groups(units: Iterable[str]) -> set[str]:
    """The groups that a unit and its drop-ins add."""
    lines = [line for text in units for line in text.splitlines()]
    values = [line.partition("=")[2] for line in lines if line.startswith("SupplementaryGroups=")]
    return {name for value in values for name in value.split()}


def _supplementary_groups() -> set[int]:
    files = [Path(UNIT), *sorted(Path(DROP_IN_FOLDER).glob("*.conf"))]
    texts = [file.read_text("utf-8") for file in files if file.is_file()]
    known = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    return {known[name] for name in named_groups(texts) if name in known}


def _take_token(environ: MutableMapping[str, str]) -> None:
    """As LoadCredential= does: root reads it, for a user who could not."""
    try:
        token = Path(TOKEN_FILE).read_text("utf-8").strip()
    except OSError:  # the service would not start; `systemctl status` says so
        return
    if token:
        environ[f"{PREFIX}UPLOAD_TOKEN"] = token


def _only_root() -> ConfigurationError:
    return ConfigurationError(f"--service: only root and the user {USER} may; put sudo before it")
