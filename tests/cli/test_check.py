"""What `check` says of real endpoints and real disks that fail: the fact, and the fix."""

import os
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from agent.cli.preflight import (
    check_clips,
    check_endpoint,
    check_model,
    check_secrets,
    check_spool,
    exposed_files,
)
from agent.errors import AgentError, ConfigurationError, TargetBlocked, TargetUnavailable
from agent.settings.declarations import Settings
from agent.settings.load import without_environment
from tests.detector.planted_families import FAMILIES, Planted, constant_output_model, family_model
from tests.detector.test_graph import threshold_of_nms
from tests.fakes.clock import ManualClock
from tests.spool.small_file_system import mounted, skip_or_fail
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import FaultyServer
from tests.upload.label_studio_server import LEGACY, RECTANGLES, LabelStudioServer

PORTAL = {"Location": "http://login.hotel.example/?session=s3cret"}
NOW = ManualClock()
NEVER_SET = ManualClock(wall=60.0)


def spool_settings(directory: Path) -> Settings:
    return without_environment(spool_dir=directory, spool_min_free=0)


def told(error: pytest.ExceptionInfo[AgentError], *words: str) -> None:
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (None, "3s before and 2s after each capture, about 1.25MB each; at most 64MB of memory"),
        ("https://example.org/captures", "3s before and 2s after each capture"),
        ("roboflow://cars", "warning: Roboflow has no place for clips, so none are made"),
        ("label-studio+https://labels.example/projects/1", "warning: Label Studio has no place"),
    ],
)
def test_the_cost_of_clips_is_told_and_an_endpoint_that_takes_none(
    url: str | None, says: str
) -> None:
    assert says in check_clips(without_environment(clip="3s 2s", fps=5, upload_url=url))


@pytest.mark.parametrize(
    ("device", "url", "is_told"),
    [
        ("raspberrypi", "https://example.org/captures", True),
        ("RaspberryPi.local", "dir:/mnt/share", True),
        ("localhost", "s3://captures", True),
        ("raspberrypi", None, False),
        ("raspberrypi-7", "https://example.org/captures", False),
        ("gate-07", "https://example.org/captures", False),
    ],
)
def test_an_id_that_many_new_systems_have_is_doubted(
    device: str, url: str | None, is_told: bool
) -> None:
    """Nothing is wrong yet: another device may have it, which the receiver alone knows."""
    said = check_secrets(without_environment(device_id=device, upload_url=url), {})

    assert (f"the device id {device} is the host name of many new systems" in said) is is_told


def test_a_captive_portal_that_redirects_is_named() -> None:
    with FaultyServer(faults.response(302, headers=PORTAL)) as server:
        settings = without_environment(upload_url=server.url)
        with pytest.raises(TargetBlocked) as error:
            check_endpoint(settings, NOW)

    told(error, "redirects to login.hotel.example", "captive portal", "log the network in")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("years", "clock", "words"),
    [
        ((2090, 2099), NEVER_SET, ["is not yet valid", "1970-01-01", "set the clock", "NTP"]),
        ((2090, 2099), NOW, ["is not yet valid", "2026-05-28", "check the clock"]),
        ((2010, 2011), NOW, ["has expired", "renew it there"]),
    ],
)
def test_a_certificate_out_of_its_time_names_the_clock(
    tmp_path: Path, years: tuple[int, int], clock: ManualClock, words: list[str]
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in years)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", not_before=begin, not_after=end).configure_cert(tls)

    with FaultyServer(faults.store, tls=tls) as server:
        settings = without_environment(upload_url=server.url, upload_ca=tmp_path / "ca.pem")
        with pytest.raises((TargetBlocked, ConfigurationError)) as error:
            check_endpoint(settings, clock)

    told(error, *words)
    assert server.requests == []


def test_a_clock_that_was_never_set_is_warned_of_wherever_captures_go(tmp_path: Path) -> None:
    for url in (None, f"dir:{tmp_path}"):
        settings = without_environment(upload_url=url)

        assert "the clock was never set, it says 1970-01-01" in check_endpoint(settings, NEVER_SET)
        assert "warning" not in check_endpoint(settings, NOW)


def test_a_token_that_would_cross_the_network_unencrypted_is_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The address that the name stands for is this computer's; only its name is another's."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **words: real("127.0.0.1", *more, **words)
    )
    with FaultyServer(faults.response(200, b'{"captures": 0}')) as server:
        url = server.url.replace("127.0.0.1", "labels.example").replace(
            "localhost", "labels.example"
        )
        settings = without_environment(upload_url=url, upload_token="a-token")

        said = check_endpoint(settings, NOW)

    assert "warning: AGENT_UPLOAD_TOKEN is sent to labels.example unencrypted" in said
    assert "a-token" not in said


def test_a_name_that_nobody_knows_is_a_matter_of_dns() -> None:
    settings = without_environment(upload_url="http://nobody.invalid/captures")
    with pytest.raises(TargetUnavailable, match="cannot be resolved"):
        check_endpoint(settings, NOW)


