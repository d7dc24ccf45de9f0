"""A thousand devices that reconnect at once: `python -m tests.bench.stampede [--devices N]`.

Simulates the real backoff in virtual time, with jitter and without.
"""

import argparse

from agent.upload.backoff import FIRST_BOUND, OPENING_BOUND
from tests.upload.fleet import Scenario, full_jitter, no_jitter, simulate


def main() -> None:
    """Print one line for each scenario, with jitter and without."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--backlog", type=int, default=20)
    parser.add_argument("--capacity", type=float, default=200.0)
    options = parser.parse_args()
    shared = vars(options)
    scenarios = [
        Scenario("power returns, 503", **shared),
        Scenario("power returns, 503, Retry-After: 30", retry_after=30.0, **shared),
        Scenario("window opens, 503", **shared),
        Scenario("network returns, 503", outage=3600.0, **shared),
        Scenario(
            "network returns, 503, Retry-After: 30", outage=3600.0, retry_after=30.0, **shared
        ),
    ]
    first = scenarios[0]
    print(
        f"{first.devices} devices with {first.workers} connections and {first.backlog} captures "
        f"each; capacity {first.capacity:g}/s, so at best {first.ideal:.0f} s"
    )
    print(f"{'':38} {'jitter':7} {'peak/s':>7} {'turned away':>12} {'drained s':>10}")
    for scenario in scenarios:
        for name, jitter, bound in (
            ("off", no_jitter, 0.0),
            ("ours", full_jitter(1), OPENING_BOUND if "window" in scenario.name else FIRST_BOUND),
        ):
            figures = simulate(scenario, jitter, first_bound=bound, give_up=3600.0)
            print(
                f"{scenario.name:38} {name:7} {figures.peak:7} {figures.turned_away:12} "
                f"{figures.drained:10.0f}"
                + ("" if figures.left == 0 else f" ({figures.left} left)")
            )


if __name__ == "__main__":
    main()
