"""Checks before any work that every node of a cluster runs the same agent and sees the files."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agent.errors import ConfigurationError, TemporaryError
from agent.files import Disk
from agent.pool.engines.ray import node_facts
from agent.pool.engines.ray.plan import Plan
from agent.printable import printable

_LONGEST_S = 120  # until each node has started a process that imports the agent's libraries
_NAMED = 10  # nodes in a message


def check_nodes(plan: Plan) -> int:
    """Return how many nodes there are.

    Raises:
        ConfigurationError: Some have another version, or do not see OUT or the sources.
        TemporaryError: A node does not answer.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    with _marker(plan.out if len(nodes) > 1 else "") as marker:
        found = _ask(nodes, marker, plan.sample if len(nodes) > 1 else ())
    own = node_facts.versions()
    problems = [
        *_other_versions(found, own),
        *_unseen(found, marker, plan.out),
    ]
    if problems:
        raise ConfigurationError("cannot use this Ray cluster: " + "; ".join(problems))
    return len(found)


@contextmanager
def _marker(out: str) -> Iterator[str]:
    """Make a file in OUT that no other folder of the same name has."""
    if not out:
        yield ""
        return
    disk, folder = Disk(), Path(out) / ".pool"
    path = folder / f"seen-{secrets.token_hex(8)}"
    try:
        disk.make_directory(folder)
        disk.write(path, b"")
    except OSError as error:
        raise ConfigurationError(f"cannot write to {printable(out)}: {error.strerror}") from error
    try:
        yield str(path)
    finally:
        disk.remove(path)


def _ask(
    nodes: Sequence[Mapping[str, Any]], marker: str, sample: Sequence[tuple[str, int]]
) -> dict[str, dict[str, Any]]:
    """Return what each node says, by its name. The function goes there as source, by value."""
    ray.cloudpickle.register_pickle_by_value(node_facts)
    found: dict[str, dict[str, Any]] = {}
    ask = ray.remote(num_cpus=0, max_retries=1)(node_facts.node_facts)
    try:
        asked = {
            _name(node): ask.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(marker, sample)
            for node in nodes
        }
        _, waiting = ray.wait(list(asked.values()), num_returns=len(asked), timeout=_LONGEST_S)
        silent = [name for name, reference in asked.items() if reference in set(waiting)]
        if silent:
            raise TemporaryError(
                f"cannot use this Ray cluster: {_names(silent)} did not start a process within "
                f"{_LONGEST_S} s; look at the nodes with `ray status`"
            )
        for name, reference in asked.items():
            with contextlib.suppress(ray.exceptions.TaskUnschedulableError):  # it is gone by now
                found[name] = ray.get(reference)
    except ray.exceptions.RayError as error:
        raise TemporaryError(
            "cannot use this Ray cluster: a node failed when it was asked for its version: "
            f"{printable(str(error).strip().rpartition(chr(10))[2])}"
        ) from error
    finally:
        ray.cloudpickle.unregister_pickle_by_value(node_facts)
    return found


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _other_versions(
    found: Mapping[str, Mapping[str, Any]], own: Mapping[str, str]
) -> Iterator[str]:
    """Yield a sentence for each library, and each of its versions that is not the command's."""
    for library, version in own.items():
        others: dict[str, list[str]] = {}
        for node, facts in found.items():
            if facts["versions"].get(library, "") != version:
                others.setdefault(facts["versions"].get(library, ""), []).append(node)
        package = "edge-capture-agent[pool]" if library == "capture-agent" else library
        for other, nodes in others.items():
            has = f"has {library} {other}" if other else f"has no {library}"
            fix = (
                "use the same Python on all nodes"
                if library == "python"
                else f"pip install '{package}=={version}' in the environment that Ray runs in there"
            )
            yield f"{_names(nodes)} {has}, this command has {version}: {fix}"


def _unseen(found: Mapping[str, Mapping[str, Any]], marker: str, out: str) -> Iterator[str]:
    without_out = [node for node, facts in found.items() if marker in facts["unseen"]]
    if without_out:
        yield (
            f"{_names(without_out)} cannot see the output folder {printable(out)}: mount it on "
            "every node under the same path, or use --out s3://BUCKET/PREFIX"
        )
    without: dict[str, list[str]] = {}
    for node, facts in found.items():
        for path in facts["unseen"]:
            if path != marker:
                without.setdefault(path, []).append(node)
    if without:
        path, nodes = next(iter(without.items()))
        yield (
            f"{_names(nodes)} cannot read {printable(path)} as it is here: mount the sources on "
            "every node under the same path, or put them into a bucket"
        )
