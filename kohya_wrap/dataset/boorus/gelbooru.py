"""Gelbooru: index.php?page=dapi. A key has been mandatory since June 2025."""

import html
from collections.abc import Mapping

from kohya_wrap.dataset.boorus.booru import Ask, Keys, Page, Post, as_list, as_number, as_text


class Gelbooru:
    """Its rate limit is not published: one request a second is thought to be safe."""

    name = "gelbooru"
    address = "https://gelbooru.com"
    page_size = 100
    pause = 1.0
    user_variable = "GELBOORU_USER_ID"
    key_variable = "GELBOORU_API_KEY"
    url_variable = "KOHYA_WRAP_GELBOORU_URL"
    needs_key = True

    def ask(self, tags: str, page: int, keys: Keys) -> Ask:
        """The key goes into the query: there is no other way."""
        fixed = {"page": "dapi", "s": "post", "q": "index", "json": "1", "limit": str(self.page_size)}
        return Ask("/index.php", {**fixed, "pid": str(page), "tags": tags, "api_key": keys.key, "user_id": keys.user})

    def read(self, answer: object) -> Page:
        """There is no `post` when nothing was found, and it may be a single one."""
        if not isinstance(answer, Mapping):
            raise TypeError("no object")
        attributes = answer["@attributes"]
        return Page(tuple(map(_post, as_list(answer.get("post")))), as_number(attributes["count"]))


def _post(entry: Mapping[str, object]) -> Post:
    return Post(
        id=as_number(entry["id"]),
        rating=as_text(entry.get("rating")),
        md5=as_text(entry.get("md5")),
        score=as_number(entry.get("score")),
        width=as_number(entry.get("width")),
        height=as_number(entry.get("height")),
        file_url=as_text(entry.get("file_url")) if entry.get("status") != "deleted" else "",
        sample_url=as_text(entry.get("sample_url")),
        parent_id=as_number(entry.get("parent_id")),
        source=html.unescape(as_text(entry.get("source"))),
        tags={"general": html.unescape(as_text(entry.get("tags"))).split()},
    )
