"""The man page and the completions that the packages install are those of today's commands."""

import os
import shutil
import subprocess
import tomllib

import pytest
from debian import COMPLETIONS, MAN_PAGE
from manual import BASH, FISH, SHARE, ZSH, commands, documents, man_page

from agent.cli import COMMANDS
from agent.settings.declarations import Settings, variable
from tests import ROOT


@pytest.mark.parametrize("place", documents())
def test_each_document_is_current(place: str) -> None:
    assert (SHARE / place).read_text("utf-8") == documents()[place], (
        "run: python packaging/manual.py"
    )


def test_each_document_is_in_both_packages() -> None:
    assert {MAN_PAGE, *COMPLETIONS} == set(documents())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert {f"packaging/share/{place.partition('/')[0]}" for place in documents()} == set(shared)


def test_every_command_option_and_setting_is_in_the_man_page() -> None:
    page = man_page().replace("\\-", "-")

    for each in commands():
        assert f".SS capture-agent {each.name}\n" in page
        assert all(flag in page for flag in each.flags if flag != "--help")
    assert all(variable(name) in page for name in Settings.model_fields)


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs the package {name}")
        pytest.skip(f"needs the package {name}")
    return found


def test_the_man_page_is_right_for_its_reader() -> None:
    words = [tool("groff"), "-man", "-Tutf8", "-ww", str(SHARE / MAN_PAGE)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert done.stderr == ""
    assert "frames that are worth labelling" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["che"], {"check"}),
        (["check", "--j"], {"--json"}),
        (["rejected", ""], {"list", "retry", "drop", "--help"}),
        (["rejected", "list", "--"], {"--json", "--help"}),
        (["as-service", "sta"], {"status"}),
        (["receive", "--dir", "/et"], {"/etc"}),
        ([""], {*COMMANDS, "--help", "--version"}),
    ],
)
def test_bash_completes(words: list[str], found: set[str]) -> None:
    script = (
        'source "$0"; COMP_WORDS=(capture-agent "$@"); COMP_CWORD=$#; _capture_agent;'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, str(SHARE / BASH), *words],
        capture_output=True,
        text=True,
        check=True,
    )

    assert (set(done.stdout.split()), done.stderr) == (found, "")


@pytest.mark.parametrize(("shell", "place"), [("zsh", ZSH), ("fish", FISH)])
def test_the_other_shells_understand_theirs(shell: str, place: str) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"needs {shell}")
    done = subprocess.run(
        [found, "-n", str(SHARE / place)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
