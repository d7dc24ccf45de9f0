"""Short names that tell places apart."""

from collections import Counter
from collections.abc import Collection


def distinct_names(places: Collection[str]) -> dict[str, str]:
    """Return for each path or address as few of its last parts as tell it from all others."""
    parts = {place: [part for part in place.split("/") if part] for place in places}
    names = {place: "/".join(found[-1:]) for place, found in parts.items()}
    for depth in range(2, max(map(len, parts.values()), default=0) + 1):
        counts = Counter(names.values())
        if len(counts) == len(names):
            break
        for place, found in parts.items():
            if counts[names[place]] > 1:
                names[place] = "/".join(found[-depth:])
    return names


def outermost(places: Collection[str]) -> list[str]:
    """Return the places, each with a slash at its end, that do not lie in another one; sorted."""
    found: list[str] = []
    for place in sorted(places):  # what lies in a place comes right after it
        if not found or not place.startswith(found[-1]):
            found.append(place)
    return found
