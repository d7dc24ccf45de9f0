"""The texts made from declarations: the commented env file, the README's tables."""

import textwrap

from agent.config import Settings, variable
from agent.config_fields import allowed, extra, shown_default
from agent.events import EVENTS
from agent.selection.rules import RULES

_HEAD = """\
# Settings of capture-agent. Made by `capture-agent env`; every setting is shown with its default.
# Remove the # in front of a name to change it, then: systemctl restart capture-agent
# Durations are written 90s, 15m, 2h, 1h30m; sizes 500MB, 2GB, 1.5GiB. Nothing after = is as unset.
"""


def env_file() -> str:
    """The commented env file; only the settings without a usable default are not commented out."""
    lines = [_HEAD]
    for name, field in Settings.model_fields.items():
        more = extra(field)
        if "group" in more:
            lines += [f"## {more['group']}", ""]
        text = str(field.description).replace("`", "")
        limits = allowed(field)
        if limits:
            text += f" Allowed: {limits}."
        lines += [f"# {line}" for line in textwrap.wrap(text, 96)]
        shown = shown_default(field)
        if shown == "required":
            lines.append(f"{variable(name)}={more['example']}")
        elif "shown" in more:
            shown = shown.replace("`", "")
            lines += [f"# Default: {shown}.", f"#{variable(name)}="]
        else:
            lines.append(f"#{variable(name)}={shown}")
        lines.append("")
    return "\n".join(lines)


def settings_table() -> str:
    """The README's table of settings, in Markdown."""
    rows = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = shown_default(field)
        if "shown" not in extra(field):
            default = f"`{default}`"
        limits = allowed(field)
        meaning = f"{field.description} Allowed: {limits}." if limits else str(field.description)
        rows.append(f"| `{variable(name)}` | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def rules_table() -> str:
    """The README's table of rules, in Markdown: name, weight, and what makes each fire."""
    rows = ["| Rule | Weight | Fires when |", "| --- | --- | --- |"]
    for name, rule in RULES.items():
        first = " ".join((rule.__doc__ or "").split("\n\n")[0].split())
        compares = " *" if rule.is_temporal else ""
        rows.append(f"| `{name}`{compares} | {rule.weight:g} | {first} |")
    return "\n".join(rows) + "\n"


def events_table() -> str:
    """The README's table of events, in Markdown: level, meaning, and what to do."""
    rows = ["| Event | Level | Meaning | What to do |", "| --- | --- | --- | --- |"]
    for name, event in EVENTS.items():
        levels = ", ".join(filter(None, (event.level, event.worse)))
        rows.append(f"| `{name}` | {levels} | {event.meaning} | {event.mend} |")
    return "\n".join(rows) + "\n"
