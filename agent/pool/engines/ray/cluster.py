"""Connects to a Ray cluster, or starts Ray on this machine for one run."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray
import ray.exceptions

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engines.ray.access import is_refused, refusal
from agent.pool.engines.ray.temporary import temporary_folder
from agent.printable import printable

_CONNECT_S = 5
_PORT, _DIGITS = 65535, 5
"""The highest port, and its digits."""
_OBJECT_STORE = 128 * 2**20
"""Bytes of shared memory of a Ray that is started here: it holds keys and counts."""


@contextmanager
def connected(address: str, workers: int | None, gpus: float) -> Iterator[None]:
    """Be connected within the block.

    Raises:
        ConfigurationError: It can never work so.
        TemporaryError: Nothing answers at the address.
    """
    with _started_here(workers, gpus) if not address else _joined(address):
        yield


@contextmanager
def _joined(address: str) -> Iterator[None]:
    _check_address(address)
    shown = printable(address)
    try:
        ray.init(address=address, log_to_driver=False, runtime_env={})
    except (ConnectionError, TimeoutError, ray.exceptions.RayError) as error:
        if is_refused(error):
            raise ConfigurationError(refusal(shown, error)) from error
        raise TemporaryError(
            f"cannot connect to Ray at {shown}: {_reason(error)}; start it with "
            "`ray start --head`, or leave --address out"
        ) from error
    except (RuntimeError, ValueError, OSError) as error:
        raise ConfigurationError(f"cannot connect to Ray at {shown}: {_reason(error)}") from error
    with _shut_down():
        yield


@contextmanager
def _started_here(workers: int | None, gpus: float) -> Iterator[None]:
    """Run Ray; its logs and sockets are in a folder that no other user sees, removed after it."""
    with temporary_folder() as folder:
        try:
            ray.init(
                address="local",
                num_cpus=workers or len(os.sched_getaffinity(0)),
                num_gpus=None if gpus else 0,
                object_store_memory=_OBJECT_STORE,
                include_dashboard=False,
                log_to_driver=False,
                _temp_dir=f"{folder}/r",  # Ray opens it to all users
            )
        except ValueError as error:
            raise ConfigurationError(f"cannot start Ray: {_reason(error)}") from error
        except Exception as error:  # Ray raises plain ones where its processes start too slowly
            raise TemporaryError(
                f"cannot start Ray on this machine: {_reason(error)}; try again when it is less "
                "busy, or use --engine local"
            ) from error
        with _shut_down():
            yield


@contextmanager
def _shut_down() -> Iterator[None]:
    try:
        yield
    finally:
        ray.shutdown()


def _reason(error: Exception) -> str:
    return printable(str(error)).rstrip(".") or type(error).__name__


def _check_address(address: str) -> None:
    """Find out in seconds what Ray would say after 40 s, by ending the process."""
    shown = printable(address)
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= _DIGITS and 0 < int(port) <= _PORT
    if "://" in address or not host or not is_port:
        raise ConfigurationError(
            f"cannot use --address {shown}: it must be HOST:PORT of the cluster's head, such as "
            "10.0.0.5:6379, or `auto` for the cluster that this machine is part of; run the "
            "command on a machine of the cluster (`ray start --address=HOST:PORT --num-cpus=0` "
            "makes this one part of it)"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (socket.gaierror, UnicodeError, OverflowError) as error:
        raise ConfigurationError(
            f"cannot find the Ray cluster at {shown}: there is no such host or port; check "
            "--address"
        ) from error
    except OSError as error:
        raise TemporaryError(
            f"cannot reach the Ray cluster at {shown}: "
            f"{error.strerror or f'no answer within {_CONNECT_S} s'}; check --address, and that "
            f"`ray start --head --port={port}` runs there"
        ) from error


def worker_count(wanted: int | None, gpus: float) -> int:
    """Return how many workers the cluster takes: one a core, or as its GPUs allow.

    Raises `ConfigurationError` if it takes none.
    """
    resources = ray.cluster_resources()
    cores = int(resources.get("CPU", 0))
    if not cores:
        raise ConfigurationError(
            "cannot use this Ray cluster: it has no CPU for tasks; start a node with "
            "`ray start --address=HOST:PORT`"
        )
    if gpus:
        by_gpu = int(resources.get("GPU", 0) / gpus)
        if not by_gpu:
            raise ConfigurationError(
                "cannot use this Ray cluster: AGENT_PROVIDERS names a GPU and no node has one; "
                "start a node with `ray start --address=HOST:PORT --num-gpus=1`, or set "
                "AGENT_PROVIDERS=CPUExecutionProvider"
            )
        cores = min(cores, by_gpu)
    return min(cores, wanted or cores)
