"""Puts the nodes of a graph into an order in which each comes after those that it reads from.

Tools that change a graph append nodes: the conversion to half precision puts the cast of the
input last. onnxruntime sorts such a file when it loads it.
"""

import heapq
from collections.abc import Sequence

from agent.detector.model_file.graph_nodes import Node


def in_order(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes, producers first, else in the order of the file.

    Nodes of a cycle, and those that read from it, come last.
    """
    producer = {name: at for at, node in enumerate(nodes) for name in node.outputs if name}
    readers: list[list[int]] = [[] for _ in nodes]
    missing = [0] * len(nodes)
    for at, node in enumerate(nodes):
        for before in {producer[name] for name in node.inputs if name in producer}:
            readers[before].append(at)
            missing[at] += 1
    ready = [at for at, count in enumerate(missing) if count == 0]  # sorted, so a heap
    order = []
    while ready:
        at = heapq.heappop(ready)
        order.append(at)
        for reader in readers[at]:
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    left = [at for at, count in enumerate(missing) if count > 0]
    return [nodes[at] for at in order + left]
