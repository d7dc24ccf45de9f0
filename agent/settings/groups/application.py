"""Settings: what applications and people beside the daemon can see and say."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from agent.mqtt.address import ALLOWED as MQTT_ALLOWED
from agent.mqtt.address import parse_mqtt
from agent.settings.describe import OWN_WORDS
from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import Duration, SettingsGroup
from agent.web.address import ALLOWED, WebAddress, parse_api


class ApplicationSettings(SettingsGroup):
    """What applications and people beside the daemon can see and say."""

    api: Annotated[
        WebAddress | None,
        NoDecode,
        SettingDoc(
            meaning=(
                "Where applications and browsers reach the agent: `unix:/PATH`, `HOST:PORT`, or "
                "`off`. It needs the extra `[web]`."
            ),
            example="unix:/run/capture-agent/api.sock",
            effect=(
                "Serves the live page and the calls of docs/api.md. A port on `127.0.0.1` can be "
                "reached by every program of this computer; the file `api_token` in "
                "`$CREDENTIALS_DIRECTORY` makes it ask for a token. Any other host needs the token "
                "and `AGENT_API_TLS_CERT`."
            ),
            default="`off`",
            allowed=ALLOWED,
            choices=("off",),
            group="Applications",
            kind="address, or a word",
        ),
    ] = Field(None)
    api_tls_cert: Annotated[
        Path | None,
        SettingDoc(
            meaning="PEM file with the certificate of `AGENT_API` and its key.",
            example="/etc/capture-agent/api.pem",
            effect="The API is then served over HTTPS. Only the service's user may read the file.",
            default="none",
        ),
    ] = Field(None)
    affirm_per_day: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Captures a day of predictions that were shown to a person and not contradicted; "
                "`0` = none."
            ),
            example="3",
            effect=(
                "They are drawn at random, have the verdict `unobjected`, and cost a credit each: "
                "affirmations for training, which count as no review."
            ),
        ),
    ] = Field(0.0, ge=0, le=10_000)
    affirm_after: Annotated[
        Duration,
        SettingDoc(
            meaning="How long a person has to contradict a prediction that was shown.",
            example="2m",
            effect=(
                "A longer time lets slower people object; the frames that were drawn wait in "
                "memory for so long."
            ),
        ),
    ] = Field(60.0, ge=1, le=3600)
    mqtt_url: Annotated[
        SecretStr | None,
        SettingDoc(
            meaning=(
                "MQTT broker as `mqtt://[USER:PASSWORD@]HOST[:PORT][/PREFIX]`, or `mqtts://` for "
                "TLS. It needs the extra `[mqtt]`."
            ),
            example="mqtt://capture-agent:password@10.0.0.2",
            effect=(
                "Publishes the state of the cameras and each capture, and takes `Capture now`; "
                "Home Assistant finds them by itself: docs/mqtt.md."
            ),
            default="none",
            allowed=MQTT_ALLOWED,
            kind="address",
        ),
    ] = Field(None)

    @field_validator("api", mode="before")
    @classmethod
    def _parse_api(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lower() == "off":
            return None
        try:
            return parse_api(value)
        except ValueError as error:
            raise PydanticCustomError(OWN_WORDS, "{why}", {"why": str(error)}) from None

    @field_validator("mqtt_url", mode="before")
    @classmethod
    def _check_mqtt(cls, value: object) -> object:
        if isinstance(value, str) and value:
            try:
                parse_mqtt(value)
            except ValueError as error:
                raise PydanticCustomError(OWN_WORDS, "{why}", {"why": str(error)}) from None
        return value
