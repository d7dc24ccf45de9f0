"""No response of an endpoint raises anything but the errors of the port, or takes memory.

The bytes of the responses are chosen by Hypothesis, or are the known ways to hurt a client.
"""

import itertools
import json
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.dataset.folder import Dataset
from agent.errors import CaptureRejected, TargetBlocked, TargetUnavailable
from agent.files import Disk
from agent.ports import UploadTarget
from agent.upload.http.options import HttpOptions
from agent.upload.http.transport import HEAD_MAX
from agent.upload.response import RESPONSE_MAX
from agent.upload.response_json import json_object
from agent.upload.targets.context import TargetContext
from agent.upload.targets.factory import make_target
from agent.upload.targets.registry import TARGETS
from tests import ROOT
from tests.fakes.captures import stored_capture
from tests.fakes.clock import ManualClock
from tests.search import examples
from tests.upload.hostile_server import HostileServer
from tests.upload.s3_store import ENVIRONMENT

TIMEOUT = 1.0  # seconds of a request
MEMORY_MAX = 16 * (HEAD_MAX + RESPONSE_MAX)
"""Bytes that one hostile response may take at once, as Python counts them."""

ADDRESSES = {
    "generic": "http://{host}/captures",
    "roboflow": "roboflow+http://{host}/cars",
    "label studio": "label-studio+http://{host}/projects/7",
    "s3": "s3://bucket/captures",
}
PORT_ERRORS = (TargetUnavailable, TargetBlocked, CaptureRejected)


class Line:
    """A target of each kind that meets the same server."""

    def __init__(self, server: HostileServer, stack: ExitStack) -> None:
        self.server = server
        self.targets: dict[str, UploadTarget] = {}
        for kind, address in ADDRESSES.items():
            target = make_target(
                address.format(host=server.host),
                TargetContext(
                    token="s3cret",
                    network=HttpOptions(timeout=TIMEOUT, workers=1),
                    clock=ManualClock(),
                    disk=Disk(),
                    capture_folder=lambda path: Dataset(path, Disk()),
                ),
            )
            self.targets[kind] = target
            if isinstance(target, AbstractContextManager):
                stack.enter_context(target)

    def meets(self, kind: str, pieces: Callable[[], Iterable[bytes]]) -> list[str]:
        """Send and probe against these responses; return what the errors say."""
        self.server.answer = lambda _request: pieces()
        said = []
        target = self.targets[kind]
        for attempt in (lambda: target.send(stored_capture(1)), target.probe):
            try:
                said.append(str(attempt()))
            except PORT_ERRORS as error:
                said.append(str(error))
        return said


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with (
        pytest.MonkeyPatch.context() as environment,
        HostileServer() as server,
        ExitStack() as stack,
    ):
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://{server.host}"}.items():
            environment.setenv(name, value)
        yield Line(server, stack)


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, *headers, b"Connection: close", b"", body]
    return b"\r\n".join(lines)


def json_response(content: object, status: bytes = b"200 OK") -> bytes:
    return response(json.dumps(content).encode(), b"Content-Type: application/json", status=status)


TEXT = st.one_of(st.text(max_size=8), st.sampled_from(["\ud800", "\x1b[31m", "7", "1e999", ""]))
VALUE: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, 1, -1, 7, 2**63, 10**400, 1e308, float("inf"), float("nan"), 0.5]),
        TEXT,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
NAMES = (
    *("id", "sha256", "duplicate", "success", "error", "message", "detail", "captures"),
    *("workspace", "project", "images", "type", "access", "title", "task_number", "tasks"),
    *("parsed_label_config", "total_predictions", "task_ids", "prediction_count", "image"),
)
TAG = st.dictionaries(st.sampled_from(["type", "to_name", "inputs", "labels"]), VALUE)
LABELLING = st.one_of(
    VALUE,
    st.dictionaries(TEXT, TAG, max_size=2),
    st.builds(
        lambda labels, value: {
            "objects": {
                "type": "RectangleLabels",
                "to_name": ["photo"],
                "inputs": [{"type": "Image", "value": value}],
                "labels": labels,
            }
        },
        VALUE,
        VALUE,
    ),
)
OBJECT = st.dictionaries(st.sampled_from(NAMES), VALUE, max_size=6)
LABEL_STUDIO = st.builds(
    lambda config, others: {**others, "parsed_label_config": config}, LABELLING, OBJECT
)
STATUS = st.sampled_from([b"200 OK", b"201 Created", b"400 No", b"404 No", b"409 No", b"500 No"])
LINE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"Content-Type: text/html; charset",
            b"Content-Type: application/json; charset=\xff",
            b"Content-Encoding: gzip",
            b"Content-Length: -1",
            b"Content-Length: 5, 6",
            b"Content-Length: 99999999999999999999",
            b"Transfer-Encoding: chunked",
            b'Set-Cookie: a=b; Expires=Thu, 99 Foo 99999 99:99:99 GMT; Port="x"',
            b"Retry-After: 1e999",
            b"Retry-After: Thu, 31 Dec 9999 23:59:59 -9900",
            b"Date: Mon, 01 Jan 0001 00:00:00 +9959",
            b"Location: http://[::1",
            b"Location: http://a\x1b[31m/",
        ]
    ),
)
BYTES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda status, headers, body: response(body, *headers, status=status),
        STATUS,
        st.lists(LINE, max_size=5),
        st.one_of(st.binary(max_size=100), OBJECT.map(lambda o: json.dumps(o).encode())),
    ),
    st.builds(json_response, st.one_of(OBJECT, LABEL_STUDIO, VALUE), STATUS),
)
FUZZ = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def no_control_character(said: Iterable[str]) -> bool:
    return all(text.isprintable() for text in said)


