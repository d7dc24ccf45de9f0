"""What others put into the environment, and what operators put there by habit."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli.settings_warnings import settings_warnings
from agent.errors import ConfigurationError
from agent.factories.delivery import upload_target
from agent.factories.selection import selection_plan
from agent.path_text import path_problem
from agent.settings.declarations import Settings, variable
from agent.settings.load import PATH_SETTINGS, foreign_variables, load
from agent.settings.reach import has_private_tmp
from agent.settings.secret_file import read_secret, secret_problem
from tests.end_to_end.command import call
from tests.fakes.clock import ManualClock
from tests.search import examples
from tests.settings.operator_environment import environment, problems_of, settings_of

KUBERNETES = {
    "AGENT_PORT": "tcp://10.96.0.10:8080",
    "AGENT_PORT_8080_TCP": "tcp://10.96.0.10:8080",
    "AGENT_PORT_8080_TCP_ADDR": "10.96.0.10",
    "AGENT_PORT_53_UDP_PROTO": "udp",
    "AGENT_SERVICE_HOST": "10.96.0.10",
    "AGENT_SERVICE_PORT": "8080",
    "AGENT_SERVICE_PORT_HTTP": "8080",
    "AGENT_UPLOAD_SERVICE_HOST": "10.96.0.11",
    "AGENT_UPLOAD_PORT": "tcp://10.96.0.11:80",
}
DOCKER_LINK = {"AGENT_NAME": "/web/agent", "AGENT_ENV_PATH": "/bin", "AGENT_ENV_VERSION": "1"}
BUILD_AGENT = {
    "AGENT_ID": "7",
    "AGENT_NAME": "pool-3",
    "AGENT_OS": "Linux",
    "AGENT_OSARCHITECTURE": "X64",
    "AGENT_VERSION": "3.236.1",
    "AGENT_TEMPDIRECTORY": "/agent/_work/_temp",
    "AGENT_TOOLSDIRECTORY": "/opt/hostedtoolcache",
    "AGENT_WORKFOLDER": "/agent/_work",
    "AGENT_JOBSTATUS": "Succeeded",
    "AGENT_MACHINENAME": "build-7",
    "AGENT_ISSELFHOSTED": "1",
    "AGENT_USEWORKSPACEID": "true",
    "AGENT_DEPLOYMENTGROUPID": "4",
}


@pytest.mark.parametrize("values", [KUBERNETES, DOCKER_LINK, BUILD_AGENT])
def test_variables_of_other_programs_are_skipped_with_one_warning(
    values: dict[str, str], tmp_path: Path
) -> None:
    with environment(values):
        [warning] = settings_warnings(tmp_path / "none")
        assert foreign_variables() == sorted(values)

    assert settings_of(**values) == settings_of()
    assert all(name in warning for name in values)


@pytest.mark.parametrize(
    ("name", "real"),
    [
        ("AGENT_CAMERA", "AGENT_CAMERAS"),
        ("AGENT_TOKEN", "AGENT_UPLOAD_TOKEN"),
        ("AGENT_URL", "AGENT_UPLOAD_URL"),
        ("AGENT_SPOOL_SIZE", "AGENT_SPOOL_"),
        ("AGENT_MODEL_PATH", "AGENT_MODEL"),
        ("AGENT_DEVICEID", "AGENT_DEVICE_ID"),
        ("AGENT_FP", "AGENT_FPS"),
        ("AGENT_FSP", "AGENT_FPS"),
        ("AGENT_LABELS", "AGENT_MODEL_LABELS"),
        ("AGENT_BUDGET", "AGENT_BUDGET_PER_DAY"),
        ("AGENT_INTERVAL", "AGENT_RANDOM_INTERVAL"),
    ],
)
def test_a_near_name_is_an_error_with_its_hint(name: str, real: str) -> None:
    (problem,) = problems_of(**{name: "x"})

    assert problem.startswith(f"{name}: unknown; did you mean {real}")


@pytest.mark.parametrize("name", ["AGENT_XYZZY", "AGENT_BANANA_SPLIT"])
def test_a_name_that_is_near_to_none_gets_no_absurd_hint(name: str) -> None:
    (problem,) = problems_of(**{name: "x"})

    assert "did you mean" not in problem
    assert f"env -u {name} capture-agent" in problem


PATHS = {f"AGENT_{field.upper()}" for field in PATH_SETTINGS}
HABITS = [
    ("/x/spool # ssd", "comment"),
    ("/x/spool\t#ssd", "comment"),
    ("/x/spool ; ssd", "comment"),
    ("~/spool", "~ is not expanded"),
    ("~pi/spool", "~ is not expanded"),
    ("$HOME/spool", "not expanded"),
    ("/mnt/${DISK}/spool", "not expanded"),
    ("$(pwd)/spool", "not expanded"),
    ("%h/spool", "unit files"),
    ('"/x/spool"', "quotes"),
    ("'/x/spool'", "quotes"),
    ('/x/spool"', "quotes"),
    ("/x/my\\ spool", "backslash"),
    ("file:///x/spool", "without file:"),
    ("/x/sp\x1bool", "control characters"),
    ("/x/" + "a" * 300, "longer"),
]


@pytest.mark.parametrize(("text", "why"), HABITS)
@pytest.mark.parametrize("name", sorted(PATHS))
def test_a_path_that_a_shell_would_change_is_refused_with_the_fix(
    name: str, text: str, why: str
) -> None:
    (problem,) = problems_of(**{name: text})

    assert problem.startswith(f"{name}: cannot use the path '")
    assert why in problem
    assert problem.isprintable()


@pytest.mark.parametrize(
    "text", ["/x/spool", "near", "/x/my spool", "/x/a#b", "/x/50%", "/x/a$", "/x/it's", "./~"]
)
def test_an_ordinary_path_is_taken_as_it_is(text: str) -> None:
    assert path_problem(text) is None


def test_blanks_around_a_path_do_not_belong_to_it() -> None:
    assert settings_of(AGENT_SPOOL_DIR=" /x/spool ").spool_dir == Path("/x/spool")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AGENT_CAMERAS", "gate=~/clip.mp4"),
        ("AGENT_CAMERAS", "gate=/data/clip.mp4 # the gate"),
        ("AGENT_CAMERAS", "gate=$HOME/clip.mp4"),
        ("AGENT_DEVICE_ID", "gate-07 # north"),
        ("AGENT_MODEL_LABELS", "car, person # two"),
        ("AGENT_FPS", "5 # frames"),
    ],
)
def test_a_comment_or_a_shells_sign_is_named_in_other_settings_too(name: str, text: str) -> None:
    (problem,) = problems_of(**{name: text})

    assert problem.startswith(f"{name}: ")
    assert "comment" in problem or "not expanded" in problem


@pytest.mark.parametrize("name", ["AGENT_DEVICE_ID", "AGENT_UPLOAD_URL", "AGENT_MODEL_LABELS"])
@pytest.mark.parametrize("mark", ["'", '"'])
def test_quotes_that_nobody_removed_are_named(name: str, mark: str) -> None:
    """Docker keeps the quotes of an env file."""
    (problem,) = problems_of(**{name: f"{mark}https://host/x{mark}"})

    assert problem.endswith("the quotes would belong to the value; remove them")


@pytest.fixture
def another_user() -> Iterator[None]:
    """Run as a user without rights."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that nobody but its owner may enter."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


