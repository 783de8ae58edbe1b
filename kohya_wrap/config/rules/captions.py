"""Rules of [processing], and of what [training], [extras] and [dataset] say about captions."""

from collections.abc import Iterator

from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.rules.rule import Rule, Stated, unused, warning
from kohya_wrap.errors import Problem

EXTENSION = "processing.caption_extension"
_NOT_CAPTIONS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".npz"}


def _caption_extension(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    ending = config.processing.caption_extension
    if not ending:
        return
    if not ending.startswith(".") or len(ending) == 1:
        yield Problem(EXTENSION, f"{ending!r} does not start with a point", f'write ".{ending.strip(". ") or "txt"}"')
    elif any(character in ending for character in "/\\ ") or not ending.isprintable():
        yield Problem(EXTENSION, f"{ending!r} is no ending of a file name", 'write ".txt"')
    elif ending.lower() in _NOT_CAPTIONS:
        yield Problem(EXTENSION, f"{ending!r} is the ending of the pictures, not of their captions", 'write ".txt"')


def _no_captions(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    if config.processing.caption_extension:
        return
    why = "without captions (caption_extension is empty)"
    for where in ("processing.shuffle_tags", "processing.activation_tags", "training.weighted_captions"):
        yield from unused(stated, where, why)
    if config.dataset.activation_tag:
        what = f"{config.dataset.activation_tag!r} is never learnt: without captions the project's name is the caption"
        yield warning("dataset.activation_tag", what, 'set processing.caption_extension = ".txt"')


def _shuffle(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    processing, tag = config.processing, config.dataset.activation_tag
    if not processing.caption_extension:
        return
    if not processing.shuffle_tags:
        yield from unused(stated, "processing.activation_tags", "while shuffle_tags is false: every tag stays in place")
        return
    count = len([part for part in tag.split(",") if part.strip()])
    if count > processing.activation_tags:
        kept = processing.activation_tags or "no"
        what = f"{kept} tags keep their place, but {tag!r} are {count}; the rest is shuffled away from the start"
        yield warning("processing.activation_tags", what, f"set it to {count}")


def _weights(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    training = config.training
    if not (training.adjust_tags and training.weighted_captions):
        why = "unless adjust_tags and weighted_captions are both true"
        yield from unused(stated, "training.activation_tag_weight", why)
    if training.max_token_length not in (75, 150, 225):
        what = f"{training.max_token_length} is no length that the engine knows"
        yield Problem("training.max_token_length", what, "choose 75, 150 or 225")


_FROM_DATASET_FILE = (
    *("processing.resolution", "processing.flip_aug", "processing.caption_extension", "processing.shuffle_tags"),
    *("processing.activation_tags", "steps.num_repeats"),
)


def _dataset_files(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    extras = config.extras
    if extras.override_dataset_config_file:
        if extras.custom_dataset:
            what = "is not used: override_dataset_config_file wins"
            yield warning("extras.custom_dataset", what, "remove one of the two")
        for where in _FROM_DATASET_FILE:
            yield from unused(stated, where, "with extras.override_dataset_config_file, which says it itself")
    elif extras.custom_dataset:
        yield from unused(stated, "steps.num_repeats", "with extras.custom_dataset, whose subsets say it themselves")
    if not extras.zip:
        yield from unused(stated, "extras.extract_to", "without extras.zip")


RULES: tuple[Rule, ...] = (_caption_extension, _no_captions, _shuffle, _weights, _dataset_files)
