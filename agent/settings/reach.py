"""Whether the files and folders that settings name can be reached by this process."""

import errno
import os
import pwd
import re
import stat
from pathlib import Path

_HIDDEN_BY_UNIT = ("/home", "/root", "/run/user")
_PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108 (names, no files)
_RUNS_AS_SERVICE = ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "INVOCATION_ID")


def unreachable(path: Path) -> str | None:
    """Return why this process cannot get to `path`, and the fix; None when it can.

    A path that does not exist yet is reachable when the folders above it are.
    """
    if any(map(path.is_relative_to, _PRIVATE)) and has_private_tmp():
        return (
            "the service has a /tmp of its own (PrivateTmp=yes), which systemd deletes at each "
            "stop; move it to /var/lib/capture-agent, /srv or /mnt"
        )
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return _why(path, error)
    if stat.S_ISREG(mode) and not os.access(path, os.R_OK, effective_ids=True):
        return f"this user may not read it; give it to the user: chown {_user()} {path}"
    return None


def has_private_tmp(mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether this is the service, and systemd gave it a /tmp that no other process sees."""
    if not os.environ.get("STATE_DIRECTORY"):
        return False
    try:
        text = mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"(?m)^\S+ \S+ \S+ \S*systemd-private-\S* /tmp ", text) is not None


def _why(path: Path, error: OSError) -> str | None:
    if error.errno == errno.ENOENT:
        return None  # who needs the file says so
    if error.errno == errno.ENOTDIR:
        file = next((each for each in reversed(path.parents) if _is_no_folder(each)), path)
        return f"{file} is a file, not a folder; name another path"
    if error.errno == errno.ELOOP:
        return "a link that leads back to itself; make the link again, or name another path"
    if error.errno not in (errno.EACCES, errno.EPERM):
        return f"{error.strerror}; check the disk that it is on"
    closed = next(
        (
            each
            for each in reversed(path.parents)
            if not os.access(each, os.X_OK, effective_ids=True)
        ),
        path,
    )
    hidden = next((each for each in _HIDDEN_BY_UNIT if path.is_relative_to(each)), None)
    if hidden and any(os.environ.get(name) for name in _RUNS_AS_SERVICE):
        return (
            f"the service's sandbox hides {hidden} (ProtectHome=yes), whatever the permissions "
            "are; move it to /var/lib/capture-agent, /srv or /mnt"
        )
    return (
        f"this user may not enter {closed}; run the command as a user who may, or open the folder: "
        f"chmod o+x {closed}"
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may run as a number without a name
        return str(os.geteuid())


def _may_enter(folder: Path) -> bool:
    return os.access(folder, os.X_OK, effective_ids=True)


def _is_no_folder(path: Path) -> bool:
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False
