"""Where a long prompt is cut."""

from kohya_wrap.engines.drawing.scripts.chunks import Chunk, chunks_of

COMMA = 99
WORD = 7


def cut(*pieces: list[int] | None, **embeddings: tuple[list[int], int]) -> list[Chunk]:
    return chunks_of([None if piece is None else (piece, 1.0) for piece in pieces], COMMA, embeddings)


def test_an_empty_prompt_is_one_chunk() -> None:
    """The text encoder reads something all the same."""
    assert [chunk.tokens for chunk in cut()] == [[]]


def test_75_tokens_are_one_chunk_and_76_are_two() -> None:
    """The window holds 75 between its signs."""
    assert [chunk.width for chunk in cut([WORD] * 75)] == [75]
    assert [chunk.width for chunk in cut([WORD] * 76)] == [75, 1]


def test_break_begins_another_chunk() -> None:
    """Also after three tokens; at the end of a prompt it begins none."""
    assert [chunk.width for chunk in cut([WORD] * 3, None, [WORD] * 2)] == [3, 2]
    assert [chunk.width for chunk in cut([WORD] * 3, None)] == [3]


def test_a_full_chunk_ends_at_a_comma_near_its_end() -> None:
    """What follows the comma goes over together: 19 tokens still do, 20 do not."""
    near = [*[WORD] * 55, COMMA, *[WORD] * 19, WORD]
    far = [*[WORD] * 54, COMMA, *[WORD] * 20, WORD]
    assert [chunk.width for chunk in cut(near)] == [56, 20]
    assert [chunk.width for chunk in cut(far)] == [75, 1]


def test_a_comma_that_does_not_fit_moves_nothing() -> None:
    """Where the first token too many is a comma itself, the chunk is cut there."""
    assert [chunk.width for chunk in cut([*[WORD] * 60, COMMA, *[WORD] * 14, COMMA])] == [75, 1]


def test_weights_go_with_their_tokens() -> None:
    """Over the cut too."""
    chunks = chunks_of([([WORD] * 74, 1.0), ([5, 6], 1.3)], COMMA, {})
    assert chunks[0].weights == [1.0] * 74 + [1.3]
    assert chunks[1].tokens == [6]
    assert chunks[1].weights == [1.3]


def test_an_embedding_takes_its_places_and_is_never_cut() -> None:
    """Its name's two tokens become three places; where only two are left it goes over."""
    [chunk] = cut([WORD, 1, 2, WORD], emb=([1, 2], 3))
    assert chunk.embeddings == [(1, "emb")]
    assert chunk.tokens == [WORD, 0, 0, 0, WORD]
    first, second = cut([*[WORD] * 73, 1, 2], emb=([1, 2], 3))
    assert (first.width, second.embeddings) == (73, [(0, "emb")])


def test_the_longer_of_two_names_is_meant() -> None:
    """ "easy neg" is not "easy" and something."""
    [chunk] = cut([1, 2], short=([1], 1), longer=([1, 2], 1))
    assert chunk.embeddings == [(0, "longer")]