def test_a_disk_that_is_nearly_full_is_warned_of(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path) as small:
        settings = spool_settings(small.root / "spool")
        assert "warning" not in check_spool(settings, NOW)
        (small.root / "foreign").write_bytes(bytes(small.free() - 900_000))

        said = check_spool(settings, NOW)

    assert "kB free; warning" in said
    assert "the disk is nearly full, 4.5% are left: delete what nobody needs" in said


def test_a_disk_with_too_little_room_fails_with_both_ways_out(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path) as small:
        settings = without_environment(spool_dir=small.root / "spool", spool_min_free=10**9)
        with pytest.raises(ConfigurationError) as error:
            check_spool(settings, NOW)

    told(error, "20MB free", "AGENT_SPOOL_MIN_FREE=1GB", "Free some space, or lower")


def test_a_file_system_without_room_for_files_fails_though_bytes_are_free(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path, "nr_inodes=100") as small:
        settings = spool_settings(small.root / "spool")
        for number in range(96):  # the root and three others
            (small.root / str(number)).touch()
        assert "list of files (inodes) is nearly full, 3.0% are left" in check_spool(settings, NOW)
        for number in range(96, 99):
            (small.root / str(number)).touch()

        with pytest.raises(ConfigurationError) as error:
            check_spool(settings, NOW)

    told(error, "no room for another file (inodes)", "20MB are free", "Delete files")


def test_a_spool_of_another_user_names_both_and_the_fix(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        skip_or_fail("only root can give a folder away")
    spool = tmp_path / "spool"
    spool.mkdir()
    os.chown(spool, 1, 1)  # daemon, on every Linux

    with pytest.raises(ConfigurationError) as error:
        check_spool(spool_settings(spool), NOW)

    told(error, "belongs to daemon", "this process runs as root", "Run it as daemon")


def test_only_files_that_everybody_may_read_are_exposed(tmp_path: Path) -> None:
    for name, mode in (("token", 0o600), ("group", 0o640), ("open", 0o644)):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).chmod(mode)

    assert exposed_files([*tmp_path.iterdir(), tmp_path / "none"]) == [tmp_path / "open"]


def test_a_graph_that_discards_faint_detections_is_reported(tmp_path: Path) -> None:
    path = constant_output_model(
        tmp_path / "m.onnx",
        FAMILIES["NMS in the graph"].plant([Planted((20, 30, 60, 70), 1, 0.75)]),
        more_nodes=threshold_of_nms(0.3),
    )

    fact = check_model(without_environment(model=path, model_labels="ant bee cat"))

    assert "warning: its graph discards detections below a confidence of 0.3" in fact


@pytest.mark.parametrize("lowest", [0.4, 0.06])
def test_many_detections_far_above_the_floor_are_reported(tmp_path: Path, lowest: float) -> None:
    """A graph may discard the others in a way that cannot be read from it."""
    objects = [
        Planted((8 * index, 30, 8 * index + 20, 70), 1, lowest + index / 50) for index in range(12)
    ]
    outputs = FAMILIES["NMS in the graph"].plant(objects)
    path = constant_output_model(tmp_path / "m.onnx", outputs)

    fact = check_model(without_environment(model=path, model_labels="ant bee cat"))

    assert ("all have a confidence of 0.4 or more" in fact) == (lowest == 0.4)


def test_a_labelling_project_with_other_labels_is_a_warning_with_both_lists(
    tmp_path: Path,
) -> None:
    with LabelStudioServer() as server:
        server.config = {"objects": {**RECTANGLES["objects"], "labels": ["Person", "Car"]}}
        settings = without_environment(upload_url=server.url, upload_token=LEGACY)
        fact = check_endpoint(settings, NOW)

    assert "; warning: the project lacks all labels of the model" in fact
    assert "person is there as Person" in fact
    assert "the project has Car, Person" in fact


def test_a_labelling_project_without_a_place_for_outlines_is_a_warning(tmp_path: Path) -> None:
    """The model of the settings says what would arrive."""
    path = family_model(tmp_path / "m.onnx", FAMILIES["segment"], [])
    with LabelStudioServer() as server:
        server.config = {"objects": {**RECTANGLES["objects"], "labels": ["ant", "bee", "cat"]}}
        settings = without_environment(
            upload_url=server.url, upload_token=LEGACY, model=path, model_labels="ant bee cat"
        )
        fact = check_endpoint(settings, NOW)
        outlines = {**RECTANGLES["objects"], "type": "PolygonLabels", "labels": ["ant"]}
        server.config = {**server.config, "outlines": outlines}
        with_outlines = check_endpoint(settings, NOW)

    assert "warning: the project has no <PolygonLabels>, so outlines arrive as rectangles" in fact
    assert "warning" not in with_outlines
    assert "polygons in 'outlines'" in with_outlines
