"""The generic endpoint: one multipart POST for each capture, proved by the response.

Heartbeats go by PUT to `devices/ID` beside it.
"""

from contextlib import AbstractContextManager
from typing import Self

from agent.domain import Receipt, StoredCapture
from agent.ports import Clock
from agent.record.clips import CLIP_TYPE
from agent.record.device_names import status_url
from agent.redaction import redact_endpoint
from agent.upload.http.client import Client, checked_token
from agent.upload.http.multipart import Part
from agent.upload.http.options import HttpOptions
from agent.upload.response import describe_probe, require_proof, require_status_taken
from agent.upload.targets.address import parse_http
from agent.upload.targets.context import TargetContext


class EndpointTarget(AbstractContextManager["EndpointTarget"]):
    """Delivers by POST to `url`, over connections as `network` wants them.

    Raises `ConfigurationError` for an address, token, proxy or PEM file that can never work.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        clock: Clock,
        network: HttpOptions | None = None,
        needs_clips: bool = True,
    ) -> None:
        """`needs_clips`: a capture counts as delivered only if its clip is proved too."""
        parse_http(url)
        self.name = redact_endpoint(url)
        self._url = url
        self._token = checked_token(token)
        self._headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._needs_clips = needs_clips
        self._client = Client(url, clock=clock, network=network)

    @classmethod
    def from_url(cls, url: str, context: TargetContext) -> Self:
        """Make the target for `url`; see `OpensTarget`."""
        return cls(
            url,
            token=context.token,
            clock=context.clock,
            network=context.network,
            needs_clips=context.needs_clips,
        )

    def __exit__(self, *_: object) -> None:
        """Close the connections that are kept alive."""
        self._client.close()

    def send(self, capture: StoredCapture) -> Receipt:
        """Deliver one capture; see `UploadTarget`."""
        body: dict[str, Part] = {
            "record": (None, capture.record_json, "application/json"),
            "image": (f"{capture.id}.jpg", capture.image, "image/jpeg"),
        }
        if capture.clip:
            body["clip"] = (f"{capture.id}.mjpeg", capture.clip, CLIP_TYPE)
        response = self._client.request(
            "POST",
            headers=self._headers | {"Idempotency-Key": f'"{capture.id}"'},
            body=body,
            repeatable=True,  # the endpoint recognises a repeated capture by its key
        )
        return require_proof(
            response,
            capture.id,
            capture.image_sha256,
            clip_sha256=capture.clip_sha256,
            needs_clip=self._needs_clips,
            secret=self._token,
        )

    def send_status(self, device: str, status: bytes) -> None:
        """Put the status of a device beside the captures; see `TakesStatus`."""
        response = self._client.request(
            "PUT",
            instead=status_url(self._url, device),
            headers=self._headers | {"Content-Type": "application/json"},
            body=status,
            repeatable=True,
        )
        require_status_taken(response, secret=self._token)

    def probe(self) -> str:
        """Ask by GET, without a capture, what the address says; see `UploadTarget`."""
        return describe_probe(self._client.request("GET", headers=self._headers, repeatable=True))
