"""Commands for a person: export to a USB stick, rejected captures, a requested frame."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import (
    NEVER_ENDS,
    Daemon,
    assert_law,
    call,
    clip,
    here,
    long_recording,
    quick_model,
    status,
)
from tests.end_to_end.endpoint import LocalEndpoint
from tests.spool.spool_builders import fact_text, open_real

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

FEW = {
    "AGENT_CAMERAS": f"street={clip()}",
    "AGENT_FPS": 2,
    "AGENT_MODEL": quick_model(),
    "AGENT_EVERY_NTH_FRAME": 1,
    "AGENT_MAX_SIDE": 64,
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose spool holds the 20 captures of a clip."""
    folder = tmp_path_factory.mktemp("filled")
    result = call(folder, "run", **FEW)
    assert result.returncode == 0, result.stderr
    assert status(folder)["waiting"] >= 10
    return folder


@pytest.fixture
def spool(filled: Path, tmp_path: Path) -> Path:
    """A folder with a copy of that spool."""
    shutil.copytree(filled / "spool", tmp_path / "spool")
    return tmp_path


def ids(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("records/*.json")}


def test_an_export_copies_and_deletes_nothing(spool: Path) -> None:
    waiting = status(spool)["waiting"]

    result = call(spool, "export", "stick")

    assert result.returncode == 0, result.stderr
    assert f"exported {waiting} of {waiting}" in result.stdout
    assert len(ids(spool / "stick")) == waiting
    assert status(spool)["waiting"] == waiting


def test_an_export_may_add_coco_annotations(spool: Path) -> None:
    """The folder stays a dataset, and the file speaks of all captures in it."""
    result = here(spool, "export", "stick", "--format", "coco")

    assert result.returncode == 0, result.stderr
    assert "COCO annotations: " in result.stdout
    content = json.loads((spool / "stick/annotations.json").read_text())
    named = {image["file_name"].removesuffix(".jpg") for image in content["images"]}
    assert named == set(ids(spool / "stick"))
    assert {each["category_id"] for each in content["annotations"]} <= {
        each["id"] for each in content["categories"]
    }
    assert here(spool, "export", "stick", "--format", "voc").returncode == 2


def test_an_acknowledged_export_releases_what_is_safe_on_the_stick(spool: Path) -> None:
    with open_real(spool / "spool") as opened:
        opened.keep_facts([fact_text(1), fact_text(2)])
    before = status(spool)
    assert before["facts_waiting"] == 2

    result = here(spool, "export", "stick", "--acknowledge", AGENT_BUDGET_PER_DAY=1)
    after = status(spool)

    assert result.returncode == 0, result.stderr
    assert len(ids(spool / "stick")) == before["waiting"]
    assert (after["waiting"], after["delivered"]) == (0, before["waiting"])
    assert after["facts_waiting"] == 0
    assert (spool / "stick/verdicts.jsonl").read_text().splitlines() == [fact_text(1), fact_text(2)]
    assert "verdicts in stick/verdicts.jsonl: 2 right" in result.stdout
    assert_law(after)


def test_an_export_that_was_cut_short_goes_on_where_it_stopped(spool: Path) -> None:
    here(spool, "export", "stick")
    for record in sorted((spool / "stick" / "records").glob("*.json"))[:5]:
        record.unlink()

    result = here(spool, "export", "stick", "--acknowledge")

    assert result.returncode == 0, result.stderr
    assert len(ids(spool / "stick")) == status(spool)["delivered"]


def test_an_export_to_a_place_that_is_no_folder_changes_nothing(spool: Path) -> None:
    (spool / "stick").write_text("not a folder", "utf-8")
    before = status(spool)

    result = here(spool, "export", "stick", "--acknowledge")

    assert result.returncode == 78
    assert "stick" in result.stderr
    assert "Traceback" not in result.stderr
    of_others = {name: before[name] for name in ("disk_free_bytes", "disk_free_files")}
    assert {**status(spool), **of_others} == before


def test_the_status_of_a_damaged_index_says_what_repairs_it(spool: Path) -> None:
    before = status(spool)["waiting"]
    index = spool / "spool" / "cache" / "cache.db"
    for damaged in (b"", b"no database" * 1000):
        index.write_bytes(damaged)

        result = here(spool, "status")
        assert result.returncode == 75
        assert "the next `run`, `flush` or `export` builds it again" in result.stderr
        assert here(spool, "export", "stick").returncode == 0
        assert status(spool)["waiting"] == before


