"""How many processes this machine can run at once."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """Return the cores that this process may use: by its affinity, and the limit of a container."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, int(_limit(cgroup) or cores)))


def _limit(cgroup: Path) -> float | None:
    """Return the cores that the control group grants, version 2 or 1; None without a limit."""
    try:
        quota, period = (cgroup / "cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text("ascii").strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text("ascii").strip()
        except (OSError, ValueError):
            return None
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return max(1.0, int(quota) / int(period))