CLOSED = {f"AGENT_{field.upper()}": "{}/inner/file" for field in PATH_SETTINGS} | {
    "AGENT_CAMERAS": "gate={}/inner/file",
    "AGENT_MODEL_LABELS": "{}/inner/file",
    "AGENT_UPLOAD_URL": "dir:{}/inner/file",
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_folder_that_may_not_be_entered_is_named_with_the_fix(
    name: str, closed: Path, another_user: None
) -> None:
    (problem,) = problems_of(**{name: CLOSED[name].format(closed)})

    assert problem == (
        f"{name}: cannot reach {closed}/inner/file: this user may not enter {closed}; run the "
        f"command as a user who may, or open the folder: chmod o+x {closed}"
    )


def test_a_file_that_may_not_be_read_is_named_with_the_fix(
    closed: Path, another_user: None
) -> None:
    model = closed.parent / "model.onnx"
    os.seteuid(0)
    model.touch(mode=0o600)
    os.seteuid(65534)

    (problem,) = problems_of(AGENT_MODEL=str(model))

    assert "this user may not read it; give it to the user: chown " in problem
    assert problem.endswith(f" {model}")


def test_what_the_services_sandbox_hides_is_named_as_such(another_user: None) -> None:
    if Path("/root").stat().st_mode & 0o001:
        pytest.skip("everybody may enter /root here")
    (problem,) = problems_of(AGENT_MODEL="/root/model.onnx", CREDENTIALS_DIRECTORY="/nowhere")

    assert "the service's sandbox hides /root (ProtectHome=yes)" in problem
    assert "move it to /var/lib/capture-agent" in problem


@pytest.mark.parametrize("name", sorted(PATHS))
def test_a_file_in_the_place_of_a_folder_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    problems = problems_of(**{name: f"{tmp_path}/file/inner"})

    assert f"{name}: cannot reach {tmp_path}/file/inner: {tmp_path}/file is a file" in problems[0]


MOUNTS = """\
24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/mmcblk0p2 rw
61 24 8:1 /tmp/systemd-private-3f-capture-agent.service-Xy/tmp /tmp rw shared:9 - ext4 /dev/x rw
"""


@pytest.mark.parametrize(
    ("mounts", "state", "private"),
    [
        (MOUNTS, "/var/lib/capture-agent", True),
        (MOUNTS, "", False),  # another service runs this
        (MOUNTS.partition("61 ")[0], "/var/lib/capture-agent", False),
    ],
)
def test_the_services_own_tmp_is_recognised(
    mounts: str, state: str, private: bool, tmp_path: Path
) -> None:
    """A spool there would be deleted at each stop."""
    (tmp_path / "mountinfo").write_text(mounts, encoding="utf-8")

    with environment({"STATE_DIRECTORY": state}):
        assert has_private_tmp(tmp_path / "mountinfo") == private


def test_a_circle_of_links_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    (problem,) = problems_of(AGENT_MODEL=f"{tmp_path}/a/model.onnx")

    assert "a link that leads back to itself" in problem


@pytest.mark.parametrize(
    "content",
    [
        b"s3cret",
        b"s3cret\n",
        b"\xef\xbb\xbfs3cret\r\n",
        b"  s3cret  \n\n",
    ],
)
def test_a_secret_is_read_without_what_editors_add(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)

    assert read_secret(tmp_path / "token", what="the credential") == "s3cret"


NO_SECRETS = [
    '"s3cret"',
    "'s3cret'",
    "AGENT_UPLOAD_TOKEN=s3cret",
    "export AGENT_UPLOAD_TOKEN=s3cret",
    "API_KEY = s3cret",
    "token: s3cret",
    "Authorization: Bearer s3cret",
    "Bearer s3cret",
    '{"token":"s3cret"}',
    "<s3cret>",
    "s3cret\nother",
    "-----BEGIN PRIVATE KEY-----",
    "s3cr\u00e9t",
    "s3cret\x07",
]


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_is_no_secret_alone_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    (tmp_path / "upload_token").write_text(text, encoding="utf-8")

    for values in (
        {"CREDENTIALS_DIRECTORY": str(tmp_path)},
        {"AGENT_UPLOAD_TOKEN": text},
    ):
        (problem,) = problems_of(**values)
        assert ";" in problem
        assert "s3cret" not in problem


@pytest.mark.parametrize("content", ["s3cret".encode("utf-16"), b"x" * 100_000])
def test_a_file_that_is_no_text_or_too_large_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"cannot (read|use) the credential"):
        read_secret(tmp_path / "token", what="the credential")


