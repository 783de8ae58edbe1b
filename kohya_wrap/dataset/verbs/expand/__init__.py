"""Expand: mirror images, crops and small turns of a dataset's pictures, with captions that follow."""

from kohya_wrap.dataset.verbs.expand.boxes import Box, parse_box
from kohya_wrap.dataset.verbs.expand.options import ExpandOptions
from kohya_wrap.dataset.verbs.expand.propose import propose_face
from kohya_wrap.dataset.verbs.expand.run import Expanded, expand
from kohya_wrap.dataset.verbs.expand.subsets import balanced_repeats, subsets_toml

__all__ = [
    "Box",
    "ExpandOptions",
    "Expanded",
    "balanced_repeats",
    "expand",
    "parse_box",
    "propose_face",
    "subsets_toml",
]
