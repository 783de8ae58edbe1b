"""Steps that change a dataset's files keep what they replace, and can be undone one by one."""

from kohya_wrap.dataset.history.journal import StepRecord, read_steps
from kohya_wrap.dataset.history.place import DatasetPlace, place_of
from kohya_wrap.dataset.history.step import Step, open_step
from kohya_wrap.dataset.history.undo import undo

__all__ = ["DatasetPlace", "Step", "StepRecord", "open_step", "place_of", "read_steps", "undo"]
