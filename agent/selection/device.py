"""The selection of a device: its cameras share one budget and one pool."""

import contextlib
from collections.abc import Callable, Sequence

from agent.domain import Capture, Observation
from agent.selection.image_quality import DEGRADED_SHARE
from agent.selection.plan import SelectionPlan
from agent.selection.random_lane import RandomLane
from agent.selection.rules import make_rules
from agent.selection.selector import BURST_S, CameraPolicy, FrameEvaluation, Selector
from agent.selection.top_k import PER_CREDIT, TopK

_POOL, _DEGRADED_POOL = "pool", "degraded_pool"


class Selection:
    """The selectors of all cameras. Not thread-safe."""

    def __init__(
        self,
        cameras: Sequence[str],
        plan: SelectionPlan,
        *,
        new_id: Callable[[float], str],
        explain: Callable[[FrameEvaluation], None] | None = None,
    ) -> None:
        """`new_id` makes a capture's id from its wall time; `explain` gets every evaluation."""
        size = PER_CREDIT * plan.per_day
        self._pools: dict[str, TopK] = {}
        if plan.per_day:
            degraded = max(1, round(size * DEGRADED_SHARE))
            self._pools = {_POOL: TopK(size), _DEGRADED_POOL: TopK(degraded)}
        budget_burst = plan.period_s / (PER_CREDIT * plan.per_day) if plan.per_day else 0.0
        policy = CameraPolicy(
            every_nth=plan.every_nth,
            cooldown_s=0.0 if plan.per_day else plan.cooldown_s,
            burst_s=min(BURST_S, budget_burst),
            pool=self._pools.get(_POOL),
            degraded_pool=self._pools.get(_DEGRADED_POOL),
            weights=plan.weights,
        )
        interval = plan.interval_for(len(cameras))
        self.selectors = {
            camera: Selector(
                RandomLane(interval, plan.seed),
                make_rules(plan.rules, plan.thresholds, plan.rule_options),
                new_id=new_id,
                policy=policy,
                explain=explain,
            )
            for camera in cameras
        }

    def observe(self, observation: Observation, now: float) -> list[Capture]:
        """Take a camera's next frame; return the captures that are now certain.

        `now` is a clock that all cameras share, in seconds.
        """
        return self.selectors[observation.frame.camera].observe(observation, now)

    def finish(self, now: float) -> list[Capture]:
        """Evaluate the frames that still wait for neighbours; no frame comes after them."""
        return [capture for selector in self.selectors.values() for capture in selector.finish(now)]

    def request(self, camera: str | None = None) -> None:
        """Capture the next frame of a camera, or of each camera."""
        for name, selector in self.selectors.items():
            if camera in {None, name}:
                selector.request()

    def memory(self, now: float) -> dict[str, str]:
        """Return what must survive a restart, by name."""
        kept = {
            f"{camera}/{name}": text
            for camera, selector in self.selectors.items()
            for name, text in selector.memory().items()
        }
        kept |= {name: pool.text(now) for name, pool in self._pools.items()}
        return kept

    def remember(self, recall: Callable[[str], str | None], now: float) -> None:
        """Restore what `memory` returned; an unreadable part starts empty.

        `recall` returns a part by its name, None if there is none.
        """
        for camera, selector in self.selectors.items():
            texts = {name: recall(f"{camera}/{name}") for name in selector.memory()}
            selector.remember({name: text for name, text in texts.items() if text is not None})
        for name, pool in self._pools.items():
            text = recall(name)
            with contextlib.suppress(ValueError, TypeError):
                pool.restore(text or "[]", now)
