"""Writes the texts that are made from the settings anew: `python tests/house/refresh.py`.

Run it after a change of `agent/config.py`; it mends `systemd/capture-agent.env` and the table of
settings in `README.md`.
"""

from pathlib import Path

from agent.env_file import env_file, settings_table

COMMAND = "python tests/house/refresh.py"
ROOT = Path(__file__).parents[2]
ENV_FILE = ROOT / "systemd" / "capture-agent.env"
README = ROOT / "README.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->"


def readme_table(readme: str) -> str | None:
    """The table between the two marks, or None without them."""
    _, begun, rest = readme.partition(BEGIN)
    table, ended, _ = rest.partition(END)
    return table.strip() + "\n" if begun and ended else None


def with_table(readme: str, table: str) -> str:
    """The same text with this table between the two marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table}{END}{after}"


if __name__ == "__main__":
    ENV_FILE.write_text(env_file(), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    if readme_table(text) is None:
        raise SystemExit(f"cannot find {BEGIN.strip()} and {END} in {README}")
    README.write_text(with_table(text, settings_table()), encoding="utf-8")
