import re
from dataclasses import replace

import numpy as np
import pytest

from agent.detector.formats import FORMAT_NAMES, formats
from agent.detector.formats.contract import (
    AnyFormat,
    ChannelOrder,
    ModelSignature,
    Preprocessing,
    Tensor,
)
from agent.detector.image_input import Axes, ImageInput
from agent.detector.letterbox import Letterbox, Padding, Size
from agent.detector.model_file.input_spec import InputSpec
from agent.detector.preprocessing import InputBuffer
from tests import ROOT

PLAIN = Preprocessing(
    ChannelOrder.BGR,
    (10.0, 20.0, 30.0),
    (1.0, 2.0, 4.0),
    Padding.BOTTOM_RIGHT,
    0,
    32,
    Size(640, 640),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PLAIN),
        ("bgr", PLAIN),
        (
            "rgb",
            replace(
                PLAIN, channel_order=ChannelOrder.RGB, mean=(30.0, 20.0, 10.0), std=(4.0, 2.0, 1.0)
            ),
        ),
        ("scale=255", replace(PLAIN, mean=(0.0, 0.0, 0.0), std=(255.0,) * 3)),
        (
            "scale=2 mean=1,2,3 std=0.5",
            replace(PLAIN, mean=(2.0, 4.0, 6.0), std=(1.0, 1.0, 1.0)),
        ),
        ("mean=127.5 std=127.5", replace(PLAIN, mean=(127.5,) * 3, std=(127.5,) * 3)),
        ("fit=letterbox pad=114", replace(PLAIN, padding=Padding.CENTRED, pad_value=114)),
        ("fit=stretch", replace(PLAIN, padding=Padding.STRETCH)),
        ("fit=crop keep=0.875", replace(PLAIN, padding=Padding.STRETCH, crop=0.875)),
        ("fit=crop", replace(PLAIN, padding=Padding.STRETCH, crop=1.0)),
        ("size=320x192", replace(PLAIN, size=Size(320, 192))),
    ],
)
def test_each_word_changes_only_its_own_value(text: str, expected: Preprocessing) -> None:
    assert InputSpec.parse(text).apply_to(PLAIN) == expected


@pytest.mark.parametrize("known", formats().values(), ids=FORMAT_NAMES)
@pytest.mark.parametrize("text", ["", "bgr", "scale=3 mean=0.1,1e-05,7", "fit=crop keep=0.3"])
def test_a_description_gives_the_same_preprocessing_again(text: str, known: AnyFormat) -> None:
    image = Tensor("images", (1, 3, None, None), "float32")
    own = known.preprocessing(ModelSignature(image, (), Size(640, 640)))
    wanted = InputSpec.parse(text).apply_to(own)
    described = str(InputSpec.from_preprocessing(wanted))

    assert InputSpec.parse(described).apply_to(replace(PLAIN, stride=own.stride)) == wanted


def test_each_example_of_the_manual_is_valid() -> None:
    manual = (ROOT / "docs" / "models.md").read_text("utf-8")
    table = manual.partition("| Word |")[2].partition("\n\n")[0]
    examples = re.findall(r'`"([^"]+)"`', table)

    assert len(examples) >= 12
    for example in examples:
        InputSpec.parse(example)


@pytest.mark.parametrize(
    "text",
    [
        "grey",
        "rgb=1",
        "rgb bgr",
        "scale=0",
        "scale=1,2,3",
        "scale=1e999x",
        "mean=1,2",
        "mean=nan",
        "std=0",
        "std=1,-1,1",
        "fit=round",
        "pad=256",
        "pad=-1",
        "keep=0.5",
        "fit=crop keep=2",
        "size=0x5",
        "size=640",
        "size=99999x1",
        "scale=255 scale=255",
    ],
)
def test_an_invalid_word_is_refused_with_the_allowed_ones(text: str) -> None:
    with pytest.raises(ValueError, match=r"words such as rgb|needs fit=crop"):
        InputSpec.parse(text)


@pytest.mark.parametrize("colours", list(ChannelOrder))
@pytest.mark.parametrize("kind", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("axes", list(Axes))
def test_every_layout_and_type_of_input_has_the_same_values(
    axes: Axes, kind: str, colours: ChannelOrder
) -> None:
    """An integer input has the pixels, the others normalized values; the axes differ."""
    wanted = replace(PLAIN, channel_order=colours, pad_value=7, padding=Padding.CENTRED)
    pixels = np.random.default_rng(3).integers(0, 256, (40, 64, 3), np.uint8)
    box = Letterbox.fit(Size(64, 40), Size(64, 64), padding=wanted.padding)

    tensor = InputBuffer(wanted, ImageInput(axes, kind, 64, 64)).fill(pixels, box)

    canvas = np.full((64, 64, 3), 7, np.uint8)
    canvas[12:52] = pixels
    ordered = canvas if colours is ChannelOrder.BGR else canvas[:, :, ::-1]
    prepared = ((ordered - np.array(wanted.mean)) / wanted.std).astype(np.float32)
    expected = ordered if kind == "uint8" else prepared.astype(kind)
    if axes is Axes.NHWC:
        np.testing.assert_allclose(tensor, expected[None], rtol=1e-3)
    else:
        planes = expected.transpose(2, 0, 1)
        np.testing.assert_allclose(tensor, planes if axes is Axes.CHW else planes[None], rtol=1e-3)


@pytest.mark.parametrize("word", ["mean=1e999", "std=1e-300", "scale=1e300", "std=1e40", "keep=0"])
def test_numbers_out_of_bounds_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=f"'{word}' is not understood"):
        InputSpec.parse(f"fit=crop {word}")
