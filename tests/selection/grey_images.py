"""Synthetic grey thumbnails."""

import numpy as np

from agent.domain import Grey

SHAPE = (180, 320)


def scene(seed: int = 1) -> Grey:
    """Return a textured image: large areas of different brightness, with noise."""
    draw = np.random.default_rng(seed)
    areas = np.kron(draw.integers(40, 200, (12, 20)), np.ones((15, 16)))
    return np.clip(areas + draw.normal(0, 10, SHAPE), 0, 255).astype(np.uint8)


def noisy(image: Grey, seed: int, sigma: float = 2.0) -> Grey:
    """Return the image with sensor noise of `sigma` grey levels."""
    noise = np.random.default_rng(1000 + seed).normal(0, sigma, SHAPE)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def with_object(image: Grey, *, share: float = 0.05, x: int = 100, light: int = 250) -> Grey:
    """Return the image with a bright object that covers `share` of it."""
    height = int((share * SHAPE[0] * SHAPE[1] * 1.2) ** 0.5)
    width = int(share * SHAPE[0] * SHAPE[1] / height)
    changed = image.copy()
    changed[60 : 60 + height, x : x + width] = light
    return changed


def blurred(image: Grey, reach: int = 6) -> Grey:
    """Return the image as a camera out of focus shows it."""
    wide = image.astype(np.float64)
    for axis in (0, 1):
        wide = np.mean([np.roll(wide, k, axis) for k in range(-reach, reach + 1)], axis=0)
    return wide.astype(np.uint8)
