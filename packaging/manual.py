"""Makes the man page and the shell completions from the commands and the settings.

    python packaging/manual.py

Writes them into `packaging/share/`, from where the wheel and the Debian package install them. A
test fails when a copy there is older than the commands.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from agent.cli import COMMANDS, command_app, summary
from agent.runtime.supervisor import ExitCode
from agent.settings.declarations import Settings, variable
from agent.settings.describe import allowed, doc_of, shown_default

SHARE = Path(__file__).with_name("share")
NAME = "capture-agent"
MAN_PAGE = f"man/man1/{NAME}.1"
BASH = f"bash-completion/completions/{NAME}"
ZSH = f"zsh/site-functions/_{NAME}"
FISH = f"fish/vendor_completions.d/{NAME}.fish"


@dataclass(frozen=True, slots=True)
class CommandHelp:
    """One command, as its help describes it."""

    name: str  # with its group: "rejected list"
    summary: str
    paragraphs: tuple[str, ...]  # of its help, without the summary
    options: tuple[tuple[str, str], ...]  # as its help writes them, each with its meaning
    flags: tuple[str, ...]  # names of its options, such as --json


def commands() -> Iterator[CommandHelp]:
    """Yield every command, a group before its own."""
    for name in COMMANDS:
        command: Any = typer.main.get_command(command_app(name))
        yield _help_of(name, command, summary(name))
        for inner, each in getattr(command, "commands", {}).items():
            yield _help_of(f"{name} {inner}", each, _paragraphs(each.help)[0])


def man_page() -> str:
    """Return the page in roff."""
    lines = [
        f'.TH {NAME.upper()} 1 "" "{NAME}"',
        ".SH NAME",
        f"{NAME} \\- capture frames that are worth labelling, and deliver each exactly once",
        ".SH SYNOPSIS",
        f".B {NAME}",
        ".I COMMAND",
        "[\\fIOPTIONS\\fR]",
        ".SH DESCRIPTION",
        _roff(
            "Runs an ONNX model on the frames of cameras, keeps the frames that the model probably "
            "gets wrong safe on disk, and delivers them to a dataset endpoint. It is configured by "
            "environment variables alone; as a service, systemd reads them from "
            "/etc/capture-agent/capture-agent.env."
        ),
        ".SH COMMANDS",
    ]
    for each in commands():
        lines += [f".SS {_roff(f'{NAME} {each.name}')}", _roff(each.summary)]
        for paragraph in each.paragraphs:
            lines += [".PP", _roff(paragraph)]
        for term, meaning in each.options:
            lines += [".TP", f"\\fB{_roff(term)}\\fR", _roff(meaning)]
    lines.append(".SH ENVIRONMENT")
    for name, field in Settings.model_fields.items():
        limits = allowed(field)
        text = f"{doc_of(field).meaning} Default: {shown_default(field)}."
        text += f" Allowed: {limits}." if limits else ""
        lines += [".TP", f"\\fB{variable(name)}\\fR", _roff(text.replace("`", ""))]
    lines += [
        ".SH FILES",
        *_terms(
            {
                "/etc/capture-agent/capture-agent.env": "settings of the service",
                "/etc/capture-agent/upload_token": "secret of the endpoint, readable by root alone",
                "/etc/capture-agent/api_token": "token of the API, readable by root alone",
                "/var/lib/capture-agent": "captures that wait, and the known-good model",
            }
        ),
        ".SH EXIT STATUS",
        *_terms(
            {
                "0": "done, or stopped as asked",
                "1": "a bug, or a person is needed (status)",
                "3": "no daemon runs (status)",
                "75": "not now: the same command may work later",
                f"{int(ExitCode.CONFIGURATION)}": "a person must change the configuration; the "
                "message says what",
            }
        ),
        ".SH SIGNALS",
        *_terms(
            {
                "SIGTERM, SIGINT": "stop in order within 20 seconds; a second one stops at once",
                "SIGHUP": "take up a new file at AGENT_MODEL; of a terminal that was closed: stop",
                "SIGUSR1": "capture the next frame of each camera",
            }
        ),
        ".SH SEE ALSO",
        ".BR systemctl (1),",
        ".BR journalctl (1)",
        "",
    ]
    return "\n".join(lines)


def bash_completion() -> str:
    """Return the completion for bash: commands, their options, else files."""
    found = list(commands())
    cases = "".join(
        f"        '{each.name}') words='{' '.join(_words_after(each, found))}' ;;\n"
        for each in found
    )
    return f"""\
