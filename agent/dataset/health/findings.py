"""Collects which images are behind each figure of a report."""

from collections import defaultdict
from collections.abc import Iterable


class ImagesByKey:
    """Numbers of images by the key of a figure, each image once and in order."""

    def __init__(self) -> None:
        self._images: dict[str, dict[int, None]] = defaultdict(dict)

    def add(self, key: str, image: int) -> None:
        """Put an image behind a figure."""
        self._images[key][image] = None

    def add_all(self, key: str, images: Iterable[int]) -> None:
        """Put images behind a figure."""
        for image in images:
            self.add(key, image)

    def key(self, key: str) -> str:
        """Return `key` if there is an image behind it, else nothing."""
        return key if key in self._images else ""

    def of(self, key: str) -> list[int]:
        """Return the images behind a figure."""
        return list(self._images.get(key, ()))

    def all(self) -> dict[str, list[int]]:
        """Return the images behind each figure."""
        return {key: list(images) for key, images in self._images.items()}