@pytest.mark.parametrize("kind", ADDRESSES)
@FUZZ
@given(data=BYTES)
@example(data=response(b"", b"Content-Type: text/html; charset"))
@example(data=json_response({"total_predictions": float("inf"), "tasks": [], "task_ids": [1]}))
@example(data=b"HTTP/1.1 200 OK\r\n\r\n" + b'{"total_predictions": 1e999, "tasks": []}')
@example(data=b"HTTP/1.1 200 OK\r\n\r\n" + b'{"image": ' * 60_000)
def test_any_bytes_are_an_error_of_the_port_on_one_printable_line(
    line: Line, kind: str, data: bytes
) -> None:
    assert no_control_character(line.meets(kind, lambda: [data]))


def forever(piece: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.repeat(piece)


def begins(head: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.chain([head], itertools.repeat(piece))


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MUCH = b"x" * 65536
ENDLESS = {
    "chunk size -1": begins(CHUNKED + b"-1\r\n", MUCH),
    "chunk size -0x7": begins(CHUNKED + b"-0x7\r\n", MUCH),
    "chunk size without end": begins(CHUNKED, MUCH),
    "chunk size of many digits": begins(CHUNKED + b"f" * 4000 + b"\r\n", MUCH),
    "chunk extension without end": begins(CHUNKED + b"5;", MUCH),
    "chunks without end": begins(CHUNKED, b"10000\r\n" + MUCH + b"\r\n"),
    "trailers without end": begins(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: " + MUCH[:1000] + b"\r\n"),
    "headers without end": begins(OK, b"X-A: " + MUCH[:1000] + b"\r\n"),
    "a header without end": begins(OK + b"X-A: ", MUCH),
    "a status without end": begins(b"HTTP/1.1 200 ", MUCH),
    "interim responses without end": forever(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body without end": begins(OK + b"\r\n", MUCH),
    "body of a length of many digits": begins(OK + b"Content-Length: 99999999999\r\n\r\n", MUCH),
    "an error without end": begins(b"HTTP/1.1 400 Bad\r\n\r\n{", b' "error": "' + MUCH + b'",'),
    "a redirect without end": begins(b"HTTP/1.1 302 F\r\nLocation: http://b/\r\n\r\n", MUCH),
    "gzip without end": begins(OK + b"Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b" + MUCH),
}


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("way", ENDLESS)
def test_an_endless_response_costs_neither_memory_nor_more_than_the_deadline(
    line: Line, kind: str, way: str
) -> None:
    before = line.server.sent
    tracemalloc.start()
    began = time.monotonic()
    try:
        said = line.meets(kind, ENDLESS[way])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < MEMORY_MAX
    assert time.monotonic() - began < 30  # a few requests, each with a deadline of its own
    assert line.server.sent - before < 64_000_000  # most of it in the buffers of the two sockets
    assert no_control_character(said)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 100_000 + b"}",
        b'{"a": "\xff"}',
        b"\xff\xfe",
        b"null",
        b"7",
        b'{"a": 1} x',
        b"",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_body_that_is_no_object_of_json_is_none(body: bytes) -> None:
    assert json_object(body) is None


@given(VALUE, st.sampled_from(NAMES))
@example(-1, "id")
@example(2**63, "id")
@example(True, "id")
@example([1, "2"], "task_ids")
@example([{}, 7], "tasks")
def test_each_field_is_read_as_its_type_or_not_at_all(value: object, name: str) -> None:
    fields = json_object(json.dumps({name: value}).encode())
    if fields is None:
        return
    assert isinstance(fields.text(name), str | None)
    number = fields.count(name)
    assert number is None or (0 <= number < 2**63 and number is not True)
    assert all(isinstance(each, str) for each in fields.texts(name))
    assert all(isinstance(each, int) for each in fields.counts(name))
    assert list(fields.fields(name)) is not None
    assert fields.objects(name) is None or isinstance(value, list)


def test_each_target_that_makes_http_requests_is_tested() -> None:
    covered = {address.partition(":")[0].partition("+")[0] for address in ADDRESSES.values()}
    schemes = {
        scheme.partition("+")[0]
        for row in TARGETS
        if "agent.upload.http.client" in _source(row.target_class)
        for scheme in row.schemes
    }

    assert {"http", "roboflow", "s3"} <= schemes
    assert schemes - covered == {"https"}


def _source(target_class: str) -> str:
    path = ROOT / (target_class.partition(":")[0].replace(".", "/") + ".py")
    return path.read_text(encoding="utf-8")
