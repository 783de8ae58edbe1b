"""Picture boards by name: to add one, its module, a line here, and its test."""

from kohya_wrap.dataset.boorus.booru import CAPTION_CATEGORIES, Booru, Keys, Page, Post
from kohya_wrap.dataset.boorus.danbooru import Danbooru
from kohya_wrap.dataset.boorus.e621 import E621
from kohya_wrap.dataset.boorus.gelbooru import Gelbooru

__all__ = ["BOORUS", "CAPTION_CATEGORIES", "Booru", "Keys", "Page", "Post"]

BOORUS: dict[str, Booru] = {booru.name: booru for booru in (Gelbooru(), Danbooru(), E621())}
