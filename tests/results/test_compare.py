"""What differs between two runs."""

from run_records import make_record

from kohya_wrap.record.model import BaseModelEntry, EngineEntry, FileEntry, LoraEntry, LossEntry, PresetEntry
from kohya_wrap.results.compare import compare, flat


def lora(epoch: int, tensors: str) -> LoraEntry:
    return LoraEntry(path=f"x-{epoch:02d}", epoch=epoch, steps=10, size=1, sha256="0" * 64, tensors_sha256=tensors * 64)


def test_a_run_and_its_repeat_do_not_differ() -> None:
    """Id, folder and times are no differences."""
    assert compare(make_record("a"), make_record("b", started="2026-02-02T00:00:00.000+00:00", seconds=3.0)) == ()


def test_a_setting_is_named_by_its_key() -> None:
    """table.key with both values."""
    changed = PresetEntry(name="x", path="x", resolved={"learning": {"unet_lr": 1e-4}, "structure": {"network_dim": 8}})
    found = compare(make_record(), make_record(preset=changed))
    assert [(each.part, each.name, each.first, each.second) for each in found] == [
        ("settings", "learning.unet_lr", "0.0005", "0.0001"),
        ("settings", "structure.network_dim", "", "8"),
    ]


def test_pictures_differ_by_hash_and_by_being_there() -> None:
    """A changed picture and a new one are two differences."""
    files = (FileEntry(path="elsewhere/a.png", sha256="2" * 64), FileEntry(path="elsewhere/b.png", sha256="3" * 64))
    found = compare(make_record(), make_record(dataset=files))
    assert [(each.name, each.first, each.second) for each in found] == [
        ("a.png", "1" * 10, "2" * 10),
        ("b.png", "", "3" * 10),
    ]


def test_the_same_picture_elsewhere_is_no_difference() -> None:
    """Only name and hash count, not the folder."""
    assert compare(make_record(), make_record(dataset=(FileEntry(path="b/a.png", sha256="1" * 64, size=1),))) == ()


def test_base_model_versions_losses_and_tensors_are_compared() -> None:
    """Causes come before effects."""
    other = make_record(
        base_model=BaseModelEntry(path="c", format="safetensors", family="sd15", sha256="c" * 64),
        engine=EngineEntry(name="sd-scripts", commit="a" * 40, python="python", versions={"torch": "2.9.1"}),
        losses=LossEntry(mean=0.5, last=0.25),
        loras=(lora(1, "5"),),
    )
    found = compare(make_record(loras=(lora(1, "4"),)), other)
    assert [each.part for each in found] == ["base model", "engine", "result", "result", "LoRA tensors"]
    assert (found[-1].first, found[-1].second) == ("4" * 10, "5" * 10)


def test_a_base_model_folder_is_compared_file_by_file() -> None:
    """A diffusers folder has no hash of its own."""
    bases = [
        BaseModelEntry(
            path="c", format="diffusers", family="sd15", files=(FileEntry(path="unet/x", sha256=digit * 64),)
        )
        for digit in "78"
    ]
    (found,) = compare(*(make_record(base_model=base) for base in bases))
    assert found.name == "file unet/x"


def test_flat_leaves_out_what_is_empty() -> None:
    """0 and false are values; None, "" and empty lists are not."""
    assert flat({"a": {"b": 0, "c": None, "d": False, "e": "", "f": [1]}}) == {"a.b": "0", "a.d": "False", "a.f": "[1]"}
