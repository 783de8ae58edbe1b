"""Images and captions: looked at before a run, and never touched without being asked."""

from kohya_wrap.dataset.materialise import FileHash, dataset_hashes, materialise
from kohya_wrap.dataset.prepare import prepare
from kohya_wrap.dataset.types import PreparedDataset

__all__ = ["FileHash", "PreparedDataset", "dataset_hashes", "materialise", "prepare"]