# Completion of {NAME} for bash. Made by packaging/manual.py.
_capture_agent() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} command= word words
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in -*) ;; *)
            case "${{command:+$command }}$word" in
            {"|".join(f"'{each.name}'" for each in found)}) command=${{command:+$command }}$word ;;
            esac ;;
        esac
    done
    case $command in
        '') words='{" ".join([*COMMANDS, "--help", "--version"])}' ;;
{cases}    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    [[ ${{#COMPREPLY[@]}} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}}
complete -o filenames -F _capture_agent {NAME}
"""


def zsh_completion() -> str:
    """Return the completion for zsh."""
    found = list(commands())
    described = "\n".join(
        f"        '{each.name}:{_zsh(each.summary)}'" for each in found if " " not in each.name
    )
    cases = "\n".join(
        f"    ({each.name}) compadd -- {' '.join(_words_after(each, found))}; _files ;;"
        for each in found
        if " " not in each.name
    )
    return f"""\
#compdef {NAME}
# Completion of {NAME} for zsh. Made by packaging/manual.py.
local -a commands
if (( CURRENT == 2 )); then
    commands=(
{described}
    )
    _describe command commands
    compadd -- --help --version
else
    case $words[2] in
{cases}
    esac
fi
"""


def fish_completion() -> str:
    """Return the completion for fish."""
    lines = [
        f"# Completion of {NAME} for fish. Made by packaging/manual.py.",
        f"complete -c {NAME} -n __fish_use_subcommand -l help -d 'Show the help'",
        f"complete -c {NAME} -n __fish_use_subcommand -l version -d 'Print the version'",
    ]
    for each in commands():
        group, _, inner = each.name.rpartition(" ")
        condition = f"'__fish_seen_subcommand_from {group}'" if group else "__fish_use_subcommand"
        text = _fish(each.summary)
        lines.append(f"complete -c {NAME} -n {condition} -f -a {inner} -d '{text}'")
        lines += [
            f"complete -c {NAME} -n '__fish_seen_subcommand_from {inner}' -l {flag[2:]}"
            for flag in each.flags
            if flag.startswith("--")
        ]
    return "\n".join([*lines, ""])


def documents() -> Mapping[str, str]:
    """Return each file below `share/` with its text."""
    return {
        MAN_PAGE: man_page(),
        BASH: bash_completion(),
        ZSH: zsh_completion(),
        FISH: fish_completion(),
    }


def _help_of(name: str, command: Any, short: str) -> CommandHelp:
    return CommandHelp(
        name,
        short,
        tuple(_paragraphs(command.help)[1:]),
        tuple((_term(each), _meaning(each)) for each in command.params),
        (
            *(flag for each in command.params for flag in each.opts if flag.startswith("-")),
            "--help",
        ),
    )


def _term(parameter: Any) -> str:
    """`--port PORT`: not as the help of one version of the library writes it."""
    value = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "argument":
        return str(value)
    names = ", ".join(parameter.opts)
    return names if parameter.is_flag else f"{names} {value}"


def _meaning(parameter: Any) -> str:
    text = _line(parameter.help or "")
    if parameter.required:
        return f"{text} Required.".strip()
    default = parameter.default
    is_shown = isinstance(default, str | int | float | Path) and not isinstance(default, bool)
    return f"{text} Default: {default}.".strip() if is_shown else text


def _words_after(command: CommandHelp, all_commands: list[CommandHelp]) -> list[str]:
    inner = [
        each.name.rpartition(" ")[2]
        for each in all_commands
        if each.name.startswith(f"{command.name} ")
    ]
    if command.name == "as-service":  # runs any other command
        inner = [name for name in COMMANDS if name != command.name]
    return [*inner, *command.flags]


def _terms(terms: Mapping[str, str]) -> Iterator[str]:
    for term, text in terms.items():
        yield from (".TP", f"\\fB{_roff(term)}\\fR", _roff(text))


def _paragraphs(text: str | None) -> list[str]:
    return [_line(part) for part in (text or "").split("\n\n") if part.strip()]


def _line(text: str) -> str:
    return " ".join(text.split())


def _roff(text: str) -> str:
    """Escape what roff reads as a request or as a character of its own."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped)


def _zsh(text: str) -> str:
    return text.replace("'", "'\\''").replace(":", "\\:")


def _fish(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


if __name__ == "__main__":
    for place, content in documents().items():
        file = SHARE / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
