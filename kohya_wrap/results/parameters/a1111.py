"""The text that A1111, its forks and Civitai write: prompt, negative prompt, one line of settings."""

import dataclasses
import re
from collections.abc import Mapping

from kohya_wrap.results.parameters.resources import named_resources
from kohya_wrap.results.parameters.settings import count_pairs, read_settings, write_settings
from kohya_wrap.results.parameters.types import Parameters

_NEGATIVE = "Negative prompt:"
_PAIRS_OF_A_SETTINGS_LINE = 3
_STEPS_LINE = re.compile(r"Steps: ?\d")
_JAMMED_STEPS = re.compile(r"(?<=[\s.,;])Steps: ?\d")
_PAIR_FIRST = re.compile(r"\w[\w \-/]{1,60}+: ?\S")
_JAMMED_NEGATIVE = re.compile(r"(?<=[\s.,;])Negative prompt:")
_LEADING = re.compile(r"\ufeff?\s*(?:parameters:?[ \t]*\n\s*|parameters:[ \t]*)++", re.IGNORECASE)
_TWO_SIZES = re.compile(r"(\d+)x(\d+)")
_DEFAULTS = {"Clip skip": "1", "RNG": "GPU", "Schedule type": "Automatic", "Emphasis": "Original"}


def parse_text(text: str, *, carrier: str = "text") -> Parameters:
    """Read generation parameters as A1111 writes them, or a bare prompt.

    Never raises, and takes time linear in the length of `text`. Source: A1111 parse_generation_parameters.
    """
    body = text[match.end() :] if (match := _LEADING.match(text)) else text.removeprefix("\ufeff")
    head, block = _split(body.strip())
    prompt, negative = _prompts(head)
    settings = read_settings(block)
    return Parameters(
        prompt=prompt,
        negative_prompt=negative,
        settings=settings,
        source=_program(settings),
        carrier=carrier,
        raw=text,
        resources=named_resources(prompt, negative, settings),
    )


def _split(body: str) -> tuple[list[str], str]:
    """Give (lines of both prompts, the settings block).

    The last line that starts with Steps begins the block, because dynamic prompts and Civitai put lines after it; else
    A1111's rule holds: the last line, if it has three pairs.
    """
    lines = [line.strip() for line in body.split("\n")]
    for index in range(len(lines) - 1, -1, -1):
        if _STEPS_LINE.match(lines[index]) and _has_settings(lines[index]):
            return lines[:index], "\n".join(lines[index:])
    if jammed := _split_jammed(lines):
        return jammed
    if _has_settings(lines[-1]):
        return lines[:-1], lines[-1]
    return lines, ""


def _has_settings(line: str) -> bool:
    return count_pairs(line, at_most=_PAIRS_OF_A_SETTINGS_LINE) == _PAIRS_OF_A_SETTINGS_LINE


def _split_jammed(lines: list[str]) -> tuple[list[str], str] | None:
    """Take apart a last line that lost its line breaks: "a cat. Negative prompt: dog Steps: 20, Seed: 1"."""
    last = lines[-1]
    starts = [match.start() for match in _JAMMED_STEPS.finditer(last)]
    if not starts or (_PAIR_FIRST.match(last) and not last.startswith(_NEGATIVE)):
        return None
    head, block = last[: starts[-1]].rstrip(" ,"), last[starts[-1] :]
    switched = any(line.startswith(_NEGATIVE) for line in [*lines[:-1], head])
    negative = None if switched else _JAMMED_NEGATIVE.search(head)
    if negative and (len(lines) == 1 or _has_settings(block)):
        return [*lines[:-1], head[: negative.start()].rstrip(), head[negative.start() :]], block
    return ([*lines[:-1], head], block) if _has_settings(block) else None


def _prompts(lines: list[str]) -> tuple[str, str]:
    for index, line in enumerate(lines):
        if line.startswith(_NEGATIVE):
            rest = [line.removeprefix(_NEGATIVE).strip(), *lines[index + 1 :]]
            return "\n".join(lines[:index]).strip(), "\n".join(rest).strip()
    return "\n".join(lines).strip(), ""


def _program(settings: Mapping[str, str]) -> str:
    version = settings.get("Version", "")
    if "Civitai resources" in settings or "Civitai metadata" in settings:
        return "civitai"
    if settings.get("App", "").startswith("SD.Next"):
        return "sdnext"
    return "forge" if re.match(r"f\d|neo|classic", version) else "a1111"


def to_text(parameters: Parameters) -> str:
    """Write parameters as A1111 does; those that came from such a text, unchanged, come back byte for byte."""
    if parameters.source not in {"comfyui", "novelai"} and parameters.raw and _same(parameters):
        return parameters.raw
    lines = [parameters.prompt] if parameters.prompt else []
    if parameters.negative_prompt:
        lines.append(f"{_NEGATIVE} {parameters.negative_prompt}")
    if parameters.settings:
        lines.append(write_settings(parameters.settings))
    return "\n".join(lines)


def _same(parameters: Parameters) -> bool:
    again = parse_text(parameters.raw, carrier=parameters.carrier)
    same_order = list(again.settings) == list(parameters.settings)
    return same_order and dataclasses.replace(again, resources=parameters.resources) == parameters


def webui_fields(parameters: Parameters) -> dict[str, str]:
    """Give the settings as the WebUI reads them: `Size` also as Size-1 and Size-2, defaults filled in."""
    fields: dict[str, str] = {}
    for key, value in parameters.settings.items():
        fields[key] = value
        if match := _TWO_SIZES.fullmatch(value):
            fields[f"{key}-1"], fields[f"{key}-2"] = match[1], match[2]
    return _DEFAULTS | {"Schedule type": parameters.schedule} | fields
