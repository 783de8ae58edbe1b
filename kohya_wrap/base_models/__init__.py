"""A link in, a verified file out: where a base model is, and how it gets onto this machine."""

from kohya_wrap.base_models.locate import locate, locate_vae, public_source
from kohya_wrap.base_models.located import Located, PlannedDownload
from kohya_wrap.base_models.obtain import obtain
from kohya_wrap.base_models.origin import pinned_link
from kohya_wrap.base_models.store import Store
from kohya_wrap.base_models.types import BaseModelFile

__all__ = [
    "BaseModelFile",
    "Located",
    "PlannedDownload",
    "Store",
    "locate",
    "locate_vae",
    "obtain",
    "pinned_link",
    "public_source",
]
