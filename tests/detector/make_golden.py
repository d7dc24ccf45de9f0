"""Make `golden_nanodet.npz`: sampled outputs and detections of a conversion of the model.

The golden file was made with a conversion of the same weights that is independent of
`models/make_nanodet.py`. A test compares the bundled model with it:

    python -m tests.detector.make_golden CONVERSION.onnx
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from agent.detector.detector import load_detector
from agent.detector.model_file.bundled import FILE_NAME
from tests.detector.planted_models import pattern, street

GOLDEN = Path(__file__).with_name("golden_nanodet.npz")
EVERY = 61  # every 61st output value is stored; coprime to the widths 80 and 44
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


def sampled_outputs(model: Path) -> dict[str, NDArray[np.float32]]:
    """Return a sample of each output for a computed image, by the output's name."""
    image = (pattern(416, 416).astype(np.float32) - MEAN) / STD
    tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    outputs = session.run(names, {session.get_inputs()[0].name: tensor})
    return {
        name: np.asarray(output, np.float32).ravel()[::EVERY]
        for name, output in zip(names, outputs, strict=True)
    }


def detections_in_street(model: Path) -> dict[str, NDArray[np.float32]]:
    """Return `[n, 6]` per frame: class id, confidence (at least 0.3), box."""
    detector = load_detector(model, floor=0.3)
    return {
        f"frame {index}": np.array(
            [
                [seen.class_id, seen.confidence, *box_of(seen.box)]
                for seen in detector.detect(pixels).detections
            ],
            np.float32,
        )
        for index, pixels in street().items()
    }


def box_of(box: object) -> list[float]:
    """Return x_min, y_min, x_max, y_max of a box."""
    return [getattr(box, side) for side in ("x_min", "y_min", "x_max", "y_max")]


if __name__ == "__main__":
    model = Path(sys.argv[1])
    if model.name != FILE_NAME:
        sys.exit(f"rename it to {FILE_NAME}, so that its labels are known")
    arrays: dict[str, Any] = {**sampled_outputs(model), **detections_in_street(model)}
    np.savez_compressed(GOLDEN, **arrays)
