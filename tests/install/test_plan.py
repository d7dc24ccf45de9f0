"""What an installation would do, from facts alone."""

from dataclasses import replace
from pathlib import PurePosixPath as Place

import pytest

from agent.factories.api import API_TOKEN_PLACE
from agent.install.plan import (
    API_TOKEN_FILE,
    DROP_IN_FOLDER,
    ENV_FILE,
    RUNTIME_FOLDER,
    SETTINGS_FOLDER,
    STATE_FOLDER,
    TOKEN_FILE,
    UNIT,
    USER,
    Command,
    File,
    Folder,
    Machine,
    Message,
    Remove,
    Step,
    hidden_from_the_service,
    missing_settings,
    plan_install,
    plan_uninstall,
    unit_text,
)
from agent.settings.render import env_file

GPU = "[Service]\nSupplementaryGroups=render\nDeviceAllow=char-drm rw\n"
FRESH = Machine(
    executable="/opt/capture-agent/bin/capture-agent",
    unit="[Service]\nType=notify\nExecStart=/somewhere run\nRestart=always\n",
    drop_ins={"intel-gpu": GPU, "jetson": "[Service]\n"},
    env_template=env_file(),
    groups=frozenset({"video", "render"}),
)
INSTALLED = replace(
    FRESH,
    groups=frozenset({"video", "render", USER}),
    users=frozenset({USER}),
    files={ENV_FILE: env_file(), TOKEN_FILE: "", API_TOKEN_FILE: "", UNIT: "old"},
    folders=frozenset({SETTINGS_FOLDER, STATE_FOLDER, DROP_IN_FOLDER}),
)


def files(steps: list[Step]) -> dict[Place, File]:
    return {step.path: step for step in steps if isinstance(step, File)}


def commands(steps: list[Step]) -> list[str]:
    return [" ".join(step.words) for step in steps if isinstance(step, Command)]


def notes(steps: list[Step]) -> str:
    return "\n".join(step.text for step in steps if isinstance(step, Message))


def removed(steps: list[Step]) -> list[Place]:
    return [step.path for step in steps if isinstance(step, Remove)]


def test_a_fresh_machine_gets_everything_with_its_mode() -> None:
    steps = plan_install(FRESH)

    modes = {path: (file.mode, file.group) for path, file in files(steps).items()}
    assert modes == {
        ENV_FILE: (0o640, USER),
        TOKEN_FILE: (0o600, "root"),
        API_TOKEN_FILE: (0o600, "root"),
        UNIT: (0o644, "root"),
    }
    assert files(steps)[TOKEN_FILE].text == ""
    assert files(steps)[API_TOKEN_FILE].text == ""
    assert Folder(STATE_FOLDER, 0o700, USER) in steps
    assert [line.split()[0] for line in commands(steps)] == ["useradd", "usermod", "systemctl"]
    assert steps[-1] == Command(("systemctl", "daemon-reload"))


def test_settings_and_token_that_exist_are_never_touched() -> None:
    steps = plan_install(INSTALLED)

    assert ENV_FILE not in files(steps)
    assert files(steps)[TOKEN_FILE].text is None
    assert files(steps)[API_TOKEN_FILE].text is None
    assert files(steps)[TOKEN_FILE].mode == 0o600
    assert "useradd" not in " ".join(commands(steps))
    assert removed(steps) == []


def test_the_settings_that_an_old_file_lacks_are_named() -> None:
    old = "AGENT_CAMERAS=/dev/video0\n#AGENT_FPS=5\n # AGENT_FLOOR = 0.1\n"
    steps = plan_install(replace(INSTALLED, files={ENV_FILE: old}))

    assert "AGENT_SPOOL_MAX" in notes(steps)
    for named in ("AGENT_CAMERAS,", "AGENT_FPS,", "AGENT_FLOOR,"):
        assert named not in notes(steps)
    assert missing_settings(env_file()) == []


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ({"video", "render"}, GPU),
        ({"video"}, "[Service]\nDeviceAllow=char-drm rw\n"),
    ],
)
def test_a_drop_in_names_no_group_that_is_missing(groups: set[str], text: str) -> None:
    """A group that does not exist would fail the unit."""
    here = replace(FRESH, platforms=frozenset({"intel-gpu"}), groups=frozenset(groups))

    found = files(plan_install(here))

    assert found[DROP_IN_FOLDER / "10-intel-gpu.conf"].text == text
    assert DROP_IN_FOLDER / "10-jetson.conf" not in found


