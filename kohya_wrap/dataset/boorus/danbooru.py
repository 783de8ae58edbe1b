"""Danbooru: posts.json. Without an account it takes two tags."""

from collections.abc import Mapping

from kohya_wrap.dataset.boorus.booru import Ask, Keys, Page, Post, as_list, as_number, as_text

_CATEGORIES = ("general", "character", "copyright", "artist", "meta")


class Danbooru:
    """Reading has no limit in its code; other clients wait a second."""

    name = "danbooru"
    address = "https://danbooru.donmai.us"
    page_size = 200
    pause = 1.0
    user_variable = "DANBOORU_LOGIN"
    key_variable = "DANBOORU_API_KEY"
    url_variable = "KOHYA_WRAP_DANBOORU_URL"
    needs_key = False

    def ask(self, tags: str, page: int, keys: Keys) -> Ask:
        """Pages are counted from 1."""
        return Ask("/posts.json", {"tags": tags, "limit": str(self.page_size), "page": str(page + 1)}, keys)

    def read(self, answer: object) -> Page:
        """A list; an object without an id says what is wrong."""
        return Page(tuple(map(_post, as_list(answer))))


def _post(entry: Mapping[str, object]) -> Post:
    return Post(
        id=as_number(entry["id"]),
        rating=as_text(entry.get("rating")),
        md5=as_text(entry.get("md5")),
        score=as_number(entry.get("score")),
        width=as_number(entry.get("image_width")),
        height=as_number(entry.get("image_height")),
        file_url=as_text(entry.get("file_url")) if not entry.get("is_deleted") else "",
        sample_url=as_text(entry.get("large_file_url")),
        parent_id=as_number(entry.get("parent_id")),
        source=as_text(entry.get("source")),
        tags={name: as_text(entry.get(f"tag_string_{name}")).split() for name in _CATEGORIES},
    )
