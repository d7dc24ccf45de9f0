"""Whatever stands in the environment: one kind of error, and no secret in any text."""

import io
import string
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.errors import ConfigurationError
from agent.logs import make_log
from agent.settings.declarations import Settings
from agent.settings.describe import is_secret
from agent.settings.load import load, without_environment
from tests.search import examples
from tests.settings.operator_environment import environment, settings_of

VARIABLES = [f"AGENT_{field.upper()}" for field in Settings.model_fields]

# What an environment can hold: no NUL, and bytes that are no UTF-8 as lone surrogates.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.just("\udc80"),
    max_size=40,
)
NUMBERS = ["nan", "-inf", "1e999", "0x10", "1_0", "1e-400", "-0", "٣", "²", "9" * 400, "9" * 5000]
WORDS = [
    "auto",
    "off",
    "none",
    "true",
    "null",
    "'",
    '"',
    "\\",
    "=",
    "a=",
    "a=b=c",
    "~",
    ",",
    "{}",
    "//",
]
MARK = "Zq7"  # what no text of ours holds
SECRETS = st.text(string.ascii_letters + string.digits + "._-~+/=", min_size=8).map(MARK.__add__)
PASSWORDS = st.text(string.printable.strip() + "äß€", min_size=8, max_size=20).map(MARK.__add__)


@given(
    st.dictionaries(
        st.sampled_from(VARIABLES), TEXTS | st.sampled_from(NUMBERS + WORDS), max_size=8
    )
)
@example({"AGENT_SPOOL_MAX": "9" * 400 + "GB"})
@example({"AGENT_DEVICE_ID": "\udc80"})
@example({"AGENT_THRESHOLDS": "a=" + "9" * 400})
@settings(max_examples=examples(300), deadline=None)
def test_any_text_is_read_or_refused_in_the_one_way(values: dict[str, str]) -> None:
    with environment(values):
        try:
            read = load()
        except ConfigurationError as error:
            lines = str(error).splitlines()
            assert all(line.startswith("AGENT_") and ": " in line for line in lines)
        else:
            assert 0 <= read.floor <= min([read.threshold, *read.thresholds.values()])


@given(SECRETS, SECRETS)
@settings(max_examples=examples(50), deadline=None)
def test_no_text_shows_the_token_or_a_key_in_the_address(token: str, key: str) -> None:
    shown = shown_of(
        AGENT_UPLOAD_TOKEN=token,
        AGENT_UPLOAD_URL=f"https://host/captures?api_key={quote(key)}",
    )

    assert MARK not in shown


@given(PASSWORDS)
@settings(max_examples=examples(50), deadline=None)
def test_no_text_shows_the_password_of_a_camera(password: str) -> None:
    encoded = quote(password, safe="")
    shown = shown_of(AGENT_CAMERAS=f"gate=rtsp://admin:{encoded}@10.0.0.7/h264")

    assert MARK not in shown


@pytest.mark.parametrize(
    "cameras",
    [
        "gate=rtsp://admin:hunter2@ yard=0 yard=1",
        "gate=rtsp://admin:hunter2@10.0.0.7:port/x",
        "rtsp://admin:hunt@hunter2@10.0.0.7/x yard=0",
        "'gate=rtsp://admin:hunter2@10.0.0.7/x",
        "gate=rtsp://admin:hunter2/x@10.0.0.7/x yard",
        "http://10.0.0.7/video?user=admin&password=hunter2 yard=0",
    ],
)
def test_the_refusal_of_a_camera_holds_no_password(cameras: str) -> None:
    with environment({"AGENT_CAMERAS": cameras}), pytest.raises(ConfigurationError) as caught:
        load()

    assert "hunter2" not in str(caught.value)
    assert str(caught.value).startswith("AGENT_CAMERAS: ")


def shown_of(**values: str) -> str:
    """All that could be printed of these settings: the object, the log, and the error."""
    stream = io.StringIO()
    log = make_log(stream=stream, form="logfmt")
    with environment(values):
        read = load()
        log.info("agent started", settings=read, cameras=read.cameras, url=read.upload_url)
    with environment({**values, "AGENT_FPS": "x", "AGENT_UPLOAD_TIMEOUT": "x"}):
        try:
            load()
        except ConfigurationError as error:
            stream.write(str(error))
    return stream.getvalue() + repr(read) + str(read)


def test_the_token_in_the_credentials_directory_wins(tmp_path: Path) -> None:
    (tmp_path / "upload_token").write_text(" from-the-file\n", encoding="utf-8")
    variable = {"AGENT_UPLOAD_TOKEN": "from-the-variable"}

    assert settings_of(**variable, CREDENTIALS_DIRECTORY=str(tmp_path)).token == "from-the-file"
    assert settings_of(**variable).token == "from-the-variable"


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_an_empty_or_missing_credential_leaves_the_setting(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "upload_token").write_text(content, encoding="utf-8")
    folder = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert settings_of(**folder, AGENT_UPLOAD_TOKEN="set").token == "set"
    assert settings_of(**folder).token is None


@pytest.mark.parametrize("kind", ["folder", "no UTF-8"])
def test_a_credential_that_cannot_be_read_is_one_of_the_problems(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "upload_token"
    if kind == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigurationError, match="cannot read the credential"):
        settings_of(CREDENTIALS_DIRECTORY=str(tmp_path))


def test_what_the_type_of_a_setting_calls_secret_is_not_shown() -> None:
    secret = {name for name, field in Settings.model_fields.items() if is_secret(field)}

    assert secret == {"upload_token", "upload_proxy", "mqtt_url"}
    shown = repr(without_environment(upload_token="a-token", upload_proxy="http://u:pw@10.0.0.1:1"))
    assert "a-token" not in shown
    assert "pw" not in shown
