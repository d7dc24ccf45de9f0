"""Settings: where captures go, and how."""

from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import BeforeValidator, ByteSize, Field, SecretStr, field_validator

from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import DAY_S, KB, PB, Duration, SettingsGroup, Size, off
from agent.upload.targets.registry import address_description
from agent.upload.upload_window import UploadWindow, parse_upload_window


class UploadSettings(SettingsGroup):
    """Where captures go, and how."""

    upload_url: Annotated[
        str | None,
        SettingDoc(
            meaning=address_description(),
            example="https://example.org/captures",
            effect=(
                "Where captures are delivered; docs/targets.md describes each target. "
                "Captures that wait are delivered to the new address."
            ),
            default="none",
            group="Upload",
            kind="address",
        ),
    ] = Field(None, repr=False)
    upload_token: Annotated[
        SecretStr | None,
        SettingDoc(
            meaning=(
                "Secret that the endpoint expects. The file `upload_token` in "
                "`$CREDENTIALS_DIRECTORY` takes precedence."
            ),
            example="a-long-random-secret",
            effect=(
                "Authenticates this device to the endpoint. As a service, put it into "
                "/etc/capture-agent/upload_token instead: other processes cannot read it "
                "there."
            ),
            default="none",
        ),
    ] = Field(None)
    upload_workers: Annotated[
        int,
        SettingDoc(
            meaning="Parallel connections, kept alive.",
            example="8",
            effect=(
                "More use a fast network with long round trips better; fewer give each "
                "connection more of a slow line."
            ),
        ),
    ] = Field(4, ge=1, le=64)
    upload_timeout: Annotated[
        Duration,
        SettingDoc(
            meaning="Limit for one whole request.",
            example="2m",
            effect=(
                "Raise it on a line so slow that one image takes longer; a request that "
                "takes longer is aborted and retried."
            ),
        ),
    ] = Field(30.0, ge=1, le=3600)
    upload_max_rate: Annotated[
        Size,
        SettingDoc(
            meaning=("Bytes per second that all connections together may send; `0` = no limit."),
            example="100kB",
            effect=("Leaves bandwidth to other programs. A backlog takes longer to deliver."),
            default="`0`",
            allowed="0, or a size of at least 1kB",
        ),
    ] = Field(ByteSize(0), le=PB)
    upload_window: Annotated[
        UploadWindow | None,
        BeforeValidator(parse_upload_window),
        SettingDoc(
            meaning=(
                "When captures may be sent: `always`, or a span of local time such as "
                "`01:00-05:00`, which may cross midnight. It stays closed while the clock "
                "was never set."
            ),
            example="01:00-05:00",
            effect=(
                "Captures wait until the window opens, so the spool must hold a day's captures."
            ),
            default="always",
            allowed="always, or local time from-to such as 01:00-05:00",
            kind="span of time, or a word",
        ),
    ] = Field(None)
    heartbeat: Annotated[
        Annotated[Duration, Ge(1), Le(DAY_S)] | None,
        off("off"),
        SettingDoc(
            meaning=(
                "How often the device's status goes to the endpoint, also while nothing is to be "
                "delivered; `off` = never. An HTTP endpoint, a folder and an S3 bucket take it."
            ),
            example="5m",
            effect=(
                "Who watches a fleet sees the state of each device, and that one which is silent "
                "for longer is dead. A heartbeat has some 2 kB; it goes also outside of "
                "`AGENT_UPLOAD_WINDOW`."
            ),
            default="`15m`",
            allowed="off, or a duration between 1s and 1d",
            kind="duration, or a word",
            choices=("off",),
        ),
    ] = Field(900.0)
    upload_ca: Annotated[
        Path | None,
        SettingDoc(
            meaning=("PEM file of the certificate authorities to trust instead of the system's."),
            example="/etc/capture-agent/ca.pem",
            effect=(
                "Trusts an endpoint whose certificate is from your own authority, and no other."
            ),
            default="system",
        ),
    ] = Field(None)
    upload_client_cert: Annotated[
        Path | None,
        SettingDoc(
            meaning=(
                "PEM file with the device's own certificate and its key, for an endpoint "
                "that requires one."
            ),
            example="/etc/capture-agent/device.pem",
            effect=(
                "The endpoint identifies the device by its certificate, in addition to a "
                "token or instead of one. Only the service's user may read the file."
            ),
            default="none",
        ),
    ] = Field(None)
    upload_proxy: Annotated[
        SecretStr | None,
        SettingDoc(
            meaning=(
                "Proxy as `http://[USER:PASSWORD@]HOST:PORT`. `HTTP_PROXY` and the like are "
                "not read."
            ),
            example="http://10.0.0.1:3128",
            effect=("All requests go through it. It is never taken from `HTTP_PROXY` or the like."),
            default="none",
            kind="address",
        ),
    ] = Field(None)

    @field_validator("upload_max_rate")
    @classmethod
    def _a_rate_that_delivers(cls, value: int) -> int:
        if 0 < value < KB:
            raise ValueError("too slow for images")
        return value

    @property
    def token(self) -> str | None:
        """The upload secret in plain text, or None."""
        return self.upload_token.get_secret_value() if self.upload_token else None
