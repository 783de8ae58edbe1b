"""Bytes to lines: ends, bars, characters cut in two, lines without an end."""

from kohya_wrap.launch.lines import LONGEST_LINE, LineSplitter, Piece


def shown(pieces: list[Piece]) -> list[tuple[str, bool]]:
    return [(piece.text, piece.transient) for piece in pieces if piece.text is not None]


def test_newlines_end_lines() -> None:
    """Every newline gives one lasting line, an empty one too."""
    assert shown(LineSplitter().feed(b"one\n\ntwo\n")) == [("one", False), ("", False), ("two", False)]


def test_a_carriage_return_ends_a_line_that_will_be_overwritten() -> None:
    """A bar's updates are told apart from lines that stay."""
    assert shown(LineSplitter().feed(b"\rsteps 1\rsteps 2\nend\n")) == [
        ("steps 1", True),
        ("steps 2", False),
        ("end", False),
    ]


def test_a_line_in_pieces_is_one_line() -> None:
    """Where the kernel cuts the stream does not matter."""
    splitter = LineSplitter()
    assert shown(splitter.feed(b"saving check")) == []
    assert shown(splitter.feed(b"point: x\nne")) == [("saving checkpoint: x", False)]


def test_a_carriage_return_and_newline_cut_apart_are_one_end() -> None:
    """The two bytes of a Windows line end may come in two reads."""
    splitter = LineSplitter()
    assert shown(splitter.feed(b"one\r")) == []
    assert shown(splitter.feed(b"\ntwo\n")) == [("one", False), ("two", False)]


def test_a_character_cut_in_two_survives() -> None:
    """A Japanese message is whole, wherever its bytes were cut."""
    text = "学習開始".encode()
    splitter = LineSplitter()
    splitter.feed(text[:4])
    assert shown(splitter.idle()) == [("学", True)]
    assert shown(splitter.feed(text[4:] + b"\n")) == [("学習開始", False)]


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    """A stray byte costs one character, not the line."""
    assert shown(LineSplitter().feed(b"caf\xe9 open\n")) == [("caf\ufffd open", False)]


def test_an_idle_bar_is_shown_once() -> None:
    """A bar has no end until its next update; it is shown when nothing more comes, and not again when it ends."""
    splitter = LineSplitter()
    splitter.feed(b"\rsteps: 1/3")
    assert shown(splitter.idle()) == [("steps: 1/3", True)]
    assert shown(splitter.idle()) == []
    assert shown(splitter.feed(b"\rsteps: 2/3\r")) == []
    assert shown(splitter.idle()) == [("steps: 2/3", True)]


def test_what_follows_an_idle_bar_on_its_line_is_not_lost() -> None:
    """A message printed behind an open bar comes with the bar in front, as on the terminal."""
    splitter = LineSplitter()
    splitter.feed(b"\rsteps: 0/3")
    splitter.idle()
    assert shown(splitter.feed(b" INFO model saved.\n")) == [("steps: 0/3 INFO model saved.", False)]


def test_a_last_bar_becomes_lasting_at_the_end() -> None:
    """When the stream ends, nothing will overwrite the last line any more."""
    splitter = LineSplitter()
    splitter.feed(b"\rsteps: 3/3")
    splitter.idle()
    assert shown(splitter.close()) == [("steps: 3/3", False)]
    assert splitter.close() == []


def test_a_line_without_an_end_is_handed_on_in_parts() -> None:
    """A megabyte without a newline is neither kept nor lost."""
    splitter = LineSplitter()
    pieces = [piece for _ in range(16) for piece in splitter.feed(b"x" * (1 << 16))] + splitter.close()
    assert max(len(piece.raw) for piece in pieces) <= LONGEST_LINE
    assert sum(len(piece.text or "") for piece in pieces) == 1 << 20


def test_a_long_line_that_ends_is_cut_as_well() -> None:
    """The bound holds whether an end comes or not."""
    pieces = LineSplitter().feed(b"y" * (3 * LONGEST_LINE) + b"\n")
    assert max(len(piece.raw) for piece in pieces) <= LONGEST_LINE
    assert "".join(piece.text or "" for piece in pieces) == "y" * (3 * LONGEST_LINE)


def test_the_raw_pieces_are_the_stream() -> None:
    """The log loses nothing, whatever the reader is shown."""
    stream = b"\r\rbar 1\rbar 1\r\nline\n\n\xff\xfe\r\r\n" * 50 + b"end"
    splitter = LineSplitter()
    raw = b""
    for at in range(0, len(stream), 7):
        raw += b"".join(piece.raw for piece in splitter.feed(stream[at : at + 7]) + splitter.idle())
    assert raw + b"".join(piece.raw for piece in splitter.close()) == stream
