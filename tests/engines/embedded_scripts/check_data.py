"""Pictures and captions: buckets, mirror images, the order of an epoch, the text encoder's windows."""

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from data import Dataset, bucket_sizes, cache_latents, epoch_batches, nearest, pixels
from material import World, draw
from model import encode_captions, load_base
from settings import DatasetSettings, SubsetSettings

RULES = ((64, 64, 1024), (512, 256, 1024), (768, 320, 1280), (576, 256, 1024), (128, 64, 256), (1024, 512, 2048))


def _subset(folder: Path, **options: Any) -> SubsetSettings:
    plain = {"num_repeats": 1, "shuffle_caption": False, "keep_tokens": 0, "flip_aug": False, "class_tokens": None}
    return SubsetSettings(folder, **{**plain, "caption_extension": ".txt", **options})


def _settings(*subsets: SubsetSettings, resolution: int = 64, low: int = 64, high: int = 1024) -> DatasetSettings:
    return DatasetSettings((resolution, resolution), 2, True, low, high, 64, subsets)  # noqa: FBT003 - enable_bucket


def check_buckets(_: World) -> Any:
    """The bucket of many picture sizes under many rules: [resolution, low, high], size, bucket."""
    order = random.Random(7)  # noqa: S311 - repeatable on purpose
    sizes = [(order.randint(16, 4000), order.randint(16, 4000)) for _ in range(150)]
    sizes += list(itertools.product((64, 448, 512, 576, 1024), repeat=2))
    found = []
    for resolution, low, high in RULES:
        there = bucket_sizes(_settings(resolution=resolution, low=low, high=high))
        found += [[[resolution, low, high], size, nearest(size, there)] for size in sizes]
    return found


def check_counts(world: World) -> Any:
    """Two folders with their own repeats: what the dataset counts, and how often an epoch shows each picture."""
    for folder, sizes in (("a", [(64, 64), (60, 64), (32, 64)]), ("b", [(128, 64)])):
        for index, size in enumerate(sizes):
            draw(world.work / "counts" / folder, f"{index}", f"{folder}{index}", size)
    folders = [(world.work / "counts" / "a", 3), (world.work / "counts" / "b", 2)]
    dataset = Dataset(_settings(*(_subset(folder, num_repeats=repeats) for folder, repeats in folders)))
    cache_latents(dataset.items, lambda image: image)
    batches = list(epoch_batches([dataset], seed=1, epoch=1))
    return {
        "images": dataset.num_train_images,
        "buckets": {f"{w}x{h}": len(items) for (w, h), items in dataset.buckets().items()},
        "batches": dataset.batches_per_epoch(),
        "dealt": [list(batch.latents.shape) for batch in batches],
        "shown": dict(Counter(caption for batch in batches for caption in batch.captions)),
        "tags": dataset.tag_frequency(),
    }


def check_flip(world: World) -> Any:
    """What is encoded for a picture with and without flip_aug, and which of the two an epoch deals out."""
    draw(world.work / "flip", "one", "x")
    found = {}
    for name, flip in (("with", True), ("without", False)):
        dataset = Dataset(_settings(_subset(world.work / "flip", flip_aug=flip, num_repeats=20)))
        cache_latents(dataset.items, lambda image: image)
        latents = dataset.items[0].latents
        dealt = torch.cat([batch.latents for batch in epoch_batches([dataset], seed=1, epoch=1)])
        found[name] = {
            "views": len(latents),
            "mirrored": torch.equal(latents[-1], latents[0].flip(-1)),
            "plain": int(sum(torch.equal(each, latents[0]) for each in dealt)),
            "dealt": len(dealt),
        }
    picture = pixels(dataset.items[0])
    return {**found, "pixels": [list(picture.shape), float(picture.min()), float(picture.max())]}


