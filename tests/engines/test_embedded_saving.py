"""The embedded engine's LoRA files: what stands in them for those who read them, and that they come whole."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers_embedded import Facts, find_facts

pytestmark = pytest.mark.engine


@pytest.fixture
def facts(engine_python: Path) -> Facts:
    return find_facts(engine_python)


@pytest.fixture
def metadata(facts: Facts) -> dict[str, str]:
    """Of a training on two folders of one name: two pictures twice, and one once without a caption."""
    found: dict[str, str] = facts["metadata"]["metadata"]
    return found


def loaded(metadata: dict[str, str], key: str) -> Any:
    return json.loads(metadata[key])


GIVEN = {
    "ss_output_name": "t",
    "ss_network_module": "networks.lora",
    "ss_network_dim": "2",
    "ss_network_alpha": "1",
    "ss_unet_lr": "0.001",
    "ss_text_encoder_lr": "0.0005",
    "ss_learning_rate": "0.001",
    "ss_lr_scheduler": "constant",
    "ss_optimizer": "torch.optim.adamw.AdamW(weight_decay=0.1)",
    "ss_seed": "42",
    "ss_clip_skip": "2",
    "ss_max_token_length": "150",
    "ss_min_snr_gamma": "5.0",
    "ss_mixed_precision": "no",
    "ss_gradient_checkpointing": "True",
    "ss_cache_latents": "True",
    "ss_base_model_version": "sd_v1",
    "ss_sd_scripts_commit_hash": "embedded",
    "modelspec.title": "t",
    "modelspec.architecture": "stable-diffusion-v1/lora",
}
COUNTED = {
    "ss_steps": "5",
    "ss_epoch": "1",
    "ss_num_epochs": "1",
    "ss_max_train_steps": "5",
    "ss_num_batches_per_epoch": "5",
    "ss_num_train_images": "5",
    "ss_num_reg_images": "0",
}


@pytest.mark.parametrize("key", list(GIVEN))
def test_what_was_given_stands_in_the_metadata(metadata: dict[str, str], key: str) -> None:
    """Each option under sd-scripts' key, as its text."""
    assert metadata[key] == GIVEN[key]


@pytest.mark.parametrize("key", list(COUNTED))
def test_what_was_counted_stands_in_the_metadata(metadata: dict[str, str], key: str) -> None:
    """2 x 2 + 1 pictures in batches of one, one epoch."""
    assert metadata[key] == COUNTED[key]


def test_every_value_is_text(metadata: dict[str, str]) -> None:
    """The format takes nothing else."""
    assert all(isinstance(value, str) for value in metadata.values())
    assert len(metadata) > 70


def test_tags_are_counted_in_lower_case(metadata: dict[str, str]) -> None:
    """Over both folders of the name, each caption once, the class standing in for the one that is missing."""
    expected = {"pictures": {"a shape": 2, "red": 1, "small": 1, "blue": 1, "thing": 1}}
    assert loaded(metadata, "ss_tag_frequency") == expected


def test_a_second_folder_of_one_name_is_numbered(metadata: dict[str, str]) -> None:
    """As sd-scripts does it, so that neither is lost."""
    assert loaded(metadata, "ss_dataset_dirs") == {
        "pictures": {"n_repeats": 2, "img_count": 2},
        "pictures (2)": {"n_repeats": 1, "img_count": 1},
    }


def test_the_datasets_tell_their_buckets_and_subsets(metadata: dict[str, str]) -> None:
    """Resolution, buckets with their counts, and each subset's own options."""
    (dataset,) = loaded(metadata, "ss_datasets")
    assert dataset["resolution"] == [64, 64]
    assert sum(bucket["count"] for bucket in dataset["bucket_info"]["buckets"].values()) == 5
    first, second = dataset["subsets"]
    assert (first["num_repeats"], first["flip_aug"], first["keep_tokens"]) == (2, True, 1)
    assert (second["num_repeats"], second["flip_aug"], second["class_tokens"]) == (1, False, "Thing")


def test_the_model_hash_is_of_the_tensor_bytes(facts: Facts, metadata: dict[str, str]) -> None:
    """sshs_model_hash: SHA256 of what follows the header, so that two runs can be compared."""
    assert metadata["sshs_model_hash"] == facts["metadata"]["tensors_sha256"]
    assert len(metadata["sshs_legacy_hash"]) == 8


def test_the_times_are_the_training_s(facts: Facts, metadata: dict[str, str]) -> None:
    """Seconds since 1970, begun before ended, within the time that the training took."""
    before, after = facts["metadata"]["times"]
    started, finished = float(metadata["ss_training_started_at"]), float(metadata["ss_training_finished_at"])
    assert before <= started < finished <= after


def test_the_base_is_named(facts: Facts, metadata: dict[str, str]) -> None:
    """By its folder; a folder has no hash, and sd-scripts says so in these words."""
    assert metadata["ss_sd_model_name"] == facts["metadata"]["base"]
    assert metadata["ss_sd_model_hash"] == metadata["ss_new_sd_model_hash"] == "IsADirectory"


def test_a_file_is_named_once_it_is_there(facts: Facts) -> None:
    """The line about a checkpoint comes before the end mark, which is the last line."""
    said = [line for line in facts["metadata"]["said"] if line]
    assert said[-1] == "model saved."
    assert said[-2].startswith("saving checkpoint: ")
    assert said[-2].endswith("t.safetensors")


def test_half_a_file_is_never_seen(facts: Facts) -> None:
    """While it is written the final name is not there; after a full disk nothing is left."""
    half = facts["half_a_file"]
    assert half["raised"] == "[Errno 28] No space left on device"
    assert (half["during"], half["after"], half["good"]) == ([], [], ["t.safetensors"])


STATE_FILES = ("train_state.json", "model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl")


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_state_is_on_the_disk_before_it_has_its_name(facts: Facts, epoch: int) -> None:
    """Power may be lost between any two writes: every file and the folder are synced, then it is renamed."""
    done = [tuple(each) for each in facts["power_loss"]["done"]]
    named = done.index(("rename", f"output/t-{epoch:06d}-state"))
    part = f"output/.t-{epoch:06d}-state.part"
    assert {("sync", f"{part}/{name}") for name in STATE_FILES} <= set(done[:named])
    assert done.index(("sync", part)) > max(done.index(("sync", f"{part}/{name}")) for name in STATE_FILES)
    assert done.index(("sync", part)) < named


def test_the_old_state_goes_when_the_new_one_s_name_is_on_the_disk(facts: Facts) -> None:
    """With one state kept there is always one that a loss of power leaves whole."""
    done = [tuple(each) for each in facts["power_loss"]["done"]]
    named = done.index(("rename", "output/t-000002-state"))
    synced = done.index(("sync", "output"), named)
    assert synced < done.index(("remove", "output/t-000001-state"), named)


def test_a_lora_is_on_the_disk_before_it_has_its_name(facts: Facts) -> None:
    """Its bytes are synced under the temporary name."""
    done = [tuple(each) for each in facts["power_loss"]["done"]]
    for name in ("t-000001.safetensors", "t-000002.safetensors", "t.safetensors"):
        assert done.index(("sync", f"output/.{name}.part")) < done.index(("rename", f"output/{name}"))
