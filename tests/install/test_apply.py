"""The command on a folder that stands for another root; nothing of this computer is changed."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.install.apply import closed_to_others, platforms, service_files
from agent.settings.render import env_file
from tests import ROOT
from tests.in_process import call_here

COMMAND = Path(sys.executable).with_name("capture-agent")
EXECUTABLE = "/opt/capture-agent/bin/capture-agent"
UNIT = "etc/systemd/system/capture-agent.service"


def install(root: Path, *words: str) -> str:
    done = call_here("install", "--root", root, "--executable", EXECUTABLE, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(root: Path) -> dict[str, tuple[int, str]]:
    """Every file's mode and text."""
    return {
        str(path.relative_to(root)): (path.stat().st_mode & 0o777, path.read_text("utf-8"))
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_rehearsal_prints_each_step_and_changes_nothing(tmp_path: Path) -> None:
    words = ["install", "--root", str(tmp_path), "--executable", EXECUTABLE, "--dry-run"]
    said = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=True).stdout

    assert list(tmp_path.iterdir()) == []
    assert "would write the file /etc/capture-agent/upload_token, mode 0600" in said
    assert not any(line.startswith("done") for line in said.splitlines())


def test_an_image_holds_all_that_its_first_boot_needs(tmp_path: Path) -> None:
    said = install(tmp_path)

    found = contents(tmp_path)
    assert {name: mode for name, (mode, _) in found.items()} == {
        "etc/capture-agent/capture-agent.env": 0o640,
        "etc/capture-agent/api_token": 0o600,
        "etc/capture-agent/upload_token": 0o600,
        "etc/sysusers.d/capture-agent.conf": 0o644,
        UNIT: 0o644,
    }
    assert found["etc/capture-agent/capture-agent.env"][1] == env_file()
    assert f"ExecStart={EXECUTABLE} run\n" in found[UNIT][1]
    assert (tmp_path / "etc/systemd/system").stat().st_mode & 0o777 == 0o755
    assert "Next:" in said
    assert f"systemctl --root={tmp_path} enable capture-agent" in said


def test_repeating_it_keeps_what_the_operator_wrote(tmp_path: Path) -> None:
    install(tmp_path)
    settings = tmp_path / "etc/capture-agent/capture-agent.env"
    token = tmp_path / "etc/capture-agent/upload_token"
    settings.write_text("AGENT_CAMERAS=/dev/video7\n", "utf-8")
    token.write_text("a-secret", "utf-8")
    token.chmod(0o644)
    before = contents(tmp_path)

    said = install(tmp_path)

    after = contents(tmp_path)
    assert after.pop("etc/capture-agent/upload_token") == (0o600, "a-secret")
    before.pop("etc/capture-agent/upload_token")
    assert after == before
    assert "settings that it does not mention" in said
    assert "AGENT_SPOOL_MAX" in said
    assert "a-secret" not in said


def test_uninstalling_leaves_the_settings_and_purging_leaves_nothing(tmp_path: Path) -> None:
    install(tmp_path)
    link = tmp_path / "etc/systemd/system/multi-user.target.wants/capture-agent.service"
    link.parent.mkdir()
    link.symlink_to(f"/{UNIT}")

    assert call_here("uninstall", "--root", tmp_path).returncode == 0
    assert sorted(contents(tmp_path)) == [
        "etc/capture-agent/api_token",
        "etc/capture-agent/capture-agent.env",
        "etc/capture-agent/upload_token",
    ]
    assert not link.is_symlink()
    assert call_here("uninstall", "--root", tmp_path, "--purge").returncode == 0
    assert contents(tmp_path) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may add users, to an image too")
def test_an_image_with_accounts_gets_the_user_and_loses_it_again(tmp_path: Path) -> None:
    accounts = tmp_path / "etc/passwd"
    accounts.parent.mkdir()
    accounts.write_text("root:x:0:0:root:/root:/bin/bash\n", "utf-8")
    (tmp_path / "etc/group").write_text("root:x:0:\n", "utf-8")
    for name in ("shadow", "gshadow"):
        (tmp_path / "etc" / name).touch()
    here = Path("/etc/passwd").read_bytes()

    for _ in range(2):
        install(tmp_path)
        assert accounts.read_text("utf-8").count("capture-agent:x:") == 1
        assert "video:" in (tmp_path / "etc/group").read_text("utf-8")
        assert call_here("uninstall", "--root", tmp_path, "--purge").returncode == 0
        assert "capture-agent" not in accounts.read_text("utf-8")
    assert Path("/etc/passwd").read_bytes() == here


