"""The copies of the declarations are what the code makes of them now; what pages name exists."""

import re
from pathlib import Path

import pytest
import refresh
from house_rules import ROOT

from agent.env_file import env_file

SECURITY = ROOT / "docs" / "security.md"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
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


@pytest.mark.parametrize("name", re.findall(r"`(tests/\S+::\w+)`", SECURITY.read_text("utf-8")))
def test_each_test_that_the_threat_model_names_exists(name: str) -> None:
    path, _, function = name.partition("::")

    assert f"def {function}(" in (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_to_a_file_of_ours_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []
