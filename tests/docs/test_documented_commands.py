"""Every command that a page shows is done here as a reader would, or at least parsed.

A block of shell is run unless the comment before it says why not; then its commands are still held
against the real command line, the unit, the settings and the files that `install` makes.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.cli import COMMANDS, command_app
from agent.factories.status_facts import NO_DAEMON
from agent.settings.declarations import Settings, variable
from tests import ROOT
from tests.docs.command_rules import RULES, complaint
from tests.docs.pages import (
    BY_CI,
    NOT_RUN,
    PAGES,
    SLOW,
    Block,
    Command,
    blocks,
    commands,
    indented_blocks,
    inline_code,
    shell_blocks,
)
from tests.docs.reader import Reader
from tests.spool.small_file_system import skip_or_fail

README = ROOT / "README.md"
LANGUAGES = {"sh", "json", "ini", "python", "diff", "text"}
"""Each is held by a test; text is what a command printed."""

RUN = [block for block in shell_blocks() if not block.mark]
NOT_HERE = [block for block in shell_blocks() if block.mark]
DONE = sorted({b.page for b in RUN if any(c.words for c in commands(b.text))} - {README})
"""Pages with more than settings; the README has a test of its own."""

BEFORE = {"docs/operating.md": ["AGENT_CAMERAS=/dev/video0 capture-agent run"]}
"""What has happened before a reader comes to a page: there, captures wait."""

INLINE = re.compile(rf"(?:sudo )?(?:\S*/)?(?:{'|'.join(map(re.escape, RULES))}) (?![:=])\S")
SETTING = re.compile(r"((?:AGENT|AWS)_[A-Z0-9_]+)=(.+)")
OUR_PATHS = re.compile(r"(?:agent|tests|docs|models|systemd)/[\w./-]+")


def place(of: Block | Path) -> str:
    return of.place if isinstance(of, Block) else of.relative_to(ROOT).as_posix()


def examples() -> dict[str, str]:
    """What each command's help shows after "Example:"."""
    found = {}
    for command in COMMANDS:
        for info in command_app(command).registered_commands:
            assert info.callback is not None
            example = (info.callback.__doc__ or "").partition("Example: ")[2].split("\n\n")[0]
            name = str(info.name or info.callback.__name__).replace("_", "-")
            found[name] = " ".join(example.split())
    return found


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_each_block_is_of_a_kind_that_a_test_looks_at(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= LANGUAGES
    assert indented_blocks(page) == []


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page names them on a line of their own, which holds no setting of ours."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")


