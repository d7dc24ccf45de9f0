"""The engine on Ray: one machine or a cluster, one process a core.

    command         engine.py   starts the driver, shows its progress, raises its errors
    driver process  driver.py   connects to Ray, checks the nodes, hands out batches
    worker process  worker.py   one actor a core: reads, analyses and writes its own parts

Images and rows never pass through the driver: a worker gets keys and returns counts. The driver is
a process of its own because Ray writes to its process's output, and ends it when a cluster is lost.
"""

from agent.pool.engines.ray.engine import RayEngine

__all__ = ["RayEngine"]
