"""Rules that hold for every module: a rule that no tool checks is not a rule."""

import ast
from collections.abc import Callable, Mapping

import pytest

from agent.events import EVENTS, Event
from tests.house import house_rules as rules

Rule = Callable[[ast.Module], list[str]]

WRITERS = {
    "agent.library_output": "a copy of standard error, not a file",
    "agent.files": "survives a power cut: everybody else writes through it",
    "agent.spool.lock": "a lock file holds no data, and must be opened without replacing it",
    "agent.spool.index": "takes room for SQLite's own files, and writes nothing into them",
    "agent.cli.streams": "puts /dev/null in the place of a closed stream",
    "agent.cli.sample_clip": "the clip is encoded into memory",
    "agent.dataset.clip_video": "PyAV writes into memory",
    "agent.detector.model_file.extra_output": "a copy in memory, which no file system holds",
    "agent.cli.demo": "the log of a demonstration is written as it grows; nothing depends on it",
}
BROAD_HANDLERS = {
    "agent.runtime.worker": "a bug ends the process, in good order",
    "agent.upload.guard": "a bug in a target is a hold of that target",
    "agent.receiver.server": "each request gets a response",
    "agent.cli.streams": "the traceback of a bug is shown without secrets",
    "agent.pool.engines.worker": "its image is tried once more in a new process",
    "agent.pool.engines.ray.worker": "a bug is a message: Ray would drop the batch",
    "agent.pool.engines.ray.cluster": "Ray raises plain ones where it starts too slowly",
    "agent.web.connection": "a bug in a call is reported, and ends only that call",
    "agent.pool.sources.ahead": "an error in a thread is raised where its object is taken",
    "agent.web.executor": "an error in a thread is raised where the call is awaited",
}
CLOCKS = {"agent.system": "the real clock"}
NOBODY: Mapping[str, str] = {}


def unnamed_events(tree: ast.Module) -> list[str]:
    return rules.unnamed_events(tree, EVENTS)


RULES: list[tuple[Rule, Mapping[str, str]]] = [
    (rules.files_written, WRITERS),
    (rules.broad_handlers, BROAD_HANDLERS),
    (rules.clocks_read, CLOCKS),
    (rules.relative_imports, NOBODY),
    (unnamed_events, NOBODY),
]


@pytest.mark.parametrize(
    ("rule", "exceptions"), RULES, ids=lambda part: getattr(part, "__name__", "")
)
def test_each_module_keeps_the_rule(rule: Rule, exceptions: Mapping[str, str]) -> None:
    complaints = {
        name: found
        for name, tree in rules.modules().items()
        if name not in exceptions and (found := rule(tree))
    }

    assert complaints == {}


@pytest.mark.parametrize(
    ("rule", "exceptions"), RULES, ids=lambda part: getattr(part, "__name__", "")
)
def test_each_exception_is_still_needed(rule: Rule, exceptions: Mapping[str, str]) -> None:
    trees = rules.modules()

    assert [name for name in exceptions if not rule(trees[name])] == []


def test_each_declared_event_is_logged_somewhere() -> None:
    logged = {
        rules.event_of(call) for tree in rules.modules().values() for call in rules.log_calls(tree)
    }

    assert set(EVENTS) - logged == set()


def test_each_event_is_logged_at_the_levels_that_are_declared() -> None:
    found: dict[str, set[str]] = {}
    for tree in rules.modules().values():
        for call in rules.log_calls(tree):
            found.setdefault(rules.event_of(call) or "", set()).update(rules.levels_of(tree, call))

    declared = {name: levels_declared(event) for name, event in EVENTS.items()}
    assert found == declared


def test_each_event_is_logged_with_the_facts_that_are_declared() -> None:
    found: dict[str, set[str]] = {}
    open_ended = set()
    for tree in rules.modules().values():
        for call in rules.log_calls(tree):
            event = rules.event_of(call) or ""
            facts = found.setdefault(event, rules.bound_facts(tree))
            facts |= {word.arg for word in call.keywords if word.arg} - {"exc_info"}
            open_ended |= {event for word in call.keywords if word.arg is None}

    for name, declaration in EVENTS.items():
        declared = set(declaration.facts.split()) - {"..."}
        assert found[name] <= declared, name
        assert found[name] == declared or name in open_ended, name


