"""What the purchase of credits must know of a waiting capture, as text in the spool's index."""

from dataclasses import dataclass, replace

from agent.selection.view import View


@dataclass(frozen=True, slots=True)
class SendHint:
    """What a capture shows, and whether its image is degraded."""

    view: View
    is_degraded: bool = False  # dark, overexposed or blurred
    is_known: bool = True  # False if the text could not be read, or an older version wrote it

    @property
    def text(self) -> str:
        """Write it for the index."""
        return f"{self.view.camera}\n{int(self.is_degraded)}\n{self.view.text}"

    @classmethod
    def from_text(cls, text: str) -> "SendHint":
        """Read what `text` wrote; of a text that is not readable only the camera is known."""
        camera, _, rest = text.partition("\n")
        degraded, _, view = rest.partition("\n")
        try:
            return cls(View.from_text(camera, view), degraded == "1")
        except ValueError:
            return cls(View(camera), degraded == "1", is_known=False)

    def of_earlier_process(self) -> "SendHint":
        """Return the hint without its time, which cannot be compared over a reboot."""
        return replace(self, view=self.view.of_earlier_process())
