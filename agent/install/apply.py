"""Looks at a machine, or at the image of one, and carries out the steps of an installation."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from pathlib import PurePosixPath as Place

from agent.errors import ConfigurationError
from agent.files import Disk
from agent.install import plan
from agent.install.plan import Command, File, Folder, Machine, Remove, Step
from agent.settings.render import env_file

_LINKS_MAX = 40  # as the kernel follows at most
_INTEL = "0x8086"
_ELSEWHERE = (
    "by the Debian package (apt install ./capture-agent_VERSION_ARCHITECTURE.deb), or in its "
    "source's folder: python3 -m venv /opt/capture-agent && /opt/capture-agent/bin/pip install . "
    "(or PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install .)"
)


def look(root: Path, executable: str) -> Machine:
    """The facts of the machine whose root folder is `root`; raises `ConfigurationError`."""
    folder = service_files()
    image = None if root == Path("/") else str(root)
    return Machine(
        executable=executable,
        unit=_text(folder / plan.UNIT_NAME),
        drop_ins={path.stem: _text(path) for path in sorted(folder.glob("drop-ins/*.conf"))},
        env_template=env_file(),
        platforms=platforms(root),
        groups=_names(within(root, Place("/etc/group"))),
        users=_names(within(root, Place("/etc/passwd"))),
        files=_present(root),
        folders=frozenset(
            place
            for place in (
                plan.SETTINGS_FOLDER,
                plan.STATE_FOLDER,
                plan.RUNTIME_FOLDER,
                plan.DROP_IN_FOLDER,
            )
            if within(root, place).is_dir()
        ),
        image=image,
        has_accounts=_has_accounts(root),
        systemd_runs=image is None and Path("/run/systemd/private").exists(),
    )


def service_files() -> Path:
    """The folder of the unit and its drop-ins, in an installed package or in a checkout."""
    here = Path(__file__).resolve()
    places = (here.with_name("systemd"), here.parents[2] / "systemd")
    for place in places:
        if (place / plan.UNIT_NAME).is_file():
            return place
    raise ConfigurationError(
        f"cannot find {plan.UNIT_NAME} in {places[0]} or {places[1]}: install the agent again"
    )


def platforms(root: Path) -> frozenset[str]:
    """The drop-ins that this hardware needs. An image is not the hardware: it has none."""
    found = set()
    board = _text(within(root, Place("/proc/device-tree/model")))
    if "Raspberry Pi" in board:
        found.add("raspberry-pi")
    if "Jetson" in board:
        found.add("jetson")
    elif any(within(root, Place("/dev")).glob("nvidia*")):
        found.add("nvidia")
    vendors = within(root, Place("/sys/class/drm")).glob("renderD*/device/vendor")
    if within(root, Place("/dev/dri")).exists() and any(
        _text(path).strip() == _INTEL for path in vendors
    ):
        found.add("intel-gpu")
    return frozenset(found)


def own_executable() -> str:
    """The capture-agent that this process was called as: in its environment, beside its Python.

    Raises `ConfigurationError` when the service could not see it.
    """
    path = Path(sys.executable).with_name("capture-agent")
    for each in (path, Path(sys.executable).resolve()):
        if plan.hidden_from_the_service(str(each)):
            raise ConfigurationError(
                f"cannot install from {each}: services do not see home and temporary folders. "
                f"Install the agent where they do: {_ELSEWHERE}"
            )
        closed = closed_to_others(each)
        if closed is not None:
            raise ConfigurationError(
                f"cannot install from {each}: the service's user {plan.USER} may not read "
                f"{closed}, as happens where the umask is 077. Remove that environment and make it "
                "again after: umask 022"
            )
    return str(path)


def closed_to_others(path: Path) -> Path | None:
    """What on the way to a program keeps others than its owner from running it, if anything."""
    wanted = stat.S_IROTH | stat.S_IXOTH
    if path.exists() and path.stat().st_mode & wanted != wanted:
        return path
    folders = (each for each in reversed(path.parents) if each.exists())
    return next((each for each in folders if not each.stat().st_mode & stat.S_IXOTH), None)


def carry_out(step: Step, root: Path) -> None:
    """Do one step; raises `ConfigurationError` when the machine refuses it."""
    try:
        _carry_out(step, root)
    except OSError as error:
        raise ConfigurationError(f"cannot {shown(step)}: {error.strerror}") from error


def shown(step: Step) -> str:
    """One step in words."""
    match step:
        case Folder():
            return f"make the folder {step.path}, mode {step.mode:04o}, of {step.owner}"
        case File(text=None):
            return f"keep the file {step.path}, mode {step.mode:04o}"
        case File():
            return f"write the file {step.path}, mode {step.mode:04o}, group {step.group}"
        case Command():
            return f"run {' '.join(step.words)}"
        case Remove():
            return f"remove {step.path}"
    return step.text


def within(root: Path, place: Place, *, follow: bool = True) -> Path:
    """A place of the machine as this process sees it, which is never outside of `root`.

    The links of an image are followed as the machine will follow them, from its own root; on the
    running machine nothing is to be translated. `follow`: the last part too.

    Raises `ConfigurationError` for links that lead in a circle.
    """
    if root == Path("/"):
        return Path(place)
    found, rest, links = root, list(place.relative_to("/").parts), 0
    while rest:
        name = rest.pop(0)
        if name == "..":
            found = found.parent if found != root else root
            continue
        if (found / name).is_symlink() and (rest or follow):
            links += 1
            if links > _LINKS_MAX:
                raise ConfigurationError(f"cannot use {place} of {root}: its links form a circle")
            target = Place((found / name).readlink())
            rest = [*target.parts[target.is_absolute() :], *rest]
            found = root if target.is_absolute() else found
            continue
        found /= name
    return found


def _carry_out(step: Step, root: Path) -> None:
    if isinstance(step, Folder):
        path = within(root, step.path)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(step.mode)
        _own(path, step.owner, step.owner)
    elif isinstance(step, File):
        path = within(root, step.path, follow=step.text is None)  # a new file replaces a link
        path.parent.mkdir(parents=True, exist_ok=True)
        if step.text is not None:
            Disk().write_durably(path, step.text.encode())
        path.chmod(step.mode)
        _own(path, "root", step.group)
    elif isinstance(step, Remove):
        path = within(root, step.path, follow=False)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    elif isinstance(step, Command):
        _run(step)


def _run(step: Command) -> None:
    program = shutil.which(step.words[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise ConfigurationError(f"cannot {shown(step)}: it is not installed on this computer")
    # The words are ours and a path that root gave; no shell reads them.
    done = subprocess.run(  # noqa: S603
        (program, *step.words[1:]), capture_output=True, text=True, check=False
    )
    if done.returncode and not step.may_fail:
        raise ConfigurationError(f"cannot {shown(step)}: {(done.stderr or done.stdout).strip()}")


def _own(path: Path, user: str, group: str) -> None:
    """An ordinary user who fills a folder for an image cannot give files away."""
    if os.geteuid() == 0:
        try:
            shutil.chown(path, user, group)
        except LookupError as error:
            raise ConfigurationError(f"cannot give {path} to {user}:{group}: {error}") from error


def _present(root: Path) -> dict[Place, str]:
    tokens = (plan.TOKEN_FILE, plan.API_TOKEN_FILE)
    ours = [plan.ENV_FILE, *tokens, plan.UNIT, plan.ENABLED, plan.SYSUSERS]
    drop_ins = sorted(within(root, plan.DROP_IN_FOLDER).glob("*"))
    ours += [plan.DROP_IN_FOLDER / path.name for path in drop_ins]
    # What is in their files is nobody's business here.
    return {
        place: "" if place in tokens else _text(within(root, place))
        for place in ours
        if os.path.lexists(
            within(root, place, follow=False)
        )  # a link of an image may lead nowhere from here
    }


def _has_accounts(root: Path) -> bool:
    """Whether the machine has an /etc/passwd.

    Raises `ConfigurationError` for an image whose accounts are those of another machine: `useradd`
    follows links as this computer does.
    """
    for name in ("passwd", "group", "shadow", "gshadow"):
        file = root / "etc" / name
        if os.path.lexists(file) and not file.resolve().is_relative_to(root):
            raise ConfigurationError(
                f"cannot add a user to {root}: its /etc/{name} is a link out of it, to "
                f"{file.resolve()}; make it a file of the image"
            )
    return (root / "etc/passwd").exists()


def _names(accounts: Path) -> frozenset[str]:
    return frozenset(line.partition(":")[0] for line in _text(accounts).splitlines())


def _text(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""  # a pipe would be waited for
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
