"""A real mosquitto for each test, and a client that sees all its messages."""

import contextlib
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.end_to_end.command import until
from tests.ports import free_port

PROGRAM = "/usr/sbin/mosquitto"
ANYBODY = ("allow_anonymous true",)


class Mosquitto:
    """A broker of Debian's package, with a few lines of configuration."""

    def __init__(self, folder: Path, lines: Sequence[str] = ANYBODY) -> None:
        self.port = free_port()
        self._config = folder / f"mosquitto-{self.port}.conf"
        self._log = folder / f"mosquitto-{self.port}.log"
        begin = [f"listener {self.port} 127.0.0.1", "persistence false"]
        self._config.write_text("\n".join([*begin, *lines]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", str(self._config), "-v"], stdout=log, stderr=log
            )
        until(self._listens, what=self._log.read_text)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # all that it keeps is in memory
            self._process.wait(60)
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Watcher:
    """A client that keeps every message, in the order in which they came."""

    def __init__(self, port: int, *, name: str = "", password: str = "") -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._ready = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311, client_id=""
        )
        if name:
            self._client.username_pw_set(name, password)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._keep
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(60)

    def publish(self, topic: str, payload: bytes | str = b"", *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(60)

    def of(self, topic: str) -> list[bytes]:
        """All payloads on a topic."""
        return [payload for found, payload in list(self.messages) if found == topic]

    def last(self, topic: str) -> bytes | None:
        found = self.of(topic)
        return found[-1] if found else None

    def wait_for(self, topic: str, true: Callable[[bytes], Any] = lambda _: True) -> bytes:
        """The first payload on a topic that fits, as soon as it is there."""
        until(lambda: any(map(true, self.of(topic))), what=self.describe)
        return next(payload for payload in self.of(topic) if true(payload))

    def describe(self) -> str:
        return "\n".join(f"{topic} {payload[:200]!r}" for topic, payload in self.messages)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _keep(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload)))


@contextlib.contextmanager
def watching(broker: Mosquitto, **login: str) -> Iterator[Watcher]:
    watcher = Watcher(broker.port, **login)
    try:
        yield watcher
    finally:
        watcher.close()
