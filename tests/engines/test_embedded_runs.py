"""Whole trainings of the embedded engine: seeds, lengths, files, precision, clipping."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers_embedded import Facts, find_facts

pytestmark = pytest.mark.engine


@pytest.fixture
def facts(engine_python: Path) -> Facts:
    return find_facts(engine_python)


def test_the_same_seed_gives_the_same_tensors(facts: Facts) -> None:
    """Bit for bit."""
    assert facts["seeds"]["again"] == 0.0


def test_another_seed_gives_other_tensors(facts: Facts) -> None:
    """Random starts, noise and order all follow from it."""
    assert facts["seeds"]["other"] > 0.01


def test_no_seed_is_seed_0_and_says_so(facts: Facts) -> None:
    """Nothing is random without saying so."""
    assert facts["seeds"]["none"] == [0.0, "0"]


def test_gradient_checkpointing_gives_the_same_result(facts: Facts) -> None:
    """It saves memory and changes nothing (facts, section 6)."""
    assert facts["variants"]["gradient_checkpointing"] == [0, 0.0]


def test_attention_without_sdpa_differs_by_rounding_only(facts: Facts) -> None:
    """The other way to compute it is really used, so it is not the same to the last bit."""
    code, distance = facts["variants"]["sdpa"]
    assert code == 0
    assert 0.0 < distance < 1e-3


@pytest.mark.parametrize("option", ["min_snr_gamma", "clip_skip"])
def test_an_honoured_option_has_an_effect(facts: Facts, option: str) -> None:
    """An option that is taken changes what is trained."""
    code, distance = facts["variants"][option]
    assert code == 0
    assert distance > 1e-6


def test_the_gradient_is_clipped_to_its_norm(facts: Facts) -> None:
    """One step of plain descent at rate 1 is as long as max_grad_norm over all trained tensors; 0 switches it off."""
    assert facts["clipping"]["1e-06"] == pytest.approx(1e-6, rel=1e-3)
    assert facts["clipping"]["0.0"] > 1e-3


def test_a_training_goes_on_from_a_file(facts: Facts) -> None:
    """network_weights: after a step too small to see, the tensors are the file's."""
    assert facts["going_on"] == {"moved": 0.0, "said": True}


LENGTHS = {
    # File -> steps and epoch so far; then epochs and steps of the whole. Two pictures, two steps an epoch.
    "epochs": ({"t-000001": (2, 1), "t-000002": (4, 2), "t": (6, 3)}, 3, 6),
    "every second": ({"t-000002": (4, 2), "t": (8, 4)}, 4, 8),
    "last two": ({"t-000002": (4, 2), "t-000003": (6, 3), "t": (8, 4)}, 4, 8),
    "steps": ({"t-000001": (2, 1), "t": (3, 2)}, 2, 3),
    "both": ({"t": (2, 1)}, 1, 2),
}


@pytest.mark.parametrize("case", list(LENGTHS))
def test_files_and_steps_follow_the_length(facts: Facts, case: str) -> None:
    """Epochs win over steps; the last epoch's file has the plain name; what is kept is what sd-scripts keeps."""
    files, epochs, steps = LENGTHS[case]
    found = facts["lengths"][case]
    assert found["announced"] == [str(steps)]
    assert found["files"] == {
        f"{name}.safetensors": [str(done), str(epoch), str(epochs), str(steps), "2"]
        for name, (done, epoch) in files.items()
    }


def test_an_old_file_is_removed_and_said(facts: Facts) -> None:
    """save_last_n_epochs = 2 of four: the first epoch's file goes when the third is there."""
    removed = {case: [Path(path).name for path in found["removed"]] for case, found in facts["lengths"].items()}
    assert removed.pop("last two") == ["t-000001.safetensors"]
    assert all(paths == [] for paths in removed.values())


def test_a_part_alone_is_trained(facts: Facts) -> None:
    """With the other one's rate 0 and its flag set, only that part is in the file, and all of it has moved."""
    parts = facts["parts"]
    assert (parts["unet"]["prefixes"], parts["unet"]["moved"]) == (["lora_unet"], True)
    assert (parts["text_encoder"]["prefixes"], parts["text_encoder"]["moved"]) == (["lora_te"], True)


@pytest.mark.parametrize(("part", "enabled"), [("unet", "U-Net 48"), ("text_encoder", "text encoder 18")])
def test_both_parts_are_counted_and_one_enabled(facts: Facts, part: str, enabled: str) -> None:
    """sd-scripts makes the layers of both and enables those that are trained; the lines are the same."""
    said = ["create Text Encoder 18", "create U-Net 48", f"enable {enabled}"]
    assert facts["parts"][part]["said"] == said


def test_a_part_that_is_left_out_has_rate_0_in_the_metadata(facts: Facts) -> None:
    """Whoever reads the file sees that it was not trained."""
    rates = {part: [float(rate) for rate in found["rates"]] for part, found in facts["parts"].items()}
    assert rates == {"unet": [0.001, 0.0], "text_encoder": [0.0, 0.0005]}


@pytest.mark.parametrize(
    ("precision", "kind"), [("float", "torch.float32"), ("fp16", "torch.float16"), ("bf16", "torch.bfloat16")]
)
def test_tensors_are_saved_in_the_precision(facts: Facts, precision: str, kind: str) -> None:
    """All of them, alpha too."""
    assert facts["precisions"][precision] == [kind]


def test_the_demo_stays_under_2_gb(engine_python: Path, tmp_path: Path) -> None:
    """The whole tree of processes, wrapper, launcher and training, looked at every 50 ms: resident bytes together."""
    command = str(Path(sys.executable).with_name("kohya-wrap"))
    arguments = ("train", "demo", "--set", "steps.how_many=1", "--set", "steps.num_repeats=2")  # drawing included
    child = subprocess.Popen([command, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    peak = 0
    while child.poll() is None:
        peak = max(peak, resident(child.pid))
        time.sleep(0.05)
    output = child.communicate()[0].decode()
    assert child.returncode == 0, output
    assert 200e6 < peak < 2e9, f"{peak / 1e6:.0f} MB"


def resident(pid: int) -> int:
    """Add up the resident bytes of a process and all below it, as far as they are still there."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        return total
    return total
