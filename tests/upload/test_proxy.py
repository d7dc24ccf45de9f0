"""A proxy on the way, which is used only when it was asked for by name."""

import ssl
from pathlib import Path

import pytest
import trustme

from agent.errors import AgentError, ConfigurationError, TargetBlocked, TargetUnavailable
from agent.upload.http.options import HttpOptions
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import stored_capture
from tests.fakes.clock import ManualClock
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import FaultyServer
from tests.upload.forward_proxy import Proxy

PROXY_SECRET = "s3cret"


def target_of(url: str, network: HttpOptions) -> EndpointTarget:
    return EndpointTarget(url, token=None, clock=ManualClock(), network=network)


def through(proxy: Proxy, ca: Path | None = None) -> HttpOptions:
    return HttpOptions(timeout=60.0, ca=ca, proxy=f"http://agent:{PROXY_SECRET}@{proxy.address}")


def test_a_proxy_connects_us_and_sees_nothing_but_the_host(tmp_path: Path) -> None:
    authority = trustme.CA()
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with (
        Proxy() as proxy,
        FaultyServer(faults.store, tls=context) as server,
        target_of(server.url, through(proxy, pem)) as target,
    ):
        for number in range(3):
            target.send(stored_capture(number))

    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(b"CONNECT localhost:%d HTTP/1." % server.port)
    assert b"Proxy-Authorization: Basic " in proxy.heads[0]


def test_a_proxy_forwards_what_is_not_encrypted() -> None:
    with (
        Proxy() as proxy,
        FaultyServer(faults.store) as server,
        target_of(server.url, through(proxy)) as target,
    ):
        assert target.send(stored_capture(1)).id == stored_capture(1).id

    assert proxy.heads[0].startswith(b"POST http://localhost:%d/upload HTTP/1.1" % server.port)


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (407, TargetBlocked, "the proxy answers 407; check AGENT_UPLOAD_PROXY"),
        (403, TargetBlocked, "the proxy answers 403; check AGENT_UPLOAD_PROXY"),
        (502, TargetUnavailable, "through the proxy 127.0.0.1"),
    ],
)
def test_a_proxy_that_refuses_is_named_without_its_password(
    status: int, kind: type[AgentError], says: str
) -> None:
    with (
        Proxy(status) as proxy,
        target_of("https://localhost:1/", through(proxy)) as target,
        pytest.raises(kind, match=says) as caught,
    ):
        target.send(stored_capture(1))

    assert PROXY_SECRET not in str(caught.value)


def test_a_proxy_that_is_not_there_is_named() -> None:
    network = HttpOptions(timeout=60.0, proxy="http://127.0.0.1:1")
    with (
        target_of("http://localhost:2/", network) as target,
        pytest.raises(TargetUnavailable, match=r"through the proxy 127\.0\.0\.1:1: it refuses"),
    ):
        target.send(stored_capture(1))


@pytest.mark.parametrize(
    "proxy",
    ["socks5://h:1", "https://h:1", "h:3128", "http://", "http://u:s3cret@h:99999", "http://h/x"],
)
def test_any_other_proxy_is_refused_unseen(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_UPLOAD_PROXY: must be http://") as caught:
        target_of("http://localhost/", HttpOptions(proxy=proxy))

    assert PROXY_SECRET not in str(caught.value)
