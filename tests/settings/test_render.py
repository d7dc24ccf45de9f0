"""The env file says what the parser does, in the words that systemd reads."""

import re

import pytest

from agent.settings.declarations import Settings
from agent.settings.describe import allowed, doc_of, shown_default
from agent.settings.load import load
from agent.settings.render import MAIN_SETTINGS, env_file, main_settings_table
from tests.settings.operator_environment import environment, settings_of

ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=[^\"'\\]*")
VARIABLES = [f"AGENT_{field.upper()}" for field in Settings.model_fields]


def as_systemd_reads(text: str) -> dict[str, str]:
    """systemd.exec(5), EnvironmentFile: comments, empty lines and assignments.

    No quotes, no escapes and no continued lines: what needs none of them cannot go wrong with them.
    """
    values = {}
    for line in text.splitlines():
        assert not line.endswith("\\")
        assert line.isprintable()
        if line and not line.startswith(("#", ";")):
            assert ASSIGNMENT.fullmatch(line), line
            name, _, value = line.partition("=")
            assert value == value.strip()
            values[name] = value
    return values


def test_only_what_has_no_default_is_set() -> None:
    assert as_systemd_reads(env_file()) == {"AGENT_CAMERAS": "/dev/video0"}


def test_every_setting_with_its_comment_mark_removed_is_the_default() -> None:
    text = re.sub(r"^#(?=AGENT_)", "", env_file(), flags=re.MULTILINE)
    values = as_systemd_reads(text)

    assert list(values) == VARIABLES
    with environment(values):
        assert load() == settings_of(AGENT_CAMERAS="/dev/video0")


@pytest.mark.parametrize("name", VARIABLES)
def test_each_setting_is_explained_above_its_line(name: str) -> None:
    field = Settings.model_fields[name.removeprefix("AGENT_").lower()]
    above = re.split(rf"^#?{name}=", env_file(), flags=re.MULTILINE)[0].split("\n\n")[-1]
    words = " ".join(line.removeprefix("# ") for line in above.splitlines())

    assert doc_of(field).meaning.replace("`", "") in words
    assert allowed(field) in words
    if doc_of(field).default is not None and shown_default(field) != "required":
        assert f"Default: {shown_default(field).replace('`', '')}." in words


def test_no_line_of_the_env_file_is_wider_than_a_screen() -> None:
    assert max(map(len, env_file().splitlines())) <= 100


def test_the_table_has_one_row_of_three_cells_for_each_main_setting() -> None:
    _, _, *rows = main_settings_table().splitlines()

    assert [row.split("`")[1] for row in rows] == [
        f"AGENT_{field.upper()}" for field in MAIN_SETTINGS
    ]
    assert {row.count(" | ") for row in rows} == {2}


def test_each_setting_has_a_note() -> None:
    for field in Settings.model_fields.values():
        doc = doc_of(field)
        assert doc.meaning
        assert doc.example
        assert doc.effect


@pytest.mark.parametrize("field", Settings.model_fields)
def test_the_example_of_each_setting_is_taken_and_is_not_the_default(field: str) -> None:
    settings = settings_of(
        **{f"AGENT_{field.upper()}": doc_of(Settings.model_fields[field]).example}
    )

    assert getattr(settings, field) != getattr(settings_of(), field)