def test_credits_accrue_from_the_first_flush_on(
    spool: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    budget = {"AGENT_UPLOAD_URL": endpoint().url, "AGENT_BUDGET_PER_DAY": 1_000_000}
    for _ in range(2):  # 11 credits a second
        assert call(spool, "flush", **budget).returncode in {0, 75}

    assert status(spool)["delivered"] > 0


def test_a_running_daemon_keeps_its_captures_to_itself(tmp_path: Path) -> None:
    with Daemon(tmp_path, **FEW | {"AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}"}) as daemon:
        daemon.wait_for("capture stored")

        result = here(tmp_path, "export", "stick")

        assert result.returncode == 75
        assert str(daemon.process.pid) in result.stderr


def test_refused_captures_are_listed_retried_and_dropped(
    spool: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    waiting = status(spool)["waiting"]
    # As the daemon does after three refusals; no lock is held, so the next start finishes it.
    records = sorted((spool / "spool" / "cache" / "records").glob("*.capture"))
    for file in records[:3]:
        file.rename(spool / "spool" / "rejected" / file.name)
    here(spool, "rejected", "drop", "00000000-0000-7000-8000-000000000000")

    listed = json.loads(here(spool, "rejected", "list", "--json").stdout)["rejected"]
    assert [row["camera"] for row in listed] == ["street"] * 3
    assert status(spool)["rejected"] == 3

    result = here(spool, "rejected", "retry", listed[0]["id"])
    assert result.returncode == 0, result.stderr
    after = status(spool)
    assert (after["waiting"], after["rejected"]) == (waiting - 2, 2)
    assert_law(after)

    assert here(spool, "rejected", "drop").returncode == 0
    assert here(spool, "rejected", "list").stdout.startswith("0 rejected")
    assert call(spool, "flush", AGENT_UPLOAD_URL=endpoint().url).returncode == 0
    assert_law(status(spool))


def test_an_id_that_was_not_refused_is_named(spool: Path) -> None:
    result = here(spool, "rejected", "retry", "nonsense")

    assert result.returncode == 78
    assert "nonsense" in result.stderr


@pytest.mark.parametrize("by", ["command", "signal"])
def test_the_next_frame_of_each_camera_is_captured_on_request(tmp_path: Path, by: str) -> None:
    source = f"street={long_recording(tmp_path)}"
    quiet = {
        **FEW,
        "AGENT_CAMERAS": source,
        "AGENT_EVERY_NTH_FRAME": 0,
        "AGENT_RULES": "none",
    }
    with Daemon(tmp_path, AGENT_RANDOM_INTERVAL="off", **quiet) as daemon:
        daemon.wait_for("camera opened")
        if by == "command":
            result = here(tmp_path, "request", "--wait", "300")
            assert result.returncode == 0, result.stderr
            assert re.fullmatch(rf"street: {UUID} stored, waits for delivery\n", result.stdout)
        else:
            daemon.signal(signal.SIGUSR1)
        line = daemon.wait_for("frame captured")

        assert (line["lane"], line["rules"]) == ("requested", "requested")
        daemon.wait_for("capture stored")


def test_a_request_without_a_daemon_is_an_error(tmp_path: Path) -> None:
    result = here(tmp_path, "request")

    assert result.returncode == 3
    assert "no daemon runs" in result.stderr


def test_a_request_beside_another_command_signals_nobody(tmp_path: Path) -> None:
    """SIGUSR1 would end a command that is no daemon."""
    with open_real(tmp_path / "spool") as spool:  # this process owns it
        result = here(tmp_path, "request")
        assert spool.waiting() == 0

    assert result.returncode == 75
    assert f"it does not run; process {os.getpid()}" in result.stderr


def test_a_request_says_why_there_is_no_capture(tmp_path: Path) -> None:
    settings = {**FEW, "AGENT_CAMERAS": f"{NEVER_ENDS} street={clip()}", "AGENT_FPS": 0}
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("camera lost")
        daemon.wait_for("camera ended")
        both = here(tmp_path, "request", "--json")
        unknown = here(tmp_path, "request", "gate")
        path = here(tmp_path, "request", "../../x")

    told = {each["camera"]: each for each in json.loads(both.stdout)["captures"]}
    assert both.returncode == 75
    assert told["idle"]["reason"].startswith("the camera is lost: cannot open camera /dev/video63")
    assert told["street"]["reason"] == "the recording has ended"
    assert (unknown.returncode, path.returncode) == (1, 1)
    assert "cannot ask for camera gate: there is none of this name" in unknown.stderr
    assert "the cameras are idle, street" in path.stderr
