"""The target `s3://BUCKET/PREFIX`: an image and its record as two objects, in any S3 store.

PREFIX/DEVICE/yyyy-mm-dd/ID.jpg     the image, the bytes as captured
PREFIX/DEVICE/yyyy-mm-dd/ID.mjpeg   the frames around it, where the capture has a clip
PREFIX/DEVICE/yyyy-mm-dd/ID.json    the record, written last: a capture is stored when this is

PREFIX/devices/DEVICE.json          what the device last said of itself, replaced by each heartbeat

All of a capture are created only where nothing has their key (`If-None-Match: *`), so nothing is
overwritten and a capture that is sent again is compared with what is there. Credentials, region and
endpoint come from the variables that all S3 tools read: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL.
"""

import hashlib
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Literal, Self

from agent.domain import Receipt, StoredCapture
from agent.errors import (
    CaptureRejected,
    ConfigurationError,
    StatusRefused,
    TargetBlocked,
    TargetUnavailable,
)
from agent.ports import Clock
from agent.record.clips import CLIP_TYPE
from agent.record.device_names import DEVICES, status_file
from agent.record.device_status import READ_MAX
from agent.record.other_boots import with_other_boots
from agent.record.summary import capture_day
from agent.redaction import redact_endpoint
from agent.upload.http.client import Client
from agent.upload.http.options import HttpOptions
from agent.upload.response import Response, http_date
from agent.upload.response_json import Fields, json_object
from agent.upload.targets.context import TargetContext
from agent.upload.targets.registry import S3_EXTRA
from agent.upload.targets.s3_address import (
    bucket_and_prefix,
    checked_endpoint,
    client_options,
    key_segment,
    require_credentials,
)
from agent.upload.targets.s3_responses import (
    EXISTS,
    GONE,
    NO_STORE,
    code_of,
    explain_response,
    explain_signing,
)

_CANNOT = "cannot deliver captures"
_RECORD_MAX = 1_000_000  # bytes; ours have a few thousand
_NEVER_THERE = "no-such-object-of-edge-capture-agent"
_SIGNED_FOR = timedelta(minutes=15)  # as long as a store accepts a signed header
_OK = 200
_NO_PLACE = frozenset({405, 501})


