"""The texts made from the settings' declarations: the commented env file and the README table."""

import textwrap

from agent.config import Settings, allowed, shown_default, variable

_HEAD = """\
# Settings of capture-agent. Made by `capture-agent env`; every setting is shown with its default.
# Remove the # in front of a name to change it, then: systemctl restart capture-agent
# Try a change first: capture-agent check
"""


def env_file() -> str:
    """The commented env file; only the settings without a usable default are not commented out."""
    lines = [_HEAD]
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        if "group" in extra:
            lines += [f"## {extra['group']}", ""]
        limits = allowed(field)
        text = str(field.description).replace("`", "")
        if limits:
            text += f" Allowed: {limits}."
        lines += [f"# {line}" for line in textwrap.wrap(text, 96)]
        shown = shown_default(field)
        if shown == "required":
            lines.append(f"{variable(name)}={extra['example']}")
        elif "shown" in extra:
            lines += [f"# Default: {shown}", f"#{variable(name)}={extra.get('example', '')}"]
        else:
            lines.append(f"#{variable(name)}={shown}")
        lines.append("")
    return "\n".join(lines)


def settings_table() -> str:
    """The README's table of settings, in Markdown."""
    rows = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = shown_default(field)
        cell = default if "shown" in extra and not default.startswith("$") else f"`{default}`"
        limits = allowed(field)
        meaning = f"{field.description} Allowed: {limits}." if limits else str(field.description)
        rows.append(f"| `{variable(name)}` | {cell} | {meaning} |")
    return "\n".join(rows) + "\n"
