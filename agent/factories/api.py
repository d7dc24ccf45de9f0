"""The API and the MQTT client of the settings, as workers beside the pipeline."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.logs import Log
from agent.runtime.supervisor import SideWorker

if TYPE_CHECKING:
    from agent.runtime.application import Application
    from agent.settings.declarations import Settings


def has_doors(settings: Settings) -> bool:
    """Whether people or programs beside the daemon can ask it for anything."""
    return settings.api is not None or settings.mqtt_url is not None


def side_workers(
    settings: Settings, application: Application, *, log: Log
) -> tuple[SideWorker, ...]:
    """Return the workers that the settings ask for. Raises `ConfigurationError`."""
    return (*_facts(application), *_api(settings, application, log))


def _facts(application: Application) -> list[SideWorker]:
    facts = application.facts
    return [] if facts is None else [SideWorker("verdicts", facts.step, facts.close)]


def _api(settings: Settings, application: Application, log: Log) -> list[SideWorker]:
    if settings.api is None:
        return []
    try:
        from agent.api.app import make_app
        from agent.api.observer import ApiObserver
        from agent.api.server import ApiServer
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"AGENT_API needs {error.name}: pip install 'edge-capture-agent[web]', or unset "
            "AGENT_API"
        ) from None
    path = Path(settings.api.path) if settings.api.path else None
    if path is not None:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(settings.api.path)
    else:
        listening = socket.create_server((settings.api.host, settings.api.port))
    observer = ApiObserver(log, application.clock.monotonic)
    server = ApiServer(make_app(application), [listening], observer, path=path)
    return [SideWorker("api", server.step, server.close)]
