"""Regenerate the texts that are made from declarations: `python -m tests.house.refresh`.

Run it after a change of `agent/settings/groups`, `agent/events.py` or the docstring of a
rule, and after a change of a command's help. It rewrites `systemd/capture-agent.env`, the tables in
`README.md` and `docs/selection.md`, the pages `docs/settings.md` and `docs/events.md`, and the man
page and completions in `packaging/share`.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping

from agent.settings.render import (
    env_file,
    events_page,
    main_settings_table,
    rule_options_table,
    rules_table,
    settings_page,
    targets_table,
    urgent_events_table,
)
from tests import ROOT

COMMAND = "python -m tests.house.refresh"
ENV_FILE = ROOT / "systemd" / "capture-agent.env"
TEXTS: Mapping[tuple[str, str], Callable[[], str]] = {
    ("docs/targets.md", "targets"): targets_table,
    ("README.md", "main settings"): main_settings_table,
    ("docs/selection.md", "rules"): rules_table,
    ("docs/selection.md", "rule options"): rule_options_table,
    ("README.md", "urgent events"): urgent_events_table,
    ("docs/settings.md", "settings"): settings_page,
    ("docs/events.md", "events"): events_page,
}
"""What makes the text between `<!-- NAME -->` and `<!-- /NAME -->` of a page."""


def text_between(page: str, name: str) -> str | None:
    """The text between two marks, or None without them."""
    _, begun, rest = page.partition(f"<!-- {name} -->\n")
    text, ended, _ = rest.partition(f"<!-- /{name} -->")
    return text.strip() + "\n" if begun and ended else None


def with_text(page: str, name: str, text: str) -> str:
    """The same page with this text between its marks."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{text}{end}{after}"


if __name__ == "__main__":
    ENV_FILE.write_text(env_file(), encoding="utf-8")
    for (page, name), make in TEXTS.items():
        content = (ROOT / page).read_text(encoding="utf-8")
        if text_between(content, name) is None:
            raise SystemExit(f"cannot find <!-- {name} --> and <!-- /{name} --> in {page}")
        (ROOT / page).write_text(with_text(content, name, make()), encoding="utf-8")
    subprocess.run([sys.executable, ROOT / "packaging/manual.py"], check=True)
