"""The embedded engine's pictures and captions, held against the wrapper's plan and sd-scripts' rules."""

from pathlib import Path

import pytest
from helpers_embedded import Facts, find_facts

from kohya_wrap.dataset.buckets import assign_buckets, bucket_of
from kohya_wrap.dataset.types import BucketRules

pytestmark = pytest.mark.engine

TAGS = ["trigger", "b", "c", "d", "e"]


@pytest.fixture
def facts(engine_python: Path) -> Facts:
    return find_facts(engine_python)


def test_every_size_falls_into_the_bucket_of_the_plan(facts: Facts) -> None:
    """175 sizes under six rules: the engine and the wrapper, two codes, choose the same bucket."""
    differing = []
    for (resolution, low, high), size, bucket in facts["buckets"]:
        rules = BucketRules((resolution, resolution), 2, min_bucket_reso=low, max_bucket_reso=high)
        if bucket_of((size[0], size[1]), rules) != tuple(bucket):
            differing.append((resolution, size, bucket))
    assert differing == []
    assert len(facts["buckets"]) == 6 * 175


def test_two_folders_are_counted_as_the_plan_counts(facts: Facts) -> None:
    """Three pictures three times and one twice: 11 pictures, and the wrapper's buckets and batches."""
    counted = facts["counts"]
    sizes = [((64, 64), 3), ((60, 64), 3), ((32, 64), 3), ((128, 64), 2)]
    buckets = assign_buckets(sizes, BucketRules((64, 64), 2, min_bucket_reso=64))
    assert counted["images"] == 11
    assert counted["buckets"] == {f"{bucket.width}x{bucket.height}": bucket.count for bucket in buckets}
    assert counted["batches"] == len(counted["dealt"]) == sum(-(-bucket.count // 2) for bucket in buckets)


def test_an_epoch_shows_each_picture_as_often_as_its_folder_says(facts: Facts) -> None:
    """num_repeats of each subset: 3 for the first, 2 for the second."""
    assert facts["counts"]["shown"] == {"a0": 3, "a1": 3, "a2": 3, "b0": 2}


def test_the_last_batch_is_what_is_left(facts: Facts) -> None:
    """Batches of two, and one of one, of the bucket's size in pixels."""
    assert sorted(facts["counts"]["dealt"]) == [[1, 3, 64, 64]] + [[2, 3, 64, 64]] * 5


def test_flip_aug_encodes_the_mirror_image(facts: Facts) -> None:
    """Two views a picture, one the other's mirror image, dealt out by turns of a coin."""
    flipped = facts["flip"]["with"]
    assert (flipped["views"], flipped["mirrored"], flipped["dealt"]) == (2, True, 20)
    assert 3 <= flipped["plain"] <= 17


def test_without_flip_aug_there_is_one_view(facts: Facts) -> None:
    """The picture as it is, every time; it is not its own mirror image."""
    assert facts["flip"]["without"] == {"views": 1, "mirrored": False, "plain": 20, "dealt": 20}


def test_pixels_are_between_minus_one_and_one(facts: Facts) -> None:
    """Channels first; the drawn colours 20 and 230 come out as 20 and 230 of 127.5, less one."""
    shape, low, high = facts["flip"]["pixels"]
    assert shape == [3, 64, 64]
    assert (low, high) == (pytest.approx(20 / 127.5 - 1, abs=1e-6), pytest.approx(230 / 127.5 - 1, abs=1e-6))


@pytest.mark.parametrize("keep", [0, 2])
def test_shuffling_keeps_the_first_tags(facts: Facts, keep: int) -> None:
    """Over ten epochs all tags are there each time, the kept ones first, the others in changing order."""
    seen = [caption.split(", ") for caption in facts["shuffle"][f"shuffled, {keep} kept"]]
    assert all(sorted(tags) == sorted(TAGS) and tags[:keep] == TAGS[:keep] for tags in seen)
    assert len({tuple(tags) for tags in seen}) > 3
    assert len({tags[keep] for tags in seen}) > 1


def test_without_shuffling_a_caption_is_used_word_for_word(facts: Facts) -> None:
    """Not even its spaces change."""
    assert set(facts["shuffle"]["as it is, 2 kept"]) == {"trigger, b,c ,d, e"}


def test_the_order_follows_from_seed_and_epoch(facts: Facts) -> None:
    """The same for the same, another for another."""
    order = facts["order"]
    assert order["first"] == order["again"]
    assert order["other_epoch"] != order["first"] != order["other_seed"]
    assert sorted(order["first"]) == sorted(order["other_epoch"]) == [str(index) for index in range(10)]


@pytest.mark.parametrize(
    ("kind", "caption"),
    [
        ("bom", "a, b"),
        ("japanese", "虎, 猫"),
        ("lines", "first, line"),
        ("blank_first", ""),
        ("blank", ""),
        ("missing", "a class"),
    ],
)
def test_captions_are_read_as_sd_scripts_reads_them(facts: Facts, kind: str, caption: str) -> None:
    """The first line, in UTF-8 with or without a mark; class_tokens where there is no file."""
    assert facts["captions"][kind] == caption


def test_a_caption_without_bytes_stops_the_training(facts: Facts) -> None:
    """As in sd-scripts, with the file's name."""
    assert facts["captions"]["no bytes"].startswith("caption file is empty: ")
    assert facts["captions"]["no bytes"].endswith("blank.txt")


def test_bucket_rules_that_sd_scripts_refuses_are_refused(facts: Facts) -> None:
    """In its words, which the wrapper knows."""
    assert facts["bad_rules"] == {
        "low": "min_bucket_reso must be equal or less than resolution",
        "high": "max_bucket_reso must be equal or greater than resolution",
        "odd": "bucket_reso_steps is 8. it must be divisible by 64.",
    }


def test_limits_are_widened_to_whole_steps(facts: Facts) -> None:
    """300 to 1000 is taken as 256 to 1024, as sd-scripts does."""
    given, whole = facts["widened_limits"]
    assert given == whole
    assert [256, 1024] in whole


def test_tags_are_counted_by_folder(facts: Facts) -> None:
    """Each caption once, whatever its repeats."""
    assert facts["counts"]["tags"] == {"a": {"a0": 1, "a1": 1, "a2": 1}, "b": {"b0": 1}}


@pytest.mark.parametrize(("length", "tokens"), [("None", 77), ("75", 77), ("150", 152), ("225", 227)])
def test_longer_captions_are_encoded_in_windows(facts: Facts, length: str, tokens: int) -> None:
    """max_token_length plus the start and the end sign, for two captions of the toy's width 32."""
    assert facts["windows"]["shapes"][length] == [2, tokens, 32]


@pytest.mark.parametrize(
    "claim",
    ["last", "skip_1", "skip_2", "skip_2_differs", "cut_at_75", "read_on_at_150", "alone_or_together"],
)
def test_windows_hold_the_right_states(facts: Facts, claim: str) -> None:
    """The last layer, or one before it with the final norm; what does not fit is cut, what fits is read."""
    assert facts["windows"][claim] is True