def test_the_installed_unit_is_understood_by_systemd(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        if os.environ.get("CI") == "true":
            pytest.fail("needs systemd-analyze from the package systemd")
        pytest.skip("needs systemd-analyze from the package systemd")
    for path in ("sys/class/drm/renderD128/device", "dev/dri"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "sys/class/drm/renderD128/device/vendor").write_text("0x8086\n", "utf-8")
    done = call_here("install", "--root", tmp_path, "--executable", "/bin/true")
    assert "10-intel-gpu.conf" in done.stdout
    unit = tmp_path / UNIT

    verified = subprocess.run(
        [tool, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )

    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0", {"raspberry-pi"}),
        ("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0", {"jetson"}),
        ("dev/nvidia0", "", {"nvidia"}),
        ("dev/dri/renderD128", "", set()),
        ("etc/hostname", "pc", set()),
    ],
)
def test_the_hardware_is_recognised(tmp_path: Path, path: str, text: str, wanted: set[str]) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text, "utf-8")

    assert platforms(tmp_path) == wanted
    assert wanted <= {file.stem for file in (service_files() / "drop-ins").iterdir()}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--executable", "bin/capture-agent"), "a path from the root"),
        (("--executable", "/home/pi/bin/capture-agent"), "the service's sandbox hides"),
    ],
)
def test_what_could_not_start_is_refused(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    done = call_here("install", "--root", tmp_path, *words)

    assert done.returncode == 78
    assert why in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_who_is_not_root_is_told_so() -> None:
    """Run in a process of its own that gave its rights away, from modules loaded before."""
    script = "import os, agent.cli\nimport agent.cli.install\nos.setuid(65534)\nagent.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "install", "--executable", EXECUTABLE],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert done.returncode == 78, done.stderr
    assert "sudo" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("closed", "mode"),
    [("env/bin/capture-agent", 0o700), ("env/bin", 0o700), ("env", 0o750), (None, None)],
)
def test_a_program_that_the_service_may_not_run_is_recognised(
    open_folder: Path, closed: str | None, mode: int | None
) -> None:
    program = open_folder / "env/bin/capture-agent"
    program.parent.mkdir(parents=True)
    program.touch()
    program.chmod(0o755)
    if closed and mode:
        (open_folder / closed).chmod(mode)

    assert closed_to_others(program) == (open_folder / closed if closed else None)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """All may look into it; those that pytest makes are its user's alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def image_beside(tmp_path: Path) -> tuple[Path, Path]:
    """An image, and a folder outside of it that stands for this computer."""
    image, outside = tmp_path / "image", tmp_path / "outside"
    image.mkdir()
    outside.mkdir()
    return image, outside


def state(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((str(p), p.lstat().st_mode, p.lstat().st_mtime_ns) for p in folder.rglob("*"))


@pytest.mark.parametrize(
    ("link", "relative"),
    [
        ("etc", False),
        ("etc", True),
        ("etc/capture-agent/upload_token", False),
        ("etc/capture-agent/upload_token", True),
        ("etc/capture-agent/capture-agent.env", False),
        ("etc/systemd/system", False),
        (UNIT, False),
        (f"{UNIT}.d", False),
        ("etc/sysusers.d/capture-agent.conf", False),
    ],
)
def test_no_link_leads_out_of_an_image(tmp_path: Path, link: str, relative: bool) -> None:
    image, outside = image_beside(tmp_path)
    (outside / "folder").mkdir()
    for name in ("capture-agent.env", "upload_token", "capture-agent.service", "keep.conf"):
        (outside / "folder" / name).write_text("AGENT_CAMERAS=of-this-computer\n", "utf-8")
    target = outside / "folder"
    if "." in Path(link).name and not link.endswith(".d"):
        target = target / "keep.conf"
    place = image / link
    place.parent.mkdir(parents=True, exist_ok=True)
    up = "/".join([".."] * 20)
    place.symlink_to(f"{up}{target}" if relative else target)
    before = state(outside)

    for words in (
        ("install", "--root", image, "--executable", EXECUTABLE),
        ("uninstall", "--root", image),
        ("uninstall", "--root", image, "--purge"),
    ):
        done = call_here(*words)
        assert "Traceback" not in done.stderr
        assert "of-this-computer" not in done.stdout + done.stderr
        assert state(outside) == before, words


def test_the_links_of_an_image_are_followed_inside_of_it(tmp_path: Path) -> None:
    """Some images have /etc on a partition for data."""
    (tmp_path / "data/etc").mkdir(parents=True)
    (tmp_path / "etc").symlink_to("/data/etc")

    install(tmp_path)

    assert (tmp_path / "data/etc/capture-agent/upload_token").is_file()
    assert (tmp_path / "data" / UNIT).is_file()


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("/etc")
    done = call_here("install", "--root", tmp_path, "--executable", EXECUTABLE)

    assert done.returncode == 78
    assert "its links form a circle" in done.stderr


def test_accounts_of_another_computer_are_not_touched(tmp_path: Path) -> None:
    image, outside = image_beside(tmp_path)
    (outside / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n", "utf-8")
    (image / "etc").mkdir()
    (image / "etc/passwd").symlink_to(outside / "passwd")
    before = state(outside)

    done = call_here("install", "--root", image, "--executable", EXECUTABLE)

    assert done.returncode == 78
    assert "its /etc/passwd is a link out of it" in done.stderr
    assert state(outside) == before


def test_a_pipe_in_an_image_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "etc/capture-agent").mkdir(parents=True)
    os.mkfifo(tmp_path / "etc/capture-agent/capture-agent.env")

    install(tmp_path)