def test_a_secret_is_not_awaited_from_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")

    with pytest.raises(ConfigurationError, match="it is not a regular file"):
        read_secret(tmp_path / "token", what="the credential")


@given(st.text("ABCDEFxyz019+/_-.~", min_size=8).flatmap(lambda t: st.sampled_from([t, t + "=="])))
@settings(deadline=None)
def test_a_random_token_is_no_problem(token: str) -> None:
    assert secret_problem(token) is None


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("AGENT_UPLOAD_TOKEN=s3cret\n", 0o644, True),
        ("AGENT_CAMERAS=gate=rtsp://me:s3cret@host/x\n", 0o644, True),
        ("AWS_SECRET_ACCESS_KEY=s3cret\n", 0o644, True),
        ("AGENT_UPLOAD_TOKEN=s3cret\n", 0o640, False),
        ("#AGENT_UPLOAD_TOKEN=s3cret\nAGENT_UPLOAD_TOKEN=\nAGENT_FPS=5\n", 0o644, False),
    ],
)
def test_an_env_file_whose_secrets_everybody_can_read_is_a_warning(
    text: str, mode: int, told: bool, tmp_path: Path
) -> None:
    file = tmp_path / "capture-agent.env"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)

    with environment({}):
        warnings = list(settings_warnings(file))

    assert [f"chmod o= {file}" in warning for warning in warnings] == [True] * told
    assert "s3cret" not in "".join(warnings)