def check_shuffle(world: World) -> Any:
    """The captions of ten epochs, shuffled or not, by how many tags are kept."""
    draw(world.work / "shuffle", "one", "trigger, b,c ,d, e")
    found = {}
    for shuffle, keep in ((True, 0), (True, 2), (False, 2)):
        dataset = Dataset(_settings(_subset(world.work / "shuffle", shuffle_caption=shuffle, keep_tokens=keep)))
        cache_latents(dataset.items, lambda image: image)
        seen = [batch.captions[0] for epoch in range(10) for batch in epoch_batches([dataset], seed=1, epoch=epoch)]
        found[f"{'shuffled' if shuffle else 'as it is'}, {keep} kept"] = seen
    return found


def check_order(world: World) -> Any:
    """The order of ten pictures by seed and epoch."""
    for index in range(10):
        draw(world.work / "order", f"{index}", f"{index}")
    dataset = Dataset(_settings(_subset(world.work / "order")))
    cache_latents(dataset.items, lambda image: image)

    def order(seed: int, epoch: int) -> list[str]:
        return [caption for batch in epoch_batches([dataset], seed=seed, epoch=epoch) for caption in batch.captions]

    return {"first": order(1, 1), "again": order(1, 1), "other_epoch": order(1, 2), "other_seed": order(2, 1)}


def check_captions(world: World) -> Any:
    """What is read from caption files of many kinds."""
    folder = world.work / "captions"
    contents = {
        "bom": b"\xef\xbb\xbfa, b",
        "japanese": "虎, 猫".encode(),
        "lines": b"first, line\r\nsecond line\n",
        "blank_first": b"\nsecond",
        "blank": b"\n",
        "missing": None,
    }
    for name, content in contents.items():
        draw(folder, name, None)
        if content is not None:
            (folder / f"{name}.txt").write_bytes(content)
    dataset = Dataset(_settings(_subset(folder, class_tokens="a class")))
    found = {item.path.stem: item.caption for item in dataset.items}
    (folder / "blank.txt").write_bytes(b"")
    try:
        Dataset(_settings(_subset(folder)))
    except AssertionError as error:
        found["no bytes"] = str(error)
    return found


def check_widened_limits(_: World) -> Any:
    """The bucket sizes with limits that are no whole steps, and with those that they are widened to."""
    return [bucket_sizes(_settings(resolution=512, low=low, high=high)) for low, high in ((300, 1000), (256, 1024))]


def check_bad_rules(_: World) -> Any:
    """What is said of bucket rules that sd-scripts refuses."""
    found = {}
    odd = DatasetSettings((64, 64), 1, True, 64, 64, 8, ())  # noqa: FBT003 - enable_bucket
    for name, settings in (("low", _settings(low=128)), ("high", _settings(resolution=512, high=256)), ("odd", odd)):
        try:
            Dataset(settings)
        except AssertionError as error:
            found[name] = str(error)
    return found


@torch.no_grad()
def check_windows(world: World) -> Any:
    """Shapes and contents of encoded captions by max_token_length and clip_skip. The toy tokenizer: a byte a token."""
    base = load_base(world.base)
    long, short = "x" * 200, "a cat"

    def encode(*captions: str, length: int | None = None, skip: int | None = None) -> torch.Tensor:
        return encode_captions(base, list(captions), max_token_length=length, clip_skip=skip)

    ids = base.tokenizer(short, padding="max_length", max_length=77, return_tensors="pt").input_ids
    output = base.text_encoder(ids, output_hidden_states=True)
    norm = base.text_encoder.text_model.final_layer_norm
    return {
        "shapes": {str(length): list(encode(long, short, length=length).shape) for length in (None, 75, 150, 225)},
        "last": torch.allclose(encode(short), output.last_hidden_state, atol=1e-5),
        "skip_1": torch.equal(encode(short, skip=1), encode(short)),
        "skip_2": torch.allclose(encode(short, skip=2), norm(output.hidden_states[-2]), atol=1e-5),
        "skip_2_differs": not torch.equal(encode(short, skip=2), encode(short)),
        "cut_at_75": torch.equal(encode("x" * 75 + "y"), encode("x" * 75 + "z")),
        "read_on_at_150": not torch.equal(encode("x" * 75 + "y", length=150), encode("x" * 75 + "z", length=150)),
        "alone_or_together": torch.allclose(
            encode(long, short, length=225)[1], encode(short, length=225)[0], atol=1e-5
        ),
    }
