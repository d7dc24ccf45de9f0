"""One event is one line, whatever its fields hold, in each form of the log."""

import json
import math
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import EVENTS
from agent.logs import Log, make_log
from tests.logs.log_lines import lines_of, parse_logfmt
from tests.search import examples

TEXTS = st.text(st.characters() | st.sampled_from("\n\r\t\x1b\x00\x85\u2028 \"'=\\\udc80"))
LEVELS = ("debug", "info", "warning", "error", "critical")
PRIORITIES = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>", "critical": "<2>"}


@given(TEXTS)
@settings(deadline=None)
def test_a_line_of_logfmt_reads_back_as_it_was(value: str) -> None:
    # No URL, and no word that would be masked: that is another test's matter.
    value = value.replace("/", "").replace(":", "").replace("=", " = ")
    (line,) = lines_of(lambda log: log.info("summary", error=value, camera="gate"), form="logfmt")
    fields = parse_logfmt(line)

    assert len(line.splitlines()) == 1
    assert fields.pop("time").endswith("Z")
    assert fields == {"level": "info", "event": "summary", "error": value, "camera": "gate"}


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), TEXTS | st.floats() | st.lists(TEXTS)))
@settings(deadline=None, max_examples=examples(60))
def test_a_line_of_json_is_json_whatever_the_values_are(fields: dict[str, Any]) -> None:
    (line,) = lines_of(lambda log: log.warning("summary", **fields), form="json")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads(line, parse_constant=refuse)
    assert len(line.splitlines()) == 1
    assert (read["event"], read["level"]) == ("summary", "warning")
    assert set(fields) <= set(read)


@given(TEXTS)
@settings(deadline=None, max_examples=examples(60))
def test_a_line_on_a_terminal_cannot_be_broken_or_command_it(value: str) -> None:
    (line,) = lines_of(lambda log: log.info("summary", error=value), form="console")

    assert line.isprintable()
    assert "summary" in line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (0.1 + 0.2, "0.3"),
        (1784512345.25, "1784512345.25"),
        (math.nan, "nan"),
        ("", '""'),
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("ümläut", "ümläut"),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        ("a\nb", '"a\\nb"'),
        ("C:\\x", '"C:\\\\x"'),
        (ValueError("no room"), '"no room"'),
        ((1, "b"), "\"[1, 'b']\""),
    ],
    ids=repr,
)
def test_values_are_written_for_people_and_programs(value: object, text: str) -> None:
    (line,) = lines_of(lambda log: log.info("summary", x=value), form="logfmt", under_systemd=True)

    assert line == f"<6>level=info event=summary x={text}"


@pytest.mark.parametrize("level", LEVELS)
def test_under_systemd_a_line_begins_with_its_priority_and_has_no_time(level: str) -> None:
    (line,) = lines_of(
        lambda log: getattr(log, level)("disk full", reason="ours"),
        level="debug",
        under_systemd=True,
    )

    assert line == f'{PRIORITIES[level]}level={level} event="disk full" reason=ours'


@pytest.mark.parametrize("form", ["logfmt", "console", "json"])
def test_each_line_of_a_traceback_has_the_priority_too(form: str) -> None:
    def bug() -> None:
        raise RuntimeError("first\nsecond")

    def fail(log: Log) -> None:
        try:
            bug()
        except RuntimeError:
            log.exception("worker failed", worker="writer")

    lines = lines_of(fail, form=form, under_systemd=True)

    assert all(line.startswith("<3>") for line in lines)
    assert "worker failed" in lines[0]
    assert any("RuntimeError: first" in line for line in lines)
    assert len(lines) == 1 or lines[-1].endswith("second")


@pytest.mark.parametrize("least", LEVELS)
def test_levels_below_the_least_are_not_printed(least: str) -> None:
    def all_levels(log: Log) -> None:
        for level in LEVELS:
            getattr(log, level)("summary")

    lines = lines_of(all_levels, level=least, under_systemd=True)

    expected = LEVELS[LEVELS.index(least) :]
    assert [parse_logfmt(line[3:])["level"] for line in lines] == list(expected)


class Terminal:
    """A stream that says that it is a terminal."""

    def __init__(self, *, failure: Exception | None = None) -> None:
        self.text = ""
        self._failure = failure

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        if self._failure is not None:
            raise self._failure
        self.text += text

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("under_systemd", "begin"), [(False, "\x1b["), (True, "<6>level=info")], ids=["person", "unit"]
)
def test_auto_is_console_on_a_terminal_and_logfmt_elsewhere(
    *, under_systemd: bool, begin: str
) -> None:
    terminal: Any = Terminal()
    make_log(stream=terminal, under_systemd=under_systemd).info("summary")

    assert terminal.text.startswith(begin)
    assert lines_of(lambda log: log.info("summary"))[0].startswith("time=")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), ValueError("closed")])
def test_a_stream_that_takes_no_more_loses_lines_and_nothing_else(failure: Exception) -> None:
    stream: Any = Terminal(failure=failure)

    make_log(stream=stream).error("disk full")


def test_lines_of_several_threads_are_never_mixed() -> None:
    def write(log: Log) -> None:
        threads = [
            threading.Thread(target=lambda: [log.info("summary", x="y" * 500) for _ in range(50)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = lines_of(write, under_systemd=True)

    assert set(lines) == {"<6>level=info event=summary x=" + "y" * 500}
    assert len(lines) == 200


def test_bound_facts_are_on_every_line_of_the_bound_log_alone() -> None:
    def write(log: Log) -> None:
        log.bind(camera="gate").info("camera opened")
        log.info("summary")

    bound, plain = lines_of(write, under_systemd=True)

    assert bound == '<6>level=info event="camera opened" camera=gate'
    assert plain == "<6>level=info event=summary"


def test_each_event_is_a_short_name_with_a_sentence() -> None:
    for name, event in EVENTS.items():
        assert name == name.lower()
        assert 1 <= len(name.split()) <= 3
        for sentence in filter(None, (event.meaning, event.fix)):
            assert sentence[0].isupper()
            assert sentence.endswith(".")
