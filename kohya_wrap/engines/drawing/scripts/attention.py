"""Attention in a prompt as A1111 writes it: (word), (word:1.2), [word], escapes, BREAK. Plain Python, no torch."""

import re

Piece = tuple[str, float]
BREAK: Piece = ("BREAK", -1.0)
"""Where a new chunk of 75 tokens begins."""

_UP, _DOWN = 1.1, 1 / 1.1
_PART = re.compile(r"\\[()\[\]\\]|[()\[\]]|:\s*[+-]?\d*\.?\d+\s*\)|[^\\()\[\]:]+|.", re.DOTALL)
_BREAK = re.compile(r"\s*\bBREAK\b\s*")


def parse_attention(prompt: str) -> list[Piece]:
    """Split a prompt into texts with their weights. A bracket left open weighs to the end. Source: A1111."""
    pieces: list[Piece] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}
    for part in _PART.findall(prompt):
        if part in opened:
            opened[part].append(len(pieces))
        elif part[0] == ":" and len(part) > 1 and opened["("]:
            _weigh(pieces, opened["("].pop(), float(part[1:-1]))
        elif part == ")" and opened["("]:
            _weigh(pieces, opened["("].pop(), _UP)
        elif part == "]" and opened["["]:
            _weigh(pieces, opened["["].pop(), _DOWN)
        else:
            pieces.extend(_texts(part[1:] if part[0] == "\\" and len(part) > 1 else part))
    for start in opened["("]:
        _weigh(pieces, start, _UP)
    for start in opened["["]:
        _weigh(pieces, start, _DOWN)
    return _joined(pieces)


def _weigh(pieces: list[Piece], start: int, factor: float) -> None:
    for place in range(start, len(pieces)):
        text, weight = pieces[place]
        if pieces[place] != BREAK:
            pieces[place] = (text, weight * factor)


def _texts(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    for number, part in enumerate(_BREAK.split(text)):
        pieces += [BREAK] if number else []
        pieces += [(part, 1.0)] if part else []
    return pieces


def _joined(pieces: list[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if joined and BREAK not in (piece, joined[-1]) and joined[-1][1] == piece[1]:
            joined[-1] = (joined[-1][0] + piece[0], piece[1])
        else:
            joined.append(piece)
    return joined
