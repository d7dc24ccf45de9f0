"""A Ray cluster on this machine, in a process of its own, for tests of `--address`.

Each line that the process reads is the PYTHONPATH of a node to add, or `remove` for the last one.
It writes the cluster's address after each.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests import ROOT

PATIENT = {
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_health_check_failure_threshold": "20",
}
"""For a busy machine: Ray ends a node whose processes start or answer late."""


@dataclass(frozen=True)
class RayCluster:
    """The cluster, as a test sees it."""

    process: subprocess.Popen[str]
    address: str = ""

    def says(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def add_node(self, *paths: str) -> None:
        """Add a node with one core, which finds modules in `paths` and then here."""
        assert self.says(os.pathsep.join((*paths, str(ROOT)))) == self.address

    def remove_node(self) -> None:
        """End the newest node with all of its processes."""
        assert self.says("remove") == self.address


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Run a cluster of one node with one core."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.ray_cluster"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        text=True,
        start_new_session=True,
        env=os.environ | PATIENT | {"RAY_USAGE_STATS_ENABLED": "0"},
    ) as process:
        try:
            yield RayCluster(process, RayCluster(process).says(str(ROOT)))
        finally:
            assert process.stdin is not None
            process.stdin.close()


def main() -> None:
    from ray.cluster_utils import Cluster

    answers = os.dup(1)
    os.dup2(2, 1)
    cluster = Cluster(shutdown_at_exit=False)
    nodes: list[object] = []
    for line in sys.stdin:
        if line == "remove\n":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        else:
            os.environ["PYTHONPATH"] = line.strip()
            node = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
            nodes.append(node)
        os.write(answers, f"{cluster.address}\n".encode())
    cluster.shutdown()


if __name__ == "__main__":
    main()
