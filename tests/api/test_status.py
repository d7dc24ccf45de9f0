"""`GET /v1/status` and `GET /metrics`."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event

from prometheus_client.parser import text_string_to_metric_families

from agent.cli.daemon import daemon_of
from agent.errors import TemporaryError
from agent.factories.status_facts import facts_of, spool_status
from agent.runtime.application import Application
from agent.settings.load import without_environment
from tests.fakes.api import Serve
from tests.fakes.clock import ManualClock
from tests.limits import LIMIT_S


def test_the_status_is_that_of_the_command(
    application: Application, serve: Serve, tmp_path: Path, clock: ManualClock
) -> None:
    settings = without_environment(cameras="gate=/dev/video0", spool_dir=tmp_path / "spool")
    seen = facts_of(spool_status(settings, clock), daemon_of(settings.spool_dir, clock), settings)

    told = serve(application).unix.get("/v1/status").json

    assert list(told) == list(seen)
    assert (told["daemon"], told["device"], told["waiting"]) == ("starting", "device", 0)
    assert [camera["name"] for camera in told["cameras"]] == ["gate"]


def test_many_who_ask_at_once_cost_one_look(
    application: Application, serve: Serve, clock: ManualClock
) -> None:
    looks = []

    def look() -> dict[str, int]:
        looks.append(1)
        return {"looks": len(looks)}

    client = serve(replace(application, status=look)).unix
    assert [client.get("/v1/status").json["looks"] for _ in range(3)] == [1, 1, 1]
    clock.now += 1
    assert client.get("/v1/status").json["looks"] == 2


def test_a_disk_that_hangs_holds_one_thread_and_no_other_call(
    application: Application, serve: Serve
) -> None:
    hangs, let_go = Event(), Event()

    def hang() -> dict[str, int]:
        hangs.set()
        let_go.wait(LIMIT_S)
        return {}

    client = serve(replace(application, status=hang)).unix
    with ExitStack() as clients:
        clients.callback(let_go.set)
        waiting = [clients.enter_context(client.socket()) for _ in range(4)]
        for each in waiting:
            each.sendall(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert hangs.wait(LIMIT_S)

        assert client.get("/metrics").status == 200
        let_go.set()
        for each in waiting:
            assert each.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_spool_that_cannot_be_read_is_told(application: Application, serve: Serve) -> None:
    def damaged() -> dict[str, int]:
        raise TemporaryError("cannot read the spool /x: damaged")

    response = serve(replace(application, status=damaged)).unix.get("/v1/status")

    assert (response.status, response.error) == (503, "cannot read the spool /x: damaged")


def test_the_official_parser_reads_the_metrics(application: Application, serve: Serve) -> None:
    served = serve(application)
    served.unix.get("/v1/status")
    served.tcp.get("/v1/status", {"Host": "evil.example"})
    served.tcp.get("/nothing")

    response = served.unix.get("/metrics")

    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {
        family.name: family for family in text_string_to_metric_families(response.body.decode())
    }
    answers = {
        (sample.labels["call"], sample.labels["status"]): sample.value
        for sample in families["capture_agent_api_responses"].samples
    }
    assert answers == {("/v1/status", "200"): 1, ("other", "421"): 1, ("other", "404"): 1}
    [refusals] = families["capture_agent_api_refusals"].samples
    assert (refusals.labels, refusals.value) == ({"reason": "host"}, 1)
    assert families["capture_agent_api_connections"].samples[0].value >= 1
    assert families["capture_agent_frames_read"].samples[0].value == 0
    assert families["capture_agent_info"].samples[0].labels["device"] == "device"
