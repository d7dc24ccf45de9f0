"""The classes of COCO, in the two ways in which models number them.

Source: the data set's own annotation files, whose category ids run from 1 to 90 with ten gaps.
"""

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
"""The labels by class number where the numbers have no gaps: 0 to 79."""

_GAPS = frozenset({0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
COCO_IDS = tuple(number for number in range(91) if number not in _GAPS)
"""The data set's own number of each of the 80: 1 for person, 90 for toothbrush."""
