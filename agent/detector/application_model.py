"""Stands for the model of an application that sends its own predictions: nothing is loaded."""

import hashlib

from agent.domain import ModelInfo, Pixels, Prediction, Task

PROVIDER = "application"


class ApplicationModel:
    """A `LoadedModel` that is never run: each frame comes with its predictions."""

    decided = "predictions of the application"
    object_features = "no object features: the application's model is not here"
    batch_waste = None

    def __init__(self, task: Task) -> None:
        digest = hashlib.sha256(f"{PROVIDER} {task}".encode()).hexdigest()
        self.info = ModelInfo(PROVIDER, digest, task, PROVIDER, ())

    @property
    def description(self) -> object:
        """See `LoadedModel`."""
        return self.info

    def detect(self, pixels: Pixels) -> Prediction:
        """Return a prediction that failed: a frame without predictions is refused before."""
        del pixels
        return Prediction(self.info, invalid=True, failure="it came without predictions")
