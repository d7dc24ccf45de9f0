"""Drawn candidates: few places, looks, hashes and cameras, so that they often show the same."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from agent.pool.candidates import Candidate
from agent.selection.similarity import CROP_SIDE
from agent.selection.view import Place, View

_LOOKS = [np.random.default_rng(seed).integers(0, 256, (CROP_SIDE, CROP_SIDE)) for seed in range(4)]
_FEATURES = [np.random.default_rng(seed).normal(size=32) for seed in range(3)]
_HASHES = [random.Random(seed).getrandbits(256) for seed in range(3)]
SCENE = _HASHES[0]
_CENTRES = ((0.3, 0.3), (0.34, 0.3), (0.6, 0.5))


class ListShard:
    """Candidates in memory, sorted by key; counts how many were fetched."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = sorted(candidates, key=lambda each: each.key)
        self.fetched = 0

    def __len__(self) -> int:
        return len(self._candidates)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._candidates)

    def fetch(self, numbers: Sequence[int]) -> list[Candidate]:
        """Return these candidates."""
        assert list(numbers) == sorted(set(numbers))
        self.fetched += len(numbers)
        return [self._candidates[number] for number in numbers]


def shards_of(candidates: Sequence[Candidate], count: int, seed: int = 0) -> list[ListShard]:
    """Divide candidates into shards by chance."""
    draw = random.Random(seed)
    parts: list[list[Candidate]] = [[] for _ in range(count)]
    for candidate in candidates:
        draw.choice(parts).append(candidate)
    return [ListShard(part) for part in parts]


def drawn_candidates(seed: int, count: int, cameras: str = "AB") -> list[Candidate]:
    """Draw candidates, with all that a comparison depends on."""
    draw = random.Random(seed)
    found: list[Candidate] = []
    for number in range(count):
        key = f"{draw.randrange(10**6):06}-{number}"
        former = draw.choice(found) if found and draw.random() < 0.15 else None
        if former is None:
            is_degraded = number % 3 == 0
            view = _view(draw, cameras)
            found.append(Candidate(key, f"id{number}", view, is_degraded=is_degraded))
            continue
        # The same image, or nearly: of another device, or the next frame.
        view = replace(former.view, camera=draw.choice(cameras))
        if draw.random() < 0.7 and view.bits is not None:
            view = replace(view, digest=f"other{number}", bits=_changed(view.bits, 3, draw))
        if draw.random() < 0.3:
            view = replace(view, places=(*view.places, _place(draw)))
        found.append(Candidate(key, draw.choice([former.id, f"id{number}"]), view))
    return found


def drawn_crop(look: int) -> bytes:
    """Return the crop of an object; each number is another one."""
    return _LOOKS[look].astype(np.uint8).tobytes()


def _view(draw: random.Random, cameras: str) -> View:
    bits = _changed(draw.choice(_HASHES), draw.choice([0, 4, 9, 20, 40]), draw)
    return View(
        draw.choice(cameras),
        draw.choice([-np.inf, draw.random() * 20]),
        draw.choice([bits, bits, bits, None, 0, 5, 2**256 - 1]),
        draw.choice(["", f"d{draw.randrange(300)}"]),
        tuple(_place(draw) for _ in range(draw.randrange(5))),
        draw.choice(["run", "other"]),
        draw.choice(["model", "model", "", "another"]),
    )


def _changed(bits: int, count: int, draw: random.Random) -> int:
    for _ in range(count):
        bits ^= 1 << draw.randrange(256)
    return bits


def _place(draw: random.Random) -> Place:
    p = draw.choice([0.3, 0.3, 0.7, draw.random()])
    label = draw.choice(["car", "person", ""])
    track = draw.choice([None, None, draw.randrange(12)])
    if draw.random() < 0.2:
        return Place(p, draw.choice(["low_margin", "count_change"]), label, track)
    x, y = (each + draw.gauss(0, 0.01) for each in draw.choice(_CENTRES))
    size = draw.choice([0.1, 0.2])
    return Place(p, "", label, track, (x, y, x + size, y + size), _crop(draw), _feature(draw))


def _crop(draw: random.Random) -> bytes | None:
    if draw.random() < 0.1:
        return None
    levels = draw.choice(_LOOKS) // draw.choice([1, 1, 60])  # the last shows nothing
    noise = np.random.default_rng(draw.randrange(10**6)).integers(-3, 4, levels.shape)
    crop: bytes = np.clip(levels + noise, 0, 255).astype(np.uint8).tobytes()
    return crop


def _feature(draw: random.Random) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]] | None:
    if draw.random() < 0.5:
        return None
    noise = np.random.default_rng(draw.randrange(10**6)).normal(size=32) * 0.2
    feature = draw.choice(_FEATURES) + noise
    return (feature / np.linalg.norm(feature)).astype(np.float16)