class S3Target(AbstractContextManager["S3Target"]):
    """Delivers to the bucket and prefix that `url` names.

    The library finds the credentials and signs addresses. Requests are made as to any other
    endpoint: it reads the body of an error to its end, and a false length of one ends the process
    (obstore 0.12).

    Raises `ConfigurationError` for an address or settings that can never work, and where the
    library is not installed.
    """

    def __init__(self, url: str, *, clock: Clock, network: HttpOptions | None = None) -> None:
        network = network or HttpOptions()
        bucket, self._prefix = bucket_and_prefix(url)
        self.name = redact_endpoint(url)
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ImportError as error:
            raise ConfigurationError(
                f"AGENT_UPLOAD_URL: s3:// needs one more library: pip install '{S3_EXTRA}'"
            ) from error
        self._library = obstore
        self._expected = (BaseError, OSError, ValueError)
        require_credentials()
        endpoint = checked_endpoint()
        try:
            self._store = S3Store(bucket, client_options=client_options(network, endpoint))
            self._client = Client(
                endpoint or f"https://{bucket}.s3.amazonaws.com", clock=clock, network=network
            )
        except self._expected as error:
            raise ConfigurationError(
                "AGENT_UPLOAD_URL: cannot be used with the AWS_ variables that are set; check them"
            ) from error

    @classmethod
    def from_url(cls, url: str, context: TargetContext) -> Self:
        """Make the target for `url`; see `OpensTarget`."""
        return cls(url, clock=context.clock, network=context.network)

    def __exit__(self, *_: object) -> None:
        """Close the connections that are kept alive."""
        self._client.close()

    def send(self, capture: StoredCapture) -> Receipt:
        """Deliver one capture; see `UploadTarget`."""
        key = "/".join(
            (
                *self._prefix,
                key_segment(str(capture.record.get("device", ""))),
                capture_day(capture.record),
                key_segment(capture.id),
            )
        )
        sha256 = capture.image_sha256
        parts = [("image", "jpg", capture.image, "image/jpeg")]
        if capture.clip:
            parts.append(("clip", "mjpeg", capture.clip, CLIP_TYPE))
        for what, ending, data, media_type in parts:
            is_new = self._create(f"{key}.{ending}", data, media_type)
            if not is_new and self._read(f"{key}.{ending}", len(data)) != data:
                raise CaptureRejected(f"cannot deliver {capture.id}: another {what} has this id")
        if self._create(f"{key}.json", capture.record_json, "application/json"):
            return Receipt(capture.id, sha256, clip_sha256=capture.clip_sha256)
        if _stated_sha256(self._read(f"{key}.json", _RECORD_MAX)) != sha256:
            raise CaptureRejected(f"cannot deliver {capture.id}: another record has this id")
        return Receipt(capture.id, sha256, duplicate=True, clip_sha256=capture.clip_sha256)

    def send_status(self, device: str, status: bytes) -> None:
        """Put the status of a device below the prefix; see `TakesStatus`."""
        key = "/".join((*self._prefix, DEVICES, status_file(device, keeps_capitals=True)))
        status = self._with_other_boots(key, status)
        response = self._ask("PUT", key, body=status, headers={"Content-Type": "application/json"})
        if response.status == _OK:
            return
        cannot = "cannot send the status of this device"
        if response.status in _NO_PLACE:
            raise StatusRefused(f"{cannot}: the store answers {response.status}")
        error = explain_response(response, cannot)
        raise TargetBlocked(str(error)) if isinstance(error, CaptureRejected) else error

    def probe(self) -> str:
        """Ask for an object that is not there; see `UploadTarget`."""
        response = self._ask("GET", "/".join((*self._prefix, _NEVER_THERE)))
        if code_of(response) != GONE:
            raise explain_response(response, "cannot use the bucket")
        return "the bucket answers; the first capture will show whether it takes them"

    def _with_other_boots(self, key: str, status: bytes) -> bytes:
        """Return a status with who else sends as this device, where what is there can be read."""
        try:
            found = self._ask("GET", key, body_max=READ_MAX)
        except (TargetBlocked, TargetUnavailable):
            return status  # the status itself may pass: some credentials may write alone
        written = http_date(found.last_modified)
        if found.status != _OK or written is None:
            return status
        return with_other_boots(status, found.body, written.timestamp())

    def _create(self, key: str, data: bytes, media_type: str) -> bool:
        """Create an object and prove that it is there; False when another one is."""
        response = self._ask(
            "PUT", key, body=data, headers={"If-None-Match": "*", "Content-Type": media_type}
        )
        if response.status == EXISTS:
            return False
        if response.status != _OK:
            raise explain_response(response, _CANNOT)
        # A captive portal answers 200 to anything. A store's tag is the MD5 of what it got, except
        # where it encrypts with keys of its user: there only reading tells.
        tag = (response.etag or "").strip('"').lower()
        is_ours = tag == hashlib.md5(data, usedforsecurity=False).hexdigest()
        if not is_ours and self._read(key, len(data)) != data:
            raise TargetBlocked(f"{_CANNOT}: {NO_STORE}")
        return True

    def _read(self, key: str, most: int) -> bytes:
        """An object; of one with more than `most` bytes, which cannot be ours, nothing."""
        response = self._ask("GET", key, body_max=most)
        if response.status != _OK:
            raise explain_response(response, "cannot compare with what is stored")
        return response.body if len(response.body) <= most else b""

    def _ask(self, method: Literal["GET", "PUT"], key: str, **request: Any) -> Response:
        try:
            url = self._library.sign(self._store, method, key, _SIGNED_FOR)
        except self._expected as error:
            raise explain_signing(error, _CANNOT) from error
        # An object is created only where none is, so that a request may arrive twice.
        return self._client.request(method, instead=url, repeatable=True, **request)


def _stated_sha256(record_json: bytes) -> str | None:
    return (json_object(record_json) or Fields()).fields("image").text("sha256")
