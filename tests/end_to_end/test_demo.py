"""The demo: a part of the clip is captured, waits while the network is away, and arrives once."""

import json
import re
from pathlib import Path

from tests.end_to_end.command import call


def test_the_demo_delivers_a_part_of_the_clip_once(tmp_path: Path) -> None:
    """The network is away for 3 s: if the computer stands still for so long, it is shown again."""
    for number in range(3):
        demo = tmp_path / f"demo-{number}"
        answer = call(tmp_path, "demo", "--dir", demo.name)
        assert answer.returncode == 0, answer.stderr
        table = dict(re.findall(r"│ *(.+?) +│ +(\d+) │", answer.stdout))
        if int(table["cached while offline"]) > 0:
            break

    frames, captures = int(table["frames analysed"]), int(table["captures"])
    assert frames / 10 < captures < frames / 2
    assert int(table["cached while offline"]) > 0
    assert int(table["delivered"]) == captures
    assert (table["delivered twice"], table["left on disk"]) == ("0", "0")
    records = [json.loads(path.read_text()) for path in (demo / "dataset/records").iterdir()]
    assert len(records) == captures
    assert min(each["value"] for each in records if each["lane"] == "score") >= 0.5
    assert (demo / "contact-sheet.jpg").stat().st_size > 0
