"""The copies of the declarations are what the code makes of them now; what pages name exists."""

import re
from pathlib import Path

import pytest

from agent.settings.render import env_file
from tests import ROOT
from tests.house import refresh

SECURITY = ROOT / "docs" / "security.md"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FIX = f"they differ from the declarations: run `{refresh.COMMAND}`"


def test_the_env_file_of_the_service_is_what_the_command_prints() -> None:
    assert refresh.ENV_FILE.read_text(encoding="utf-8") == env_file(), FIX


@pytest.mark.parametrize(("page", "name"), refresh.TEXTS)
def test_each_page_shows_what_is_declared(page: str, name: str) -> None:
    text = refresh.text_between((ROOT / page).read_text(encoding="utf-8"), name)

    assert text is not None, f"{page} needs the lines <!-- {name} --> and <!-- /{name} -->"
    assert text == refresh.TEXTS[page, name](), FIX


def test_refreshing_replaces_the_text_and_nothing_else() -> None:
    page = "before\n<!-- rules -->\n| old |\n<!-- /rules -->\nafter\n"

    fresh = refresh.with_text(page, "rules", "| new |\n")

    assert fresh == "before\n<!-- rules -->\n| new |\n<!-- /rules -->\nafter\n"
    assert refresh.text_between(fresh, "rules") == "| new |\n"


def test_a_page_without_the_marks_has_no_text() -> None:
    assert refresh.text_between("| a table |\n", "rules") is None
    assert refresh.text_between("<!-- rules -->\n| not ended |\n", "rules") is None


@pytest.mark.parametrize("name", re.findall(r"`(tests/\S+::\w+)`", SECURITY.read_text("utf-8")))
def test_each_test_that_the_threat_model_names_exists(name: str) -> None:
    path, _, function = name.partition("::")

    assert f"def {function}(" in (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_to_a_file_of_ours_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", prose)

    assert [link for link in links if not (page.parent / link).exists()] == []
