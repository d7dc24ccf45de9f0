"""Reads a page as a browser would, without running anything."""

from html.parser import HTMLParser

HTML_LABEL = "<script>alert('&')</script>\"x"
"""A label that would run as a script if it were not escaped."""


class Page(HTMLParser):
    """Collects what a browser would load and run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [v or "" for k, v in attrs if k in {"src", "href", "xlink:href", "data"}]
        assert not [k for k, _ in attrs if k.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data
