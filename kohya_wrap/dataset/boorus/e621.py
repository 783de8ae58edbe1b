"""e621: posts.json. It takes forty tags, and wants to know who asks."""

from collections.abc import Mapping

from kohya_wrap.dataset.boorus.booru import Ask, Keys, Page, Post, as_list, as_number, as_text


class E621:
    """Two requests a second are its limit; one is what it asks for."""

    name = "e621"
    address = "https://e621.net"
    page_size = 320
    pause = 1.0
    user_variable = "E621_LOGIN"
    key_variable = "E621_API_KEY"
    url_variable = "KOHYA_WRAP_E621_URL"
    needs_key = False

    def ask(self, tags: str, page: int, keys: Keys) -> Ask:
        """Pages are counted from 1. The shape of 2026 is asked for by `v2`, so without it the older one comes."""
        return Ask("/posts.json", {"tags": tags, "limit": str(self.page_size), "page": str(page + 1)}, keys)

    def read(self, answer: object) -> Page:
        """An object with `posts`."""
        if not isinstance(answer, Mapping):
            raise TypeError("no object")
        return Page(tuple(map(_post, as_list(answer["posts"]))))


def _post(entry: Mapping[str, object]) -> Post:
    file, sample = _inner(entry, "file"), _inner(entry, "sample")
    sources = entry.get("sources")
    return Post(
        id=as_number(entry["id"]),
        rating=as_text(entry.get("rating")),
        md5=as_text(file.get("md5")),
        score=as_number(_inner(entry, "score").get("total")),
        width=as_number(file.get("width")),
        height=as_number(file.get("height")),
        file_url=as_text(file.get("url")) if not _inner(entry, "flags").get("deleted") else "",
        sample_url=as_text(sample.get("url")),
        parent_id=as_number(_inner(entry, "relationships").get("parent_id")),
        source=as_text(sources[0]) if isinstance(sources, list) and sources else "",
        tags={
            as_text(kind): [as_text(tag) for tag in tags]
            for kind, tags in _inner(entry, "tags").items()
            if isinstance(tags, list)
        },
    )


def _inner(entry: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = entry.get(name)
    return value if isinstance(value, Mapping) else {}
