"""The library's client with two additions: a bound for packets, and the cause of a TLS failure.

Both override methods that the library keeps to itself; tests/mqtt hold them against each version.
"""

import contextlib
import ssl

from paho.mqtt.client import Client

PACKET_BYTES = 65_536
"""Largest packet that is taken. A broker may pass on 256 MB."""


class BoundedClient(Client):
    """The library's client, which else reads a packet of any size into memory."""

    too_large = False
    tls_error: ssl.SSLError | None = None  # the library does not tell it

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > PACKET_BYTES:
            self.too_large = True
            raise ConnectionAbortedError
        try:
            return super()._sock_recv(bufsize)
        except ssl.SSLError as error:
            self.tls_error = error
            raise

    def _sock_send(self, buf: bytes | bytearray) -> int:
        try:
            return super()._sock_send(buf)
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                self._sock_recv(1)  # the alert that was sent before it closed says why
            raise
