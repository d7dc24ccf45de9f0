"""What `check` prints: commands and messages of others appear letter by letter."""

import pytest
import typer

from agent.cli import check as command
from agent.cli.preflight import CheckResult


@pytest.mark.parametrize(
    "fact",
    [
        "cannot open camera exec:cat: cat ended with exit code 0",
        "x264 says [bold]no[/bold], [/] and [NULL @ 0x5567]",
    ],
)
def test_a_fact_is_neither_emoji_nor_markup(
    fact: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = CheckResult("camera", ok=False, fact=f"{fact}\n{fact}")
    monkeypatch.setattr(command, "_findings", lambda *, upload_test: iter([lines]))

    with pytest.raises(typer.Exit) as ended:
        command.check()

    assert ended.value.exit_code == 78
    assert capsys.readouterr().out.splitlines() == [f"FAIL camera     {fact}", " " * 16 + fact]
