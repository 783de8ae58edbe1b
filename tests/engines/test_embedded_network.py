"""The embedded engine's LoRA: the layers that networks.lora trains, by its names, with its arithmetic."""

from pathlib import Path

import pytest
from helpers_embedded import Facts, find_facts

pytestmark = pytest.mark.engine

DIM, WIDTH = 2, 32
ATTENTION = ("to_q", "to_k", "to_v", "to_out_0")
TRANSFORMERS = {
    "down_blocks_0_attentions_0": WIDTH,
    "mid_block_attentions_0": 2 * WIDTH,
    "up_blocks_1_attentions_0": WIDTH,
    "up_blocks_1_attentions_1": WIDTH,
}
"""The toy U-Net's transformers with their widths in channels."""


@pytest.fixture
def facts(engine_python: Path) -> Facts:
    return find_facts(engine_python)


def unet_shapes() -> dict[str, tuple[list[int], list[int]]]:
    """Give each U-Net module's down and up shape, worked out from the toy's widths."""
    found = {}
    for place, width in TRANSFORMERS.items():
        name = f"lora_unet_{place}"
        for end in ("proj_in", "proj_out"):
            found[f"{name}_{end}"] = ([DIM, width, 1, 1], [width, DIM, 1, 1])
        block = f"{name}_transformer_blocks_0"
        for attention, source in (("attn1", width), ("attn2", WIDTH)):
            for layer in ATTENTION:
                into = source if layer in {"to_k", "to_v"} else width
                found[f"{block}_{attention}_{layer}"] = ([DIM, into], [width, DIM])
        found[f"{block}_ff_net_0_proj"] = ([DIM, width], [8 * width, DIM])
        found[f"{block}_ff_net_2"] = ([DIM, 4 * width], [width, DIM])
    return found


def text_shapes() -> dict[str, tuple[list[int], list[int]]]:
    """Give each text-encoder module's down and up shape."""
    found = {}
    for layer in range(3):
        name = f"lora_te_text_model_encoder_layers_{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found[f"{name}_self_attn_{part}"] = ([DIM, WIDTH], [WIDTH, DIM])
        found[f"{name}_mlp_fc1"] = ([DIM, WIDTH], [2 * WIDTH, DIM])
        found[f"{name}_mlp_fc2"] = ([DIM, 2 * WIDTH], [WIDTH, DIM])
    return found


def test_the_layers_are_those_of_networks_lora(facts: Facts) -> None:
    """Attention, feed-forward and both projections of every transformer; the text encoder's attention and MLP."""
    expected: dict[str, list[int]] = {}
    for name, (down, up) in {**unet_shapes(), **text_shapes()}.items():
        expected |= {f"{name}.alpha": [], f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    assert facts["modules"]["both"] == dict(sorted(expected.items()))


def test_alpha_is_saved_as_given(facts: Facts) -> None:
    """Every module's alpha is network_alpha, 0.5 here."""
    assert facts["modules"]["alphas"] == [0.5]


@pytest.mark.parametrize(("part", "prefix"), [("unet_only", "lora_unet_"), ("text_encoder_only", "lora_te_")])
def test_one_part_alone_has_no_layers_of_the_other(facts: Facts, part: str, prefix: str) -> None:
    """A part that is not trained is not saved either, and the other is whole."""
    keys = facts["modules"][part]
    assert keys == [key for key in facts["modules"]["both"] if key.startswith(prefix)]
    assert keys


def test_a_fresh_lora_changes_nothing(facts: Facts) -> None:
    """lora_up starts at zero, lora_down does not."""
    assert facts["what_a_layer_adds"]["fresh"] == 0.0
    assert facts["what_a_layer_adds"]["down"] > 0.0


def test_a_layer_adds_alpha_by_dim_times_up_times_down(facts: Facts) -> None:
    """The formula of the LoRA paper (Hu et al. 2021), done by hand on random numbers."""
    assert facts["what_a_layer_adds"]["added"] < 1e-6
    assert facts["what_a_layer_adds"]["size"] > 0.1


@pytest.mark.parametrize(
    ("case", "rates"),
    [
        ("both", [5e-4, 1e-3]),
        ("unet_only", [1e-3]),
        ("text_encoder_only", [5e-4]),
        ("fallback", [7e-4, 7e-4]),
        ("one", [5e-4, 7e-4]),
    ],
)
def test_each_part_learns_at_its_own_rate(facts: Facts, case: str, rates: list[float]) -> None:
    """text_encoder_lr and unet_lr reach their groups; learning_rate stands in for one that is not given."""
    assert [rate for rate, _ in facts["groups"][case]] == rates


def test_every_layer_is_in_a_group(facts: Facts) -> None:
    """Two tensors a module: 18 modules of the text encoder, 48 of the U-Net."""
    assert [count for _, count in facts["groups"]["both"]] == [2 * len(text_shapes()), 2 * len(unet_shapes())]


def test_each_optimizer_is_torch_s_own_and_takes_its_arguments(facts: Facts) -> None:
    """The names of the config give torch's classes; optimizer_args arrive as Python values."""
    arguments = {"AdamW": 0.25, "Adam": [0.5, 0.6], "SGD": 0.75, "RAdam": 1e-3, "NAdam": 0.5}
    assert facts["optimizers"] == {name: [name, value] for name, value in arguments.items()}


def test_a_lora_is_loaded_whole(facts: Facts) -> None:
    """network_weights: every tensor of the file is the network's."""
    assert facts["continuing"]["said"]["good"] == ""
    assert facts["continuing"]["equal"] == [True] * 3 * (len(text_shapes()) + len(unet_shapes()))


@pytest.mark.parametrize("case", ["missing", "extra", "other_dim", "other_alpha"])
def test_another_lora_is_refused(facts: Facts, case: str) -> None:
    """A file with other modules, another rank or another alpha would train something else; the module is named."""
    said = facts["continuing"]["said"][case]
    assert said.startswith("RuntimeError: Error(s) in loading state_dict for LoRANetwork: lora_")


def test_what_is_no_lora_is_refused(facts: Facts) -> None:
    """A web page and a missing file stop the training."""
    said = facts["continuing"]["said"]
    assert said["not_a_lora"].startswith("SafetensorError: ")
    assert said["not_there"].startswith("FileNotFoundError: ")