def test_a_drop_in_of_other_hardware_goes_and_one_of_the_operator_stays() -> None:
    ours, theirs = DROP_IN_FOLDER / "10-jetson.conf", DROP_IN_FOLDER / "override.conf"
    here = replace(INSTALLED, files={**INSTALLED.files, ours: "", theirs: ""})

    assert removed(plan_install(here)) == [ours]
    assert removed(plan_uninstall(here, purge=True)) == [UNIT, ours, SETTINGS_FOLDER, STATE_FOLDER]


@pytest.mark.parametrize(
    ("executable", "line"),
    [
        ("/opt/capture-agent/bin/capture-agent", "/opt/capture-agent/bin/capture-agent run"),
        ("/opt/my agent/capture-agent", '"/opt/my agent/capture-agent" run'),
        ("/opt/100%/capture-agent", "/opt/100%%/capture-agent run"),
    ],
)
def test_the_unit_starts_the_executable_that_installed_it(executable: str, line: str) -> None:
    text = unit_text(replace(FRESH, executable=executable))

    assert f"\nExecStart={line}\nRestart=always\n" in text
    assert "/somewhere" not in text


def test_an_image_needs_neither_a_running_systemd_nor_the_accounts_of_this_computer() -> None:
    steps = plan_install(replace(FRESH, image="/mnt", has_accounts=False))

    assert commands(steps) == []
    assert any(path.match("sysusers.d/*") for path in files(steps))
    assert {file.group for file in files(steps).values()} == {"root"}
    [user] = [
        line
        for line in commands(plan_install(replace(FRESH, image="/mnt")))
        if line.startswith("useradd")
    ]
    assert user.startswith("useradd --prefix /mnt --system")


def test_where_systemd_does_not_run_a_word_says_what_is_left_out() -> None:
    steps = plan_install(replace(FRESH, systemd_runs=False))

    assert "systemctl" not in " ".join(commands(steps))
    assert "daemon-reload is left out" in notes(steps)


def test_uninstalling_keeps_captures_and_settings() -> None:
    steps = plan_uninstall(INSTALLED, purge=False)

    assert commands(steps)[0] == "systemctl disable --now capture-agent.service"
    assert removed(steps) == [UNIT, DROP_IN_FOLDER]
    assert f"kept: {SETTINGS_FOLDER} and {STATE_FOLDER}" in notes(steps)


def test_what_a_daemon_published_goes_with_it() -> None:
    here = replace(INSTALLED, folders=INSTALLED.folders | {RUNTIME_FOLDER})

    assert removed(plan_uninstall(here, purge=False)) == [UNIT, DROP_IN_FOLDER, RUNTIME_FOLDER]


def test_purging_leaves_captures_that_are_elsewhere_to_a_person() -> None:
    settings = "#AGENT_SPOOL_DIR=/no\nAGENT_SPOOL_DIR=/data/spool\n"
    steps = plan_uninstall(replace(INSTALLED, files={ENV_FILE: settings}), purge=True)

    assert removed(steps)[-2:] == [SETTINGS_FOLDER, STATE_FOLDER]
    assert f"userdel {USER}" in commands(steps)
    assert "/data/spool are not touched" in notes(steps)
    assert plan_uninstall(replace(FRESH, systemd_runs=False), purge=True)[1:] == []


def test_what_the_sandbox_hides_cannot_be_started() -> None:
    assert hidden_from_the_service("/home/pi/.local/bin/capture-agent")
    assert hidden_from_the_service("/root/.venv/bin/capture-agent")
    assert not hidden_from_the_service("/opt/capture-agent/bin/capture-agent")
    assert not hidden_from_the_service("/homestead/capture-agent")


def test_an_older_installation_gets_the_file_without_which_the_unit_would_not_start() -> None:
    older = {path: text for path, text in INSTALLED.files.items() if path != API_TOKEN_FILE}

    steps = plan_install(replace(INSTALLED, files=older))

    assert files(steps)[API_TOKEN_FILE] == File(API_TOKEN_FILE, 0o600, "")
    assert str(API_TOKEN_FILE) == API_TOKEN_PLACE
