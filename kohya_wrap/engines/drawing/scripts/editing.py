"""Prompts that change while a picture is drawn, as A1111 reads them: [from:to:when], [to:when], [from::when], [a|b].

Plain Python, no torch.
"""

import re

_NUMBER = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*")
MOST = 100
"""Brackets beyond which a prompt is taken for something else: nobody edits so often, and each is looked at again."""
_CLOSING = {"(": ")", "[": "]"}


def at_step(prompt: str, step: int, steps: int) -> str:
    """Give the prompt as it reads in that step of `steps`, counted from 1. Brackets that weigh stay as they are.

    `when` with a point is a share of the steps, without one a number of them; "from" is drawn up to it, and with it.
    """
    return _read(prompt, step, steps) if 0 < prompt.count("[") <= MOST else prompt


def _read(text: str, step: int, steps: int) -> str:
    said, place = [], 0
    while place < len(text):
        end = _end_of(text, place)
        if end is None:
            # An escaped sign stays escaped: what reads attention takes it from here.
            width = 2 if text[place] == "\\" else 1
            said.append(text[place : place + width])
            place += width
        else:
            inside = text[place + 1 : end]
            chosen = _chosen(inside, step, steps) if text[place] == "[" else None
            said.append(f"{text[place]}{_read(inside, step, steps)}{text[end]}" if chosen is None else chosen)
            place = end + 1
    return "".join(said)


def _end_of(text: str, start: int) -> int | None:
    """Give where the bracket that opens at `start` closes, None where none opens there or it stays open."""
    if text[start] not in _CLOSING:
        return None
    waiting, place = [], start
    while place < len(text):
        sign = text[place]
        if sign in _CLOSING:
            waiting.append(_CLOSING[sign])
        elif waiting and sign == waiting[-1]:
            waiting.pop()
            if not waiting:
                return place
        place += 2 if sign == "\\" else 1
    return None


def _chosen(inside: str, step: int, steps: int) -> str | None:
    """Give what brackets with this inside stand for in that step, None where they only weigh."""
    ways = _split(inside, "|")
    if len(ways) > 1:
        return _read(ways[(step - 1) % len(ways)], step, steps)
    *texts, when = _split(inside, ":")
    if len(texts) not in {1, 2} or not _NUMBER.fullmatch(when):
        return None
    last = float(when) * steps if "." in when else float(when)
    before, after = texts if len(texts) == 2 else ("", texts[0])
    return _read(before if step <= int(last) else after, step, steps)


def _split(text: str, sign: str) -> list[str]:
    """Split at a sign, but not inside of brackets."""
    parts, begin, place = [], 0, 0
    while place < len(text):
        end = _end_of(text, place)
        if end is not None:
            place = end
        elif text[place] == "\\":
            place += 1
        elif text[place] == sign:
            parts.append(text[begin:place])
            begin = place + 1
        place += 1
    return [*parts, text[begin:]]
