"""A real implementation of S3 on loopback, with faults of the line and the service in between."""

import socket
from collections import deque
from collections.abc import Callable, Container, Iterable
from threading import Event, Thread
from typing import Any, Self, cast
from uuid import uuid4

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIATESTONLY",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "AWS_REGION": "us-east-1",
}

Fault = tuple[str, str]
"""Status line and S3's code for the failure; an empty status: stored, but the response is lost."""

LOST = ("", "")
DENIED = ("403 Forbidden", "AccessDenied")


class S3Store:
    """Serves one bucket until the end of its `with` block."""

    def __init__(self) -> None:
        self.bucket = f"bucket-{uuid4()}"
        self.faults: deque[Fault | None] = deque()
        """What the next requests meet, in order; None: no fault."""
        self.failure: Fault | None = None
        """What every request meets while it is set."""
        self.denied: Container[str] = ()
        """Keys that may be listed and not read."""
        self.is_silent = Event()
        """While it is set, requests get no answer, until `release` is set too."""
        self.release = Event()
        self.tags_are_checksums = True
        """False: as where the store encrypts with keys of its user."""
        self.requests: list[str] = []
        self._app: Any = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet
        )
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="AKIAOTHER",
            aws_secret_access_key="any",
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self.make_bucket()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/captures/yard"

    def make_bucket(self) -> None:
        self._client.create_bucket(Bucket=self.bucket)
        self.requests.clear()

    def stored(self) -> list[str]:
        listed = self._client.list_objects_v2(Bucket=self.bucket)
        return [each["Key"] for each in listed.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return bytes(self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def media_type(self, key: str) -> str:
        return str(self._client.head_object(Bucket=self.bucket, Key=key)["ContentType"])

    def write(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def archive(self, key: str) -> None:
        """Move an object to where it cannot be read before it is restored."""
        self._client.put_object(Bucket=self.bucket, Key=key, Body=b"x", StorageClass="GLACIER")

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.bucket, Key=key)

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if "AKIAOTHER" in environ.get("HTTP_AUTHORIZATION", ""):  # the test itself looks
            return cast("Iterable[bytes]", self._app(environ, start_response))
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        fault = self.faults.popleft() if self.faults else self.failure
        if self.is_silent.is_set():
            self.release.wait()
        if (
            fault is None
            and environ["PATH_INFO"].partition("/")[2].partition("/")[2] in self.denied
        ):
            fault = DENIED
        if fault is None:

            def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
                if not self.tags_are_checksums:
                    headers = [(k, '"encrypted"' if k.lower() == "etag" else v) for k, v in headers]
                return start_response(status, headers, *rest)

            return cast("Iterable[bytes]", self._app(environ, start))
        if fault == LOST:
            list(self._app(environ, lambda *_: None))
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        status, code = fault
        body = (
            f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        )
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(
            status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        )
        return [body]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        pass
