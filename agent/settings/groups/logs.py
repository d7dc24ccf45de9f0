"""Settings: log and metrics."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import SettingsGroup


class LogSettings(SettingsGroup):
    """Log and metrics."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        SettingDoc(
            meaning="Least severe level that is logged.",
            example="debug",
            effect=(
                "`debug` adds one line a frame with the reason why it was captured or not; "
                "`warning` leaves only what needs a person."
            ),
            group="Logs",
        ),
    ] = Field("info")
    log_format: Annotated[
        Literal["auto", "logfmt", "console", "json"],
        SettingDoc(
            meaning="`auto` = `console` on a terminal, else `logfmt`.",
            example="json",
            effect="Changes the form of the lines, not their content.",
        ),
    ] = Field("auto")
    metrics_file: Annotated[
        Path | None,
        SettingDoc(
            meaning=(
                "File for the daemon's metrics in Prometheus text format, written at most "
                "every 15 s: a name that ends in `.prom` in the folder of the node "
                "exporter's textfile collector."
            ),
            example="/var/lib/node_exporter/capture-agent.prom",
            effect=(
                "Metrics for Prometheus without a listening socket. The sandbox must allow "
                "writing there: see docs/operating.md."
            ),
            default="none",
        ),
    ] = Field(None)
