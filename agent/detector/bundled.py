"""The model that comes with the agent: NanoDet-g at 416 pixels, the 80 classes of COCO."""

from pathlib import Path

from agent.errors import ConfigurationError

FILE_NAME = "nanodet-g-416.onnx"

_NAMES = """
    person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light,
    fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant,
    bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard,
    sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle,
    wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot,
    hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
    mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock,
    vase, scissors, teddy bear, hair drier, toothbrush
"""
COCO_80 = tuple(" ".join(name.split()) for name in _NAMES.split(","))
"""The labels by class id, as the COCO data set names them."""


def bundled_model() -> Path:
    """Return the path of the model, in an installed package or in a checkout.

    Raises:
        ConfigurationError: It is in neither place.
    """
    here = Path(__file__).resolve()
    places = (here.with_name("models") / FILE_NAME, here.parents[2] / "models" / FILE_NAME)
    for place in places:
        if place.is_file():
            return place
    raise ConfigurationError(
        f"cannot find the bundled model {FILE_NAME} in {places[0].parent} or {places[1].parent}: "
        "install the agent again, or set AGENT_MODEL to a model of your own"
    )
