"""The socket of the API: its file, its mode, and what is said of an address that cannot be used."""

import errno
import os
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import ConfigurationError
from agent.web.address import WebAddress, parse_api
from agent.web.listening import Listening, listen_at, reason_of
from tests.ports import free_port
from tests.spool.small_file_system import skip_or_fail


@pytest.fixture
def unix(tmp_path: Path) -> WebAddress:
    return WebAddress(path=str(tmp_path / "api.sock"))


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)  # as the unit has it
    yield
    os.umask(before)


def refusal(address: WebAddress) -> str:
    with pytest.raises(ConfigurationError) as refused:
        listen_at(address)
    return str(refused.value)


@pytest.mark.usefixtures("umask")
def test_owner_and_group_may_connect_and_nobody_else(unix: WebAddress) -> None:
    listening = listen_at(unix)

    found = Path(unix.path).lstat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
    listening.remove()
    assert not Path(unix.path).exists()


def test_a_connection_is_kept_before_anything_accepts_it(unix: WebAddress) -> None:
    listening = listen_at(unix)

    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.connect(unix.path)
    listening.remove()


def test_the_socket_of_a_killed_daemon_is_replaced(unix: WebAddress) -> None:
    listen_at(unix).socket.close()  # without its path
    assert Path(unix.path).exists()

    listening = listen_at(unix)
    assert listening.inode == Path(unix.path).lstat().st_ino
    listening.remove()


def test_a_socket_that_somebody_listens_at_is_left_alone(unix: WebAddress) -> None:
    listening = listen_at(unix)

    assert "another program listens there; stop it" in refusal(unix)
    assert Path(unix.path).exists()
    listening.remove()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "fifo"])
def test_what_is_no_socket_is_left_alone(unix: WebAddress, tmp_path: Path, kind: str) -> None:
    path = Path(unix.path)
    match kind:
        case "file":
            path.write_text("precious", "utf-8")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "elsewhere")
        case "fifo":
            os.mkfifo(path)
    before = path.lstat()

    says = {"folder": f"{path} is a folder; name a socket in it, such as {path / 'api.sock'}"}
    other = "a file that is no socket; remove it, or choose another path"
    assert says.get(kind, other) in refusal(unix)
    assert path.lstat() == before


def test_the_end_removes_no_socket_of_another_daemon(unix: WebAddress) -> None:
    first = listen_at(unix)
    Path(unix.path).unlink()
    second = listen_at(unix)

    first.remove()

    assert Path(unix.path).exists() or first.inode == second.inode
    second.remove()


def test_a_folder_that_is_missing_or_none_is_named(tmp_path: Path) -> None:
    missing = WebAddress(path=str(tmp_path / "run" / "api.sock"))
    assert f"the folder {tmp_path / 'run'} does not exist; create it" in refusal(missing)
    (tmp_path / "run").write_text("", "utf-8")
    assert f"{tmp_path / 'run'} is no folder" in refusal(missing)


def test_a_port_that_is_used_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        address = WebAddress(host="127.0.0.1", port=other.getsockname()[1])

        assert f"cannot listen on {address}: another program uses the port" in refusal(address)


def test_an_address_that_comes_later_than_the_agent_is_bound_with_a_warning() -> None:
    listening = listen_at(parse_api(f"192.0.2.1:{free_port()}"))  # RFC 5737: nobody's

    assert listening.warning == "no network interface has the address 192.0.2.1 yet"
    listening.remove()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "0.0.0.0", "localhost"])
def test_each_kind_of_address_listens(host: str) -> None:
    if ":" in host and not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    port = free_port()
    listening = listen_at(WebAddress(host=host, port=port))

    target = "::1" if host == "::1" else "127.0.0.1"  # "::" takes IPv4 too
    with closing(socket.create_connection((target, port), 60)):
        listening.remove()


def test_a_name_without_an_address_is_named() -> None:
    message = refusal(parse_api("no-such-name.invalid:8787"))

    assert "the name no-such-name.invalid has no address" in message
    assert "use an IP address of this computer" in message


@pytest.mark.parametrize(
    ("address", "number", "says"),
    [
        ("127.0.0.1:80", errno.EACCES, "ports below 1024 are for root; choose one above"),
        ("[::1]:8787", errno.EAFNOSUPPORT, "this computer has no IPv6"),
        ("unix:/x/api.sock", errno.EACCES, "this user may not write into the folder /x"),
        ("unix:/x/api.sock", errno.EROFS, "the folder /x is read-only for the agent"),
        ("127.0.0.1:8787", errno.EMFILE, "Too many open files"),
    ],
)
def test_each_reason_has_its_fix(address: str, number: int, says: str) -> None:
    assert says in reason_of(parse_api(address), OSError(number, os.strerror(number)))


def test_nothing_is_left_when_it_is_closed_twice(unix: WebAddress) -> None:
    listening: Listening = listen_at(unix)

    listening.remove()
    listening.remove()


SYSTEM_PYTHON = "/usr/bin/python3"
"""A Python that every user may run."""

PROBE = """
import os, socket, sys
run = sys.argv[1]
def tried(what):
    try:
        what()
    except PermissionError:
        return "refused"
    return "allowed"
print(
    tried(lambda: socket.socket(socket.AF_UNIX).connect(run + "/api.sock")),
    tried(lambda: os.listdir(run)),
    tried(lambda: os.listdir(run + "/exchange")),
    tried(lambda: open(run + "/made", "w")),
    tried(lambda: os.unlink(run + "/api.sock")),
)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as other users")
@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("groups", "outcome"),
    [([4321], "allowed refused refused refused refused"), ([], "refused " * 4 + "refused")],
    ids=["member", "stranger"],
)
def test_a_member_of_the_group_reaches_the_socket_and_nothing_else(
    groups: list[int], outcome: str
) -> None:
    """The folder is as the unit makes it: RuntimeDirectoryMode=0710, UMask=0077."""
    if not Path(SYSTEM_PYTHON).exists():
        skip_or_fail(f"other users need {SYSTEM_PYTHON}")
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        Path(base).chmod(0o755)
        run = Path(base) / "capture-agent"
        (run / "exchange").mkdir(parents=True)
        run.chmod(0o710)
        listening = listen_at(WebAddress(path=str(run / "api.sock")))
        for path in (run, *run.iterdir()):
            os.chown(path, 4320, 4321)
        done = subprocess.run(
            [SYSTEM_PYTHON, "-I", "-S", "-c", PROBE, str(run)],
            user=4444,
            group=4444,
            extra_groups=groups,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        listening.remove()

    assert done.stdout.strip() == outcome, done.stderr
