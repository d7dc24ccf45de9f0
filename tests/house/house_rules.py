"""The rules of the house as functions from a module's syntax tree to complaints."""

import ast
import functools
from collections.abc import Collection, Iterator, Mapping

from tests import ROOT

LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})

_WRITING_CALLS = frozenset({"write_text", "write_bytes", "imwrite", "VideoWriter", "copyfile"})
_WRITING_FLAGS = frozenset({"O_CREAT", "O_WRONLY", "O_RDWR", "O_APPEND", "O_TRUNC"})
_WALL_CLOCKS = frozenset(
    {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}
)
_SLEEP = "time.sleep"


@functools.cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of the package by its name."""
    found = {}
    for file in sorted((ROOT / "agent").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(file.read_text(encoding="utf-8"), str(file))
    return found


@functools.cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a module; walking through the package takes a second."""
    return tuple(ast.walk(tree))


def imported(tree: ast.Module, names: Collection[str]) -> Iterator[str]:
    """The modules among `names` that are imported, at the top, in functions or for types alone."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found = whole if whole in names else node.module
                if found in names:
                    yield found


def relative_imports(tree: ast.Module) -> list[str]:
    return [
        f"line {node.lineno}: relative import"
        for node in nodes(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def files_written(tree: ast.Module) -> list[str]:
    """Calls that open a file for writing."""
    return [
        f"line {call.lineno}: {_name(call.func)} writes a file"
        for call in _calls(tree)
        if _name(call.func).rpartition(".")[2] in _WRITING_CALLS
        or (_name(call.func).rpartition(".")[2] in ("open", "fdopen") and _for_writing(call))
    ]


def broad_handlers(tree: ast.Module) -> list[str]:
    """Handlers that would catch a bug."""
    broad = {"Exception", "BaseException"}
    handlers = [
        f"line {node.lineno}: catches everything"
        for node in nodes(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or any(_name(part) in broad for part in ast.walk(node.type)))
    ]
    suppressed = [
        f"line {call.lineno}: suppresses everything"
        for call in _calls(tree)
        if _name(call.func).endswith("suppress") and any(_name(arg) in broad for arg in call.args)
    ]
    return handlers + suppressed


def clocks_read(tree: ast.Module) -> list[str]:
    """Reads of the wall clock, and sleeps.

    `sleep=time.sleep` as a default is the door through which a test gives another.
    """
    named = [
        f"line {node.lineno}: {_name(node)}"
        for node in nodes(tree)
        if isinstance(node, ast.Attribute) and ".".join(_name(node).split(".")[-2:]) in _WALL_CLOCKS
    ]
    slept = [f"line {call.lineno}: {_SLEEP}" for call in _calls(tree) if _name(call.func) == _SLEEP]
    hidden = [
        f"line {node.lineno}: from time import {alias.name}"
        for node in nodes(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
        if f"time.{alias.name}" in {*_WALL_CLOCKS, _SLEEP}
    ]
    return named + slept + hidden


def log_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls of a logger: `log.info(...)`, or of a name that stands for `log.info`."""
    stand_ins = {
        _name(target)
        for node in nodes(tree)
        if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call)
        for target in node.targets
        if any(_is_log_method(part) for part in ast.walk(node.value))
    }
    for call in _calls(tree):
        if _is_log_method(call.func) or _name(call.func) in stand_ins:
            yield call


def unnamed_events(tree: ast.Module, events: Collection[str]) -> list[str]:
    """Log calls whose event is no constant, or is not in the list."""
    return [
        f"line {call.lineno}: {ast.unparse(call)[:80]}"
        for call in log_calls(tree)
        if len(call.args) != 1 or event_of(call) not in events
    ]


def levels_of(tree: ast.Module, call: ast.Call) -> set[str]:
    """The methods that a log call may go to: those that its name stands for, where it has one."""
    if _is_log_method(call.func):
        return {_name(call.func).rpartition(".")[2]}
    return {
        _name(part).rpartition(".")[2]
        for node in nodes(tree)
        if isinstance(node, ast.Assign) and _name(call.func) in map(_name, node.targets)
        for part in ast.walk(node.value)
        if _is_log_method(part)
    }


def bound_facts(tree: ast.Module) -> set[str]:
    """The facts that every line of a module's logger has: `log.bind(camera=...)`."""
    return {
        word.arg
        for call in _calls(tree)
        if _name(call.func).endswith("log.bind")
        for word in call.keywords
        if word.arg
    }


def event_of(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    return None


def _is_log_method(node: ast.AST) -> bool:
    receiver, _, method = _name(node).rpartition(".")
    return method in LEVELS and receiver.endswith("log")


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in nodes(tree) if isinstance(node, ast.Call))


def _for_writing(call: ast.Call) -> bool:
    words = [node for arg in (*call.args, *call.keywords) for node in ast.walk(arg)]
    modes = {node.value for node in words if isinstance(node, ast.Constant)}
    flags = {node.attr for node in words if isinstance(node, ast.Attribute)}
    return bool(flags & _WRITING_FLAGS) or any(
        isinstance(mode, str) and 0 < len(mode) <= len("w+b") and set(mode) & set("wax+")
        for mode in modes
    )


def _name(node: ast.AST) -> str:
    """`a.b.c` as text; what is no name is shown as `?`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return "?"
