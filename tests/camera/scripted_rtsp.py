"""An RTSP server for the tests that answers each method as it is told."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; status 0 sends nothing and keeps the connection open."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    raw: bytes | None = None  # instead of a response

    def encoded(self, sequence: str) -> bytes:
        if self.raw is not None:
            return self.raw
        headers = {"CSeq": sequence, **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"RTSP/1.0 {self.status} Text", *(f"{k}: {v}" for k, v in headers.items())]
        return ("\r\n".join([*lines, "", ""]) + self.body).encode()


Reply = Answer | Callable[[str], Answer]


class ScriptedRtsp:
    """Serves at `port` until `stop`; what is not in `answers` gets status 200."""

    def __init__(self, answers: Mapping[str, Reply] | None = None) -> None:
        self.answers: dict[str, Reply] = {"DESCRIBE": Answer(body=SDP), **(answers or {})}
        self.requests: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._connections: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # ends the wait for a connection
        self._accepting.join()
        for each in (self._server, *self._connections):
            each.close()

    def methods(self) -> list[str]:
        return [request.partition(" ")[0] for request in self.requests]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        try:
            while some := connection.recv(4096):
                data += some
                while b"\r\n\r\n" in data:
                    head, _, data = data.partition(b"\r\n\r\n")
                    if not self._respond(connection, head.decode("latin-1")):
                        return
        except OSError:
            pass

    def _respond(self, connection: socket.socket, request: str) -> bool:
        self.requests.append(request)
        method = request.partition(" ")[0]
        reply = self.answers.get(method, self.answers.get("*", Answer()))
        answer = reply(request) if callable(reply) else reply
        if answer.status == 0:
            return True
        sequence = re.search(r"CSeq: *(\d+)", request)
        connection.sendall(answer.encoded(sequence[1] if sequence else "0"))
        if answer.raw is not None:
            connection.close()
            return False
        return True
