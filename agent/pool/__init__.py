"""Ranks large pools of images: which of them would show the most failures, once labelled.

    sources -> analysis -> rows -> choice -> dataset folder

Each image is analysed once, and what that found is kept as rows; the choice reads rows alone.
Sources, analysis and rows are the same on every engine, so that the choice is too.
"""
