"""`--service`: a technician's command sees what the service sees, on a machine with one installed.

The installation is real, made by `install` in a mount namespace of its own, where `/etc` and
`/var/lib` are copies.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from small_file_system import cannot_here

from agent.cli.service import assignments, named_groups

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("capture-agent"))


class Machine:
    """One on which the agent is installed as a service."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        shutil.copytree("/etc", folder / "etc", symlinks=True, ignore_dangling_symlinks=True)
        for name in ("lib", "stash"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        folder.chmod(0o755)
        self.run(f"{COMMAND} install --executable /opt/capture-agent/bin/capture-agent")

    def run(self, script: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a script on it as root; what it does to `/etc` and `/var/lib` stays there."""
        mounts = [f"mount --bind {self._folder}/{ours} {real}" for ours, real in self._places()]
        return subprocess.run(
            ["unshare", "--mount", "sh", "-ec", "\n".join([*mounts, *self._open_doors(), script])],
            env=self._environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def write(self, path: str, text: str) -> None:
        """A file below `/etc`, with the owner and rights that it has."""
        (self._folder / path.lstrip("/")).write_text(text, "utf-8")

    def _places(self) -> list[tuple[str, str]]:
        return [("etc", "/etc"), ("lib", "/var/lib")]

    def _open_doors(self) -> list[str]:
        """Let every user reach Python and this package, wherever the tests were started."""
        needed = {Path(sys.base_prefix), Path(sys.prefix).resolve(), ROOT}
        closed = {
            place: door
            for place in needed
            for door in [next((p for p in place.parents[::-1] if not p.stat().st_mode & 1), None)]
            if door is not None
        }
        lines = []
        for number, place in enumerate(closed):
            stash = self._folder / "stash" / str(number)
            lines += [f"mkdir -p {stash}", f"mount --bind {shlex.quote(str(place))} {stash}"]
        lines += [f"mount -t tmpfs -o mode=755 tmpfs {door}" for door in set(closed.values())]
        for number, place in enumerate(closed):
            where = shlex.quote(str(place))
            lines += [
                f"mkdir -p {where}",
                f"mount --bind {self._folder / 'stash' / str(number)} {where}",
            ]
        return lines


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        cannot_here("needs root and unshare")
    folder = Path(mkdtemp(dir="/var/tmp"))
    try:
        yield Machine(folder)
    finally:
        shutil.rmtree(folder)


def test_check_runs_with_the_settings_the_token_and_the_user_of_the_service(
    machine: Machine,
) -> None:
    machine.write(
        "/etc/capture-agent/capture-agent.env",
        "# ours\nAGENT_CAMERAS=gate=/dev/video63\nAGENT_UPLOAD_URL=http://127.0.0.1:9/x\n",
    )
    machine.write("/etc/capture-agent/upload_token", "a-secret-token\n")

    answer = machine.run(f"{COMMAND} --service check", AGENT_CAMERAS="mine=/dev/video0")

    lines = {line[5:].split()[0]: line for line in answer.stdout.splitlines() if line[5:].strip()}
    assert answer.returncode == 78, answer.stderr
    assert "AGENT_ variables set: 3" in lines["settings"]
    assert "no such device" in lines["gate"]
    assert "mine" not in lines
    assert lines["spool"].startswith("ok   spool      /var/lib/capture-agent/spool: will be made")
    assert "127.0.0.1:9: it refuses" in lines["endpoint"]
    assert "a-secret-token" not in answer.stdout + answer.stderr


def test_what_it_writes_belongs_to_the_user_of_the_service(machine: Machine) -> None:
    machine.write("/etc/capture-agent/capture-agent.env", "AGENT_UPLOAD_URL='dir:/var/lib/far'\n")

    done = machine.run(
        "mkdir -m 777 /var/lib/far\n"
        f"{COMMAND} --service flush\n"
        "stat -c '%U %a' /var/lib/capture-agent/spool\n"
        f"{COMMAND} --service status --json"
    )

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[:2] == ["delivered 0, waiting 0, rejected 0", "capture-agent 700"]
    assert '"spool_dir": "/var/lib/capture-agent/spool"' in said[2]


def test_who_looks_without_it_is_told(machine: Machine) -> None:
    machine.write("/etc/capture-agent/capture-agent.env", "AGENT_CAMERAS=/dev/video63\n")

    for command in ("status", "check"):
        answer = machine.run(f"{COMMAND} {command}")
        said = answer.stdout + answer.stderr
        assert f"sudo capture-agent --service {command} looks at it" in said
    assert machine.run(f"{COMMAND} status", AGENT_FPS="1").stderr == ""


def test_another_user_is_sent_to_sudo(machine: Machine) -> None:
    answer = machine.run(
        f"setpriv --reuid=65534 --regid=65534 --clear-groups {COMMAND} --service status"
    )

    assert answer.returncode == 78
    assert answer.stderr == (
        "capture-agent: --service: only root and the user capture-agent may; put sudo before it\n"
    )


def test_without_a_service_it_says_how_one_is_made(tmp_path: Path) -> None:
    if Path("/etc/capture-agent/capture-agent.env").exists():
        pytest.skip("a service is installed on this very machine")
    answer = subprocess.run(
        [COMMAND, "--service", "status"], capture_output=True, text=True, check=False
    )

    assert answer.returncode == 78
    assert "no service is installed here" in answer.stderr
    assert "capture-agent install" in answer.stderr


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("# A=1\n; B=2\n\nC=3\n", {"C": "3"}),
        ("A='x y'\nB=\"z\"\nC=it's\n", {"A": "x y", "B": "z", "C": "it's"}),
        ("  A = 1\nA= 2 \n", {"A": "2"}),
        ("A=1\\\n2\n", {"A": "12"}),
        ("A=b=c\n", {"A": "b=c"}),
        ("A=\n", {"A": ""}),
    ],
)
def test_the_env_file_is_read_as_systemd_reads_it(text: str, found: dict[str, str]) -> None:
    assert assignments(text) == found


def test_the_groups_of_the_unit_and_its_drop_ins_are_added() -> None:
    systemd = ROOT / "systemd"
    files = [systemd / "capture-agent.service", *sorted((systemd / "drop-ins").glob("*.conf"))]

    assert named_groups(file.read_text("utf-8") for file in files) == {"video", "render"}
