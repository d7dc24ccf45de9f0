"""The bundled model: NanoDet-g, 416 pixels on the longer side, the 80 classes of COCO."""

from pathlib import Path

from agent.errors import ConfigurationError

FILE_NAME = "nanodet-g-416.onnx"


def bundled_model() -> Path:
    """Return the path of the model, in an installed package or in a checkout.

    Raises:
        ConfigurationError: It is in neither folder.
    """
    here = Path(__file__).resolve()
    places = (here.parents[1] / "models" / FILE_NAME, here.parents[3] / "models" / FILE_NAME)
    for place in places:
        if place.is_file():
            return place
    raise ConfigurationError(
        f"cannot find the bundled model {FILE_NAME} in {places[0].parent} or {places[1].parent}: "
        "install the agent again, or set AGENT_MODEL to a model of your own"
    )
