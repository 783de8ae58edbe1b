"""dedupe: exact copies, near copies and mirror images; one of each is kept, nothing is deleted."""

from kohya_wrap.dataset.verbs.dedupe.alike import Embed, embeddings_of
from kohya_wrap.dataset.verbs.dedupe.by_tagger import tagger_embed
from kohya_wrap.dataset.verbs.dedupe.groups import Group, Spare
from kohya_wrap.dataset.verbs.dedupe.verb import Deduped, DedupeOptions, dedupe, find_groups

__all__ = [
    "DedupeOptions",
    "Deduped",
    "Embed",
    "Group",
    "Spare",
    "dedupe",
    "embeddings_of",
    "find_groups",
    "tagger_embed",
]
