"""What the caption of a new picture says: the old one's tags, without those that a crop no longer shows."""

from collections.abc import Sequence

from kohya_wrap.dataset.tag_text import join_tags, plain_tag, split_tags


def followed(text: str, *, drops: Sequence[str] = (), adds: Sequence[str] = ()) -> str:
    """Give a caption without `drops` and with `adds` at the end; spaces and underscores are the same to both."""
    dropped, tags = {_key(tag) for tag in drops}, split_tags(text)
    kept = [tag for tag in tags if _key(tag) not in dropped]
    known = {_key(tag) for tag in kept}
    new = [tag for tag in adds if _key(tag) not in known]
    return join_tags([*kept, *new]) if new or len(kept) < len(tags) else text


def _key(tag: str) -> str:
    return plain_tag(tag).replace("_", " ").strip().casefold()
