"""A long prompt in chunks of 75 tokens, cut where A1111 cuts them. Plain Python, no torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

CHUNK = 75
"""Tokens between the start and the end sign of CLIP's window."""
COMMA_REACH = 20
"""A full chunk ends at its last comma where that is among so many last tokens. Source: A1111's default."""


@dataclass(frozen=True)
class Word:
    """What takes part in a prompt as one: a token, or an embedding by its name, which takes `width` places."""

    token: int
    weight: float
    width: int = 1
    embedding: str = ""


@dataclass
class Chunk:
    """Up to 75 places."""

    words: list[Word] = field(default_factory=list)

    @property
    def width(self) -> int:
        """How many places are taken."""
        return sum(word.width for word in self.words)

    @property
    def tokens(self) -> list[int]:
        """A token for each place; those of an embedding are 0."""
        return [word.token for word in self.words for _ in range(word.width)]

    @property
    def weights(self) -> list[float]:
        """A weight for each place."""
        return [word.weight for word in self.words for _ in range(word.width)]

    @property
    def embeddings(self) -> list[tuple[int, str]]:
        """Where each embedding begins, and its name."""
        places, at = [], 0
        for word in self.words:
            places += [(at, word.embedding)] if word.embedding else []
            at += word.width
        return places


def chunks_of(
    pieces: Iterable[tuple[Sequence[int], float] | None],
    comma: int,
    embeddings: Mapping[str, tuple[Sequence[int], int]],
) -> list[Chunk]:
    """Give the chunks of a prompt, one at least, from its tokens with their weights; None begins another chunk.

    `comma`: its token. `embeddings`: by name its tokens, and how many places it takes.
    """
    chunks = [Chunk()]
    for piece in pieces:
        if piece is None:
            chunks.append(Chunk())
            continue
        for word in _words(*piece, embeddings):
            if chunks[-1].width + word.width > CHUNK:
                chunks.append(_next(chunks[-1], word, comma))
            chunks[-1].words.append(word)
    return chunks[:-1] if len(chunks) > 1 and not chunks[-1].words else chunks


def _words(tokens: Sequence[int], weight: float, embeddings: Mapping[str, tuple[Sequence[int], int]]) -> Iterable[Word]:
    place = 0
    while place < len(tokens):
        found = [
            (len(name_ids), name)
            for name, (name_ids, _) in embeddings.items()
            if name_ids and list(tokens[place : place + len(name_ids)]) == list(name_ids)
        ]
        if found:
            # Of two that fit the longer name, as A1111 has it.
            length, name = max(found)
            yield Word(0, weight, embeddings[name][1], name)
            place += length
        else:
            yield Word(tokens[place], weight)
            place += 1


def _next(full: Chunk, word: Word, comma: int) -> Chunk:
    """Give the chunk after a full one: what its last comma parts from the rest goes over together."""
    commas = [place for place, each in enumerate(full.words) if each.token == comma and not each.embedding]
    if full.width < CHUNK or not commas or (word.token == comma and not word.embedding):
        return Chunk()
    rest = full.words[commas[-1] + 1 :]
    if sum(each.width for each in rest) >= COMMA_REACH:
        return Chunk()
    del full.words[commas[-1] + 1 :]
    return Chunk(rest)