@pytest.mark.parametrize("block", shell_blocks(), ids=place)
def test_each_command_of_a_block_is_a_right_one(block: Block) -> None:
    wrong = {str(command): complaint(command) for command in commands(block.text)}

    assert {name: why for name, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_each_command_in_the_running_text_is_a_right_one(page: Path) -> None:
    shown = {code: commands(code) for code in inline_code(page) if INLINE.match(code)}
    for code in inline_code(page):  # settings as they stand in the env file
        if setting := SETTING.fullmatch(code):
            shown[code] = [Command({setting[1]: setting[2].strip('"')}, ())]
    wrong = {code: complaint(command) for code, found in shown.items() for command in found}

    assert {code: why for code, why in wrong.items() if why} == {}


@pytest.mark.parametrize(("name", "example"), examples().items(), ids=lambda text: text[:20])
def test_the_example_in_each_help_is_a_right_one(name: str, example: str) -> None:
    [command] = commands(example.partition(" > ")[0])

    assert name in command.words
    assert complaint(command) is None


@pytest.mark.parametrize("block", NOT_HERE, ids=lambda block: f"{place(block)} {block.mark}")
def test_a_block_that_is_not_run_here_says_why(block: Block) -> None:
    kind, _, reason = block.mark.partition(":")

    assert block.mark == BY_CI or f"{kind}:" in (SLOW, NOT_RUN)
    assert block.mark == BY_CI or len(reason.split()) >= 2
    assert block.mark != BY_CI or f"<!-- {BY_CI} -->" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("page", DONE, ids=place)
def test_doing_what_the_page_says_works(page: Path, tmp_path: Path) -> None:
    """In the order of the page, in one terminal."""
    with Reader(tmp_path) as reader:
        for line in BEFORE.get(place(page), ()):
            reader.run(line)
        for block in RUN:
            if block.page == page:
                reader.read(block)


def test_the_sum_of_the_bundled_model_is_the_one_in_its_page(tmp_path: Path) -> None:
    page = ROOT / "models" / "README.md"
    with Reader(tmp_path) as reader:
        [said] = [reader.read(block) for block in RUN if block.page == page]

    assert said.split()[0] in page.read_text("utf-8")


def test_the_first_ten_minutes_end_with_a_dataset(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        said = "".join(reader.read(block) for block in RUN if block.page == README)
        assert [line.split()[0] for line in said.splitlines()[1:6]] == ["ok"] * 5, said
        reader.run("capture-agent flush")
        facts = json.loads(reader.run("capture-agent status --json", code=NO_DAEMON))

    dataset = tmp_path / "dataset"
    assert facts["delivered"] == len(list((dataset / "images").glob("*.jpg"))) > 0
    assert {path.name for path in dataset.iterdir()} >= {"images", "records", "labels", "data.yaml"}


@pytest.mark.slow
def test_the_demo_runs_in_a_fresh_copy_with_nothing_prepared(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*_cache", ".venv*", ".git"))
    [block] = [block for block in NOT_HERE if block.mark.startswith(SLOW)]

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert list((copy / "capture-agent-demo" / "dataset" / "images").glob("*.jpg"))
    assert (copy / "capture-agent-demo" / "contact-sheet.jpg").is_file()


def test_the_readme_has_at_most_1500_words() -> None:
    assert len(README.read_text("utf-8").split()) <= 1500


def test_the_table_of_commands_is_whole_and_its_options_exist() -> None:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    cells = re.findall(r"(?m)^\| (`.*?) \|", page)
    named = {code.replace("\\|", "|").split()[0]: code for cell in cells for code in _codes(cell)}
    ours = set(COMMANDS)

    assert ours <= set(named)
    for name in ours - {"rejected"}:
        options = tuple(re.findall(r"--[\w-]+", named[name]))
        flags = tuple(
            word for option in options for word in (option, "x")[: 1 + (option == "--dir")]
        )
        assert complaint(Command({}, ("capture-agent", name, *flags))) is None


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_each_variable_and_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    variables = set(re.findall(r"\bAGENT_[A-Z0-9_]*[A-Z0-9]\b", text))
    paths = {code for code in inline_code(page) if OUR_PATHS.fullmatch(code)}

    assert variables <= {variable(field) for field in Settings.model_fields}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "block", [b for page in PAGES for b in blocks(page) if b.language == "json"], ids=place
)
def test_each_object_in_a_page_is_json(block: Block) -> None:
    assert isinstance(json.loads(block.text), dict)


@pytest.mark.parametrize(
    "block", [b for page in PAGES for b in blocks(page) if b.language == "ini"], ids=place
)
def test_systemd_takes_each_drop_in_of_a_page(block: Block, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        skip_or_fail("needs systemd-analyze from the package systemd")
    unit = tmp_path / "capture-agent.service"
    text = (ROOT / "systemd" / unit.name).read_text("utf-8")
    unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text), "utf-8")
    (tmp_path / f"{unit.name}.d").mkdir()
    (tmp_path / f"{unit.name}.d" / "override.conf").write_text(block.text, "utf-8")

    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("capture-agent run --fast", "--fast"),
        ("capture-agent fly", "fly"),
        ("capture-agent --servant check", "--servant"),
        ("AGENT_FSP=5 capture-agent run", "AGENT_FSP"),
        ("AGENT_FPS=quick", "AGENT_FPS"),
        ("AGENT_UPLOAD_URL=ftp://x", "AGENT_UPLOAD_URL"),
        ("systemctl restart agent", "agent"),
        ("systemctl freeze capture-agent", "freeze"),
        ("journalctl -fu agent", "not our unit"),
        ("nano /etc/agent.env", "/etc/agent.env"),
        ("python tests/nowhere.py", "nowhere"),
        ("pip install edge-agent", "edge-agent"),
        ("pip install '.[fast]'", "fast"),
        ("wget https://example.org", "no rule for the program wget"),
        ("sha256sum models/README.md && curl https://example.org", "not our API"),
    ],
)
def test_a_wrong_command_is_found(line: str, why: str) -> None:
    """A test of the test."""
    found = " ".join(filter(None, map(complaint, commands(line))))

    assert why in found


def _codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)
