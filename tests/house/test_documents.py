"""The copies of the settings' declarations are what the code makes of them now."""

import refresh

from agent.env_file import env_file, settings_table

MEND = f"they differ from agent/config.py: run `{refresh.COMMAND}`"


def test_the_env_file_of_the_service_is_what_the_command_prints() -> None:
    assert refresh.ENV_FILE.read_text(encoding="utf-8") == env_file(), MEND


def test_the_readme_shows_the_table_of_settings() -> None:
    table = refresh.readme_table(refresh.README.read_text(encoding="utf-8"))

    assert table is not None, f"README.md needs a line {refresh.BEGIN.strip()} and {refresh.END}"
    assert table == settings_table(), MEND


def test_refreshing_replaces_the_table_and_nothing_else() -> None:
    readme = f"before\n{refresh.BEGIN}| old |\n{refresh.END}\nafter\n"

    fresh = refresh.with_table(readme, "| new |\n")

    assert fresh == f"before\n{refresh.BEGIN}| new |\n{refresh.END}\nafter\n"
    assert refresh.readme_table(fresh) == "| new |\n"


def test_a_readme_without_the_marks_has_no_table() -> None:
    assert refresh.readme_table("| a table |\n") is None
    assert refresh.readme_table(f"{refresh.BEGIN}| not ended |\n") is None
