"""The copies of the declarations are what the code makes of them now."""

import pytest
import refresh

from agent.env_file import env_file

MEND = f"they differ from the declarations: run `{refresh.COMMAND}`"


def test_the_env_file_of_the_service_is_what_the_command_prints() -> None:
    assert refresh.ENV_FILE.read_text(encoding="utf-8") == env_file(), MEND


@pytest.mark.parametrize("name", refresh.TABLES)
def test_the_readme_shows_the_table(name: str) -> None:
    table = refresh.readme_table(refresh.README.read_text(encoding="utf-8"), name)

    assert table is not None, f"README.md needs the lines <!-- {name} --> and <!-- /{name} -->"
    assert table == refresh.TABLES[name](), MEND


def test_refreshing_replaces_the_table_and_nothing_else() -> None:
    readme = "before\n<!-- rules -->\n| old |\n<!-- /rules -->\nafter\n"

    fresh = refresh.with_table(readme, "rules", "| new |\n")

    assert fresh == "before\n<!-- rules -->\n| new |\n<!-- /rules -->\nafter\n"
    assert refresh.readme_table(fresh, "rules") == "| new |\n"


def test_a_readme_without_the_marks_has_no_table() -> None:
    assert refresh.readme_table("| a table |\n", "rules") is None
    assert refresh.readme_table("<!-- rules -->\n| not ended |\n", "rules") is None
