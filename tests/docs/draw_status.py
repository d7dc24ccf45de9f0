"""Draw `docs/status.svg` from a real daemon: `python -m tests.docs.draw_status`.

Only the spool's path and the endpoint are replaced afterwards: by those of an installed service.
"""

import io
import os
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from agent.cli import status
from agent.settings.load import load
from tests import ROOT
from tests.end_to_end.command import Daemon, clip, environment
from tests.end_to_end.endpoint import LocalEndpoint

IMAGE = ROOT / "docs" / "status.svg"
ENDPOINT = "https://example.org/captures"
AS_A_SERVICE = "/var/lib/capture-agent/spool"


def draw(folder: Path) -> str:
    """Return the screen of `status` beside a daemon that delivers."""
    endpoint = LocalEndpoint(folder / "dataset")
    settings = {
        "AGENT_CAMERAS": f"street={clip()} gate=/dev/video63",  # nobody has the second
        "AGENT_DEVICE_ID": "crossing-3",
        "AGENT_SPOOL_MIN_FREE": "512MB",
        "AGENT_EVERY_NTH_FRAME": 10,
        "AGENT_BUDGET_PER_DAY": 0,
        "AGENT_UPLOAD_URL": endpoint.url,
    }
    os.environ.update(environment(folder, settings))
    with Daemon(folder, **settings) as daemon:
        daemon.wait_for("capture delivered")
        screen = Console(record=True, width=88, file=io.StringIO(), force_terminal=True)
        screen.print("[bold]$[/] sudo capture-agent as-service status", highlight=False)
        screen.print(status.look(load()))
    endpoint.stop()
    drawn = screen.export_svg(title="capture-agent", theme=MONOKAI, unique_id="status")
    drawn = re.sub(r"@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL)  # from another server
    return drawn.replace(str(folder / "spool"), AS_A_SERVICE).replace(endpoint.url, ENDPOINT)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="spool-of-") as folder:
        IMAGE.write_text(draw(Path(folder)), encoding="utf-8")
