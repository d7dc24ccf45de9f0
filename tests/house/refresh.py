"""Writes the texts that are made from declarations anew: `python tests/house/refresh.py`.

Run it after a change of `agent/config.py`, `agent/events.py` or a rule's docstring; it mends
`systemd/capture-agent.env` and the tables in `README.md`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from agent.env_file import env_file, events_table, rules_table, settings_table

COMMAND = "python tests/house/refresh.py"
ROOT = Path(__file__).parents[2]
ENV_FILE = ROOT / "systemd" / "capture-agent.env"
README = ROOT / "README.md"
TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings_table,
    "rules": rules_table,
    "events": events_table,
}
"""What makes the text between `<!-- NAME -->` and `<!-- /NAME -->` of the README."""


def readme_table(readme: str, name: str) -> str | None:
    """The table between two marks, or None without them."""
    _, begun, rest = readme.partition(f"<!-- {name} -->\n")
    table, ended, _ = rest.partition(f"<!-- /{name} -->")
    return table.strip() + "\n" if begun and ended else None


def with_table(readme: str, name: str, table: str) -> str:
    """The same text with this table between its marks."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = readme.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{table}{end}{after}"


if __name__ == "__main__":
    ENV_FILE.write_text(env_file(), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        if readme_table(text, name) is None:
            raise SystemExit(f"cannot find <!-- {name} --> and <!-- /{name} --> in {README}")
        text = with_table(text, name, make())
    README.write_text(text, encoding="utf-8")
