"""Draws the test pictures of a recorded run, puts them on one grid, and notes them in the record."""

from kohya_wrap.sampling.drawing import Samples, draw
from kohya_wrap.sampling.easel import Easel, set_up
from kohya_wrap.sampling.noting import MOST_UNASKED, after_training, note_in_record, samples_entry

__all__ = ["MOST_UNASKED", "Easel", "Samples", "after_training", "draw", "note_in_record", "samples_entry", "set_up"]
