"""Everything that can be found wrong with a dataset, by name: which of it forbids a run, which may be accepted."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kohya_wrap.errors import Problem


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding: its severity unless accepted, whether it can be, and what to do about it."""

    severity: Literal["error", "warning"]
    acceptable: bool
    todo: str


def _error(todo: str) -> Kind:
    return Kind("error", acceptable=False, todo=todo)


def _silent(todo: str) -> Kind:
    """Make a kind in which the engine would say nothing and train something else: an error that may be accepted."""
    return Kind("error", acceptable=True, todo=todo)


def _note(todo: str) -> Kind:
    return Kind("warning", acceptable=True, todo=todo)


FINDINGS: dict[str, Kind] = {
    # folders
    "folder-missing": _error("create it and put pictures there, or name them with dataset.images"),
    "folder-unreadable": _error("give yourself permission to read it"),
    "folder-empty": _error("put .png, .jpg, .jpeg, .webp or .bmp pictures there, or name them with dataset.images"),
    "folder-twice": _error("name each folder once; raise num_repeats to use it more"),
    "sub-folder": _silent("the engine does not look into sub-folders: move the pictures up, or add a subset for it"),
    "other-file": _silent("only pictures, captions and .npz belong there: move it away"),
    "mixed-case-ending": _silent("the engine reads .png and .PNG but not .Png: rename it"),
    "unknown-ending": _silent("the engine does not read this format: convert it to .png"),
    "no-repeats": _error("set num_repeats to 1 or more"),
    "name-not-utf8": _error("rename it: a name must be valid UTF-8 to stand in the record of the run"),
    "metadata-cache": _silent("the engine would ignore new pictures and edited captions: delete it"),
    # pictures
    "zero-bytes": _error("the file is empty: copy it again"),
    "not-a-picture": _error("replace it, or move it away"),
    "truncated": _error("the file is cut short: copy it again, or open and save it in a picture editor"),
    "too-many-pixels": _error("shrink it: the engine refuses more than 178956970 pixels"),
    "unreadable": _error("give yourself permission to read it"),
    "same-stem": _silent("they share one caption and one latent cache: rename one of them"),
    "exif-rotation": _silent("the engine ignores the rotation and trains it lying: save it turned upright"),
    "grey-16-bit": _silent("the engine would turn it nearly white: save it with 8 bits"),
    "transparency": _silent("the engine drops transparency and shows the hidden colours: put it on a background"),
    "cmyk": _note("it is converted to RGB without a colour profile: save it as RGB to be sure of its colours"),
    "animated": _note("only the first frame is trained"),
    "upscaled": _note("it is smaller than the training resolution and will be blurred: use a larger one"),
    "too-small": _error("bucket_no_upscale leaves it no side of bucket_reso_steps: use a larger one, or crop it"),
    "too-large": _error("without buckets the engine only takes it with cached latents: set enable_bucket = true"),
    # latents that an earlier run left beside the pictures
    "stale-cache": _silent("the engine would train the old picture, or take its size from it: delete the .npz"),
    "shared-cache": _silent("the .npz beside a picture fits one resolution only: turn cache_latents_to_disk off"),
    "reused-cache": _note("they are trained as they are: delete them if the base model's VAE or a picture has changed"),
    "cache-name": _error("the engine stops at a name it cannot read a size from: delete the .npz"),
    # captions
    "no-captions": _note("every picture gets the project's name as its caption, as in the notebook"),
    "caption-missing": _silent(
        "the engine trains it with an empty caption: write one, or let `kohya-wrap dataset tag` or dataset.tagger do it"
    ),
    "caption-empty": _error("the engine stops at an empty caption file: write the caption, or delete the file"),
    "caption-blank": _silent("nothing but white space: write the caption"),
    "caption-not-utf8": _error("save it as UTF-8"),
    "caption-borrowed": _silent("the engine drops the last four parts of a name in search of a caption: write its own"),
    "caption-ending": _silent("they are not read: rename them, or set processing.caption_extension"),
    "caption-unreadable": _error("give yourself permission to read it"),
    "caption-lines": _note("only the first line is read"),
    "caption-long": _note("what is beyond training.max_token_length is cut off (estimated, without the tokenizer)"),
    "caption-orphan": _note("no picture has this name"),
    "activation-tag": _note("captions should start with dataset.activation_tag"),
    # where pictures come from
    "source-missing": _error("correct dataset.images"),
    "source-link": _error("give https://…/NAME.png, with #sha256=… behind it if you know it"),
    "target-differs": _error(
        "leave dataset.images empty to train what is in the dataset folder, or rename or remove one of the two"
    ),
    "not-named": _error("they would be trained too: move them away, or leave dataset.images empty to train the folder"),
    "custom-dataset": _error("correct the TOML; each subset needs image_dir and num_repeats"),
    "bucket-limits": _error(
        "the engine needs min_bucket_reso <= resolution <= max_bucket_reso, steps of 64 (SDXL: 32)"
    ),
    "reg-dropped": _note("regularization pictures beyond the number of training pictures are not used"),
    "not-yet": _error("do that step by hand, and clear this field"),
}
"""Source: sd-scripts.md section 2.2 of the facts (what the engine does with each), and the notebook's own checks."""

_SHOWN = 5


def finding(code: str, where: Path | str, what: str) -> Problem:
    """Make one finding of a kind of the table; an error that may be accepted says how."""
    kind = FINDINGS[code]
    meant = f'; if it is meant: dataset.accept = ["{code}"]' if kind.acceptable and kind.severity == "error" else ""
    return Problem(shown(str(where)), shown(what), f"{kind.todo}{meant}", kind.severity, code)


def shown(text: str) -> str:
    """Escape what cannot be shown on one line of a screen: line breaks, control signs, bytes that are not UTF-8."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def accept(findings: Iterable[Problem], codes: Sequence[str]) -> tuple[Problem, ...]:
    """Turn accepted errors into warnings; a code that does not exist, or cannot be accepted, is an error itself."""
    wrong = [_wrong_code(code) for code in codes if code not in FINDINGS or not FINDINGS[code].acceptable]
    lifted = [
        replace(each, severity="warning", todo=FINDINGS[each.code].todo)
        if each.code in codes and FINDINGS[each.code].acceptable
        else each
        for each in findings
    ]
    return (*wrong, *lifted)


def _wrong_code(code: str) -> Problem:
    acceptable = sorted(name for name, kind in FINDINGS.items() if kind.acceptable)
    if code in FINDINGS:
        return Problem("dataset.accept", f"{code!r} cannot be accepted", FINDINGS[code].todo)
    near = difflib.get_close_matches(code, acceptable, n=1)
    todo = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(acceptable)}"
    return Problem("dataset.accept", f"{code!r} is no finding", todo)


def names(paths: Sequence[Path]) -> str:
    """List file names for a message: the first few, and how many more."""
    shown = ", ".join(path.name for path in paths[:_SHOWN])
    return f"{shown} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else shown