def test_check_and_run_tell_what_they_ignore(tmp_path: Path) -> None:
    settings_given = {"AGENT_CAMERAS": tmp_path / "none.mp4", "AGENT_NAME": "pool-3"}

    assert "ignored, because other programs set them: AGENT_NAME" in (
        call(tmp_path, "check", **settings_given).stdout
    )
    assert 'event="settings doubtful"' in call(tmp_path, "run", **settings_given).stderr


HOSTILE = [
    "nan", "-inf", "1e999", "0x10", "9" * 400, "-" * 700, "1e-400", "\u0663", "1_000",
    "'", '"', "\\", "=", "a=", "=b", "a=b=c", ",", ";", "#", "x # y", "~", "$HOME", "%h/x", "{}",
    "/", "//", "/dev/null", "/dev/null/x", "/proc/self/mem",
    "/" + "x/" * 400, "." * 300, "a" * 3000,
    "\x1b[31mred", "a\nb", "\r\n", "\u202egpj", "\udc80", "\x7f", " ", "\t",
    "rtsp://u:p@h/x", "rtsp://[::1", "http://h:99999999999/", "http://[]/", "://", "rtsp://", "x://y",
    "https://h/\u00e9", "https://u:p@h/", "s3://", "s3://b/../..", "roboflow://", "roboflow:///x",
    "label-studio+https://h/projects/x", "dir:", "dir:~", "dir:/dev/null/x", "HTTPS://H", "ftp://h",
    "25:00-26:00", "01:00-01:00", "car=0.5 car=0.6", "'car", "auto auto", "cuda:x", "cuda:=", ":::",
    "flicker.x=1", "low_confidence.=nan", "bgr rgb", "size=0x0", "mean=" + "9" * 400,
]  # fmt: skip


def every_part(read: Settings) -> None:
    """What `run` makes of the settings before it opens anything."""
    upload_target(read, clock=ManualClock())
    selection_plan(read)


@given(
    st.dictionaries(
        st.sampled_from([variable(field) for field in Settings.model_fields]),
        st.sampled_from(HOSTILE)
        | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=examples(100), deadline=None)
def test_no_value_of_any_setting_ends_in_a_traceback(values: dict[str, str]) -> None:
    """Every problem is one printable line of bounded length that names its variable."""
    with environment(values):
        try:
            load(needs_cameras=True, further=every_part)
        except ConfigurationError as error:
            lines = str(error).split("\n")
        else:
            lines = []

    for line in lines:
        assert line.startswith("AGENT_"), line
        assert line.isprintable()
        assert len(line) < 2500


def test_all_that_is_wrong_is_said_at_once_with_exit_code_78(tmp_path: Path) -> None:
    wrong = {
        "AGENT_FPS": "fast",
        "AGENT_SPOOL_DIR": "~/spool",
        "AGENT_CAMERAS": "gate=ftp://x yard=256",
        "AGENT_UPLOAD_URL": "https://app.roboflow.com/workspace",
        "AGENT_UPLOAD_TOKEN": "Bearer x",
        "AGENT_SPOL_MAX": "1GB",
    }
    done = call(tmp_path, "run", **wrong)

    assert done.returncode == 78
    lines = done.stderr.splitlines()
    assert {line.split(": ")[1] for line in lines} == set(wrong)
