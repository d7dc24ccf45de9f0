"""No thread waits for the reader of the log, and what is dropped is counted and told."""

import io
import os
import threading
from pathlib import Path

from agent.log_queue import LogQueue
from agent.logs import make_log
from tests.limits import LIMIT_S
from tests.logs.log_lines import parse_logfmt


def test_lines_arrive_whole_and_in_order() -> None:
    stream = io.StringIO()
    queue = LogQueue(stream)
    for number in range(500):
        queue.write(f"{number}\n")

    assert queue.close(LIMIT_S)
    assert stream.getvalue() == "".join(f"{number}\n" for number in range(500))


def test_a_reader_that_stands_still_costs_lines_and_no_time() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as read, os.fdopen(writing, "w") as stream:
        queue = LogQueue(stream, lines_max=10)
        log = make_log(stream=queue, under_systemd=True)
        queue.tell_drops(lambda lines: log.warning("log lines dropped", lines=lines))
        for number in range(2000):
            log.info("summary", number=number, text="x" * 1000)
        assert not queue.close(0.1)

        def take() -> None:
            text.extend(read.read().splitlines())

        text: list[bytes] = []
        reader = threading.Thread(target=take)
        reader.start()
        assert queue.close(LIMIT_S)
        stream.close()
        reader.join()

    lines = [parse_logfmt(line.decode()[3:]) for line in text]
    assert lines[-1]["event"] == "log lines dropped"
    told = [int(line["lines"]) for line in lines if line["event"] == "log lines dropped"]
    assert sum(told) + len(lines) - len(told) == 2000


class Held(io.StringIO):
    """Takes no line before `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.go_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.is_asked.set()
        assert self.go_on.wait(LIMIT_S)
        return super().write(text)


def test_the_number_of_dropped_lines_arrives_although_the_queue_is_full_again() -> None:
    stream = Held()
    queue = LogQueue(stream, lines_max=2)

    def write(*lines: str) -> None:
        for line in lines:
            queue.write(f"{line}\n")

    def tell(dropped: int) -> None:
        if dropped == 5:
            more = threading.Thread(target=write, args=("fourth", "fifth", "lost"))
            more.start()
            more.join()
        write(f"{dropped} dropped")

    queue.tell_drops(tell)
    write("first")
    assert stream.is_asked.wait(LIMIT_S)
    write("second", "third", *["lost"] * 5)
    stream.go_on.set()

    assert queue.close(LIMIT_S)
    assert stream.getvalue().split("\n") == [
        *("first", "second", "third", "fourth", "fifth", "5 dropped", "1 dropped", "")
    ]


def test_a_stream_that_refuses_loses_lines_and_nothing_else() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        queue = LogQueue(full)
        queue.write("lost\n")

        assert queue.close(LIMIT_S)
