"""The texts made from declarations: the commented env file, tables and pages."""

import re
import textwrap

from agent.events import EVENTS, REPORT_BUG
from agent.selection.rules import rules
from agent.settings.declarations import Settings, variable
from agent.settings.describe import allowed, doc_of, kind, shown_default
from agent.upload.targets.registry import TARGETS

_HEAD = """\
# Settings of capture-agent. Made by `capture-agent env`; every setting is shown with its default.
# Remove the # in front of a name to change it, then: systemctl restart capture-agent
# Durations are written 90s, 15m, 2h, 1h30m; sizes 500MB, 2GB, 1.5GiB. Nothing after = is as unset.
"""


MAIN_SETTINGS = (
    "cameras",
    "fps",
    "model",
    "threshold",
    "budget_per_day",
    "spool_max",
    "upload_url",
    "upload_token",
)
"""The settings that the README shows; all others are in docs/settings.md."""


def env_file() -> str:
    """The commented env file; only the settings without a usable default are not commented out."""
    lines = [_HEAD]
    for name, field in Settings.model_fields.items():
        doc = doc_of(field)
        if doc.group:
            lines += [f"## {doc.group}", ""]
        text = doc.meaning.replace("`", "")
        limits = allowed(field)
        if limits:
            text += f" Allowed: {limits}."
        lines += [f"# {line}" for line in textwrap.wrap(text, 96, break_on_hyphens=False)]
        shown = shown_default(field)
        if shown == "required":
            lines.append(f"{variable(name)}={doc.placeholder}")
        elif doc.default is not None:
            shown = shown.replace("`", "")
            example = f"Example: {doc.example}"
            lines += [f"# Default: {shown}. {example}", f"#{variable(name)}="]
        else:
            lines.append(f"#{variable(name)}={shown}")
        lines.append("")
    return "\n".join(lines)


def main_settings_table() -> str:
    """Return the README's table of the settings that matter most, in Markdown."""
    rows = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name in MAIN_SETTINGS:
        field = Settings.model_fields[name]
        default = shown_default(field)
        doc = doc_of(field)
        shown = default if doc.default is not None else f"`{default}`"
        rows.append(f"| `{variable(name)}` | {shown} | {doc.meaning} |")
    return "\n".join(rows) + "\n"


def settings_page() -> str:
    """Each setting with all that is known of it, in Markdown."""
    parts: list[str] = []
    for name, field in Settings.model_fields.items():
        doc = doc_of(field)
        if doc.group:
            parts.append(f"## {doc.group}\n")
        default = shown_default(field)
        shown = default if doc.default is not None else f"`{default}`"
        limits = allowed(field)
        facts = [
            f"Type: {kind(field)}.",
            "Required." if default == "required" else f"Default: {shown}.",
            *([f"Allowed: {limits}."] if limits else []),
        ]
        parts.append(
            f"### `{variable(name)}`\n\n{doc.meaning}\n\n"
            f"- {' '.join(facts)}\n"
            f"- Example: `{variable(name)}={doc.example}`\n"
            f"- What changes: {doc.effect}\n"
        )
    return "\n".join(parts)


def rules_table() -> str:
    """Return the table of rules, in Markdown: name, highest `p`, and what is suspect."""
    rows = ["| Rule | Highest `p` | Suspect |", "| --- | --- | --- |"]
    for name, rule in rules().items():
        first = " ".join((rule.__doc__ or "").split("\n\n")[0].split())
        compares = " *" if rule.is_temporal else ""
        rows.append(f"| `{name}`{compares} | {rule.prior:g} | {first} |")
    return "\n".join(rows) + "\n"


def rule_options_table() -> str:
    """Return the table of the rules' options, in Markdown."""
    rows = ["| Option | Default | Allowed | Meaning |", "| --- | --- | --- | --- |"]
    from agent.selection.rules.options import options_of

    for name, rule in rules().items():
        for each in options_of(rule).values():
            option_name = f"`{name}.{each.name}`"
            rows.append(f"| {option_name} | {each.default:g} | {each.allowed} | {each.meaning} |")
    return "\n".join(rows) + "\n"


def targets_table() -> str:
    """Return the table of targets, in Markdown: address, what captures become, proof, secret."""
    rows = [
        "| `AGENT_UPLOAD_URL` | Captures become | Proof of delivery | Secret |",
        "| --- | --- | --- | --- |",
    ]
    for row in TARGETS:
        forms = ", ".join(f"`{form}`" for form in row.forms)
        needs = f"; needs `pip install '{row.extra}'`" if row.extra else ""
        credential = row.credential or "none"
        rows.append(f"| {forms} | {row.arrives}{needs} | {row.proof} | {credential} |")
    return "\n".join(rows) + "\n"


def urgent_events_table() -> str:
    """Return the README's table of events that need a person, in Markdown.

    These are problems at level error or above, or that become so when they are final;
    of what to do, the first sentence. A bug, which is only to be reported, says so itself.
    """
    rows = ["| Event | What to do |", "| --- | --- |"]
    for name, event in EVENTS.items():
        is_problem = bool(event.fix) and event.level != "info"
        is_bug = event.fix == REPORT_BUG
        if is_problem and not is_bug and {event.level, event.worst_level} & {"error", "critical"}:
            fix = re.split(r"[.](?: |$)", event.fix)[0]
            rows.append(f"| `{name}` | {fix}. |")
    return "\n".join(rows) + "\n"


def events_page() -> str:
    """Each event with its facts, in Markdown: first those that need a person."""
    serious = [name for name, event in EVENTS.items() if event.fix]
    rest = [name for name in EVENTS if name not in serious]
    parts = []
    for title, names in (("A person is needed", serious), ("For information", rest)):
        rows = [f"## {title}\n", "| Event | Level | Facts | Meaning | What to do |"]
        rows.append("| --- | --- | --- | --- | --- |")
        for name in names:
            event = EVENTS[name]
            levels = ", ".join(filter(None, (event.level, event.worst_level)))
            facts = " ".join(fact if fact == "..." else f"`{fact}`" for fact in event.facts.split())
            rows.append(f"| `{name}` | {levels} | {facts} | {event.meaning} | {event.fix} |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)