def test_a_warning_or_error_names_its_facts_and_its_fix() -> None:
    """The journal at this priority alone shows what is wrong, and what no longer is."""
    serious = {"warning", "error", "critical"}
    for name, event in EVENTS.items():
        is_serious = bool({event.level, event.worst_level} & serious)
        assert bool(event.fix or event.ends) == is_serious, name
        assert not (event.fix and event.ends), name
    for tree in rules.modules().values():
        for call in rules.log_calls(tree):
            if rules.levels_of(tree, call) & serious:
                assert call.keywords, rules.event_of(call)


def test_the_end_of_a_problem_is_logged_at_the_level_of_the_problem() -> None:
    """A person who filters for warnings sees the end too."""
    for name, event in EVENTS.items():
        if event.ends:
            assert levels_declared(event) == {EVENTS[ended].level for ended in event.ends}, name


def levels_declared(event: Event) -> set[str]:
    return {event.level} | ({event.worst_level} if event.worst_level else set())


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (rules.files_written, "open('a', 'w')"),
        (rules.files_written, "open(name, mode='ab')"),
        (rules.files_written, "path.open('x', encoding='utf-8')"),
        (rules.files_written, "path.open('r+b')"),
        (rules.files_written, "os.open(path, os.O_RDWR | os.O_CREAT, 0o600)"),
        (rules.files_written, "(folder / 'name').write_text(text)"),
        (rules.files_written, "path.write_bytes(data)"),
        (rules.files_written, "cv2.imwrite('a.jpg', pixels)"),
        (rules.broad_handlers, "try:\n    f()\nexcept Exception:\n    pass"),
        (rules.broad_handlers, "try:\n    f()\nexcept (OSError, BaseException) as e:\n    pass"),
        (rules.broad_handlers, "try:\n    f()\nexcept:\n    pass"),
        (rules.broad_handlers, "with contextlib.suppress(Exception):\n    f()"),
        (rules.clocks_read, "now = time.time()"),
        (rules.clocks_read, "time.sleep(1)"),
        (rules.clocks_read, "from time import sleep"),
        (rules.clocks_read, "datetime.now(UTC)"),
        (rules.clocks_read, "datetime.datetime.utcnow()"),
        (rules.clocks_read, "Clock(now=time.time)"),
        (rules.relative_imports, "from . import domain"),
        (rules.relative_imports, "def f():\n    from ..domain import Frame"),
        (unnamed_events, "log.info('nothing of ours')"),
        (unnamed_events, "self._log.warning(f'camera {name} lost')"),
        (unnamed_events, "self._log.error('camera lost %s', name)"),
        (unnamed_events, "self.log.critical(text)"),
        (unnamed_events, "log.exception()"),
        (unnamed_events, "say = log.error if bad else log.info\nsay(f'stopped {why}')"),
    ],
)
def test_what_breaks_the_rule_is_found(rule: Rule, source: str) -> None:
    assert len(rule(ast.parse(source))) == 1


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (rules.files_written, "path.open('rb')"),
        (rules.files_written, "os.open(path, os.O_RDONLY | os.O_DIRECTORY)"),
        (rules.files_written, "capture.open('rtsp://host/w')"),
        (rules.broad_handlers, "try:\n    f()\nexcept (OSError, ValueError):\n    pass"),
        (rules.clocks_read, "clock.monotonic() + time.monotonic()"),
        (rules.clocks_read, "def wait(sleep=time.sleep):\n    sleep(1)"),
        (unnamed_events, "self._log.info('camera lost', camera=name)"),
        (unnamed_events, "console.error('free text')"),
    ],
)
def test_what_keeps_the_rule_passes(rule: Rule, source: str) -> None:
    assert rule(ast.parse(source)) == []
