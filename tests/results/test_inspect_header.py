"""What the header of a LoRA tells: type, family, ranks, how it was trained; and what is no LoRA."""

import json
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers_lora import MODULE, SAID, Array, lora_of, write_lora, write_raw

from kohya_wrap.errors import BadResultError
from kohya_wrap.results.inspect import LoraHeader, inspect_header
from kohya_wrap.results.inspect.modules import block_of


def header_of(folder: Path, tensors: dict[str, Array], metadata: dict[str, Any] | None = None) -> LoraHeader:
    return inspect_header(write_lora(folder / "m.safetensors", tensors, metadata))


def zeros(*names: str, shape: tuple[int, ...] = (2, 2)) -> dict[str, Array]:
    return {f"{MODULE}.{name}": np.zeros(shape, "float32") for name in names}


def test_what_sd_scripts_wrote_is_read(tmp_path: Path) -> None:
    """Base model, tags, dataset, length and engine of a LoRA as sd-scripts writes it."""
    header = header_of(tmp_path, lora_of(), SAID)
    facts = header.facts
    assert (header.family, header.structure.kind, dict(header.structure.ranks)) == ("sd15", "LoRA", {4: 1})
    assert (facts.base_model, facts.base_hash, facts.base_sha256) == ("base.safetensors", "167e5bcb", "ab" * 32)
    assert (facts.activation_tags, facts.activation_tags_by) == (("lakto_tiger",), "keep_tokens = 1")
    assert dict(facts.tag_counts) == {"lakto_tiger": 1, "red eyes": 1, "feral": 1}
    assert [(folder.name, folder.images, folder.repeats) for folder in facts.folders] == [("tiger", 1, 10)]
    assert (facts.steps, facts.epoch, facts.epochs, facts.seconds) == (50, 10, 10, 60.0)
    assert facts.engine == "sd-scripts 48d368fa5577"
    assert "CreativeML Open RAIL-M" in facts.licence
    assert header.notes == ()


def test_a_value_of_none_is_not_shown(tmp_path: Path) -> None:
    """sd-scripts writes None for what was not set."""
    assert "noise_offset" not in header_of(tmp_path, lora_of(), SAID).facts.settings


@pytest.mark.parametrize(
    ("tensors", "kind"),
    [
        (zeros("lora_down.weight", "lora_up.weight"), "LoRA"),
        (zeros("lora_A.weight", "lora_B.weight"), "LoRA"),
        (zeros("lora_down.weight", shape=(4, 8, 3, 3)) | zeros("lora_up.weight", shape=(8, 4, 1, 1)), "LoCon"),
        (zeros("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"), "LoHa"),
        (zeros("lokr_w1", "lokr_w2_a", "lokr_w2_b"), "LoKr"),
        (zeros("lora_down.weight", "lora_up.weight", "dora_scale"), "DoRA (LoRA)"),
        (zeros("lora_A.weight", "lora_B.weight", "lora_magnitude_vector"), "DoRA (LoRA)"),
        (zeros("oft_blocks"), "OFT"),
        (zeros("weight", "on_input"), "IA3"),
        (zeros("diff", "diff_b"), "full difference"),
    ],
)
def test_the_type_is_told_by_the_names(tmp_path: Path, tensors: dict[str, Array], kind: str) -> None:
    """Each kind of LoRA is known by the parts its modules have."""
    assert header_of(tmp_path, tensors).structure.kind == kind


@pytest.mark.parametrize(("inputs", "family"), [(768, "sd15"), (1024, "sd2"), (2048, "sdxl"), (640, "unknown")])
def test_the_family_is_told_by_the_shapes(tmp_path: Path, inputs: int, family: str) -> None:
    """The width of the text that cross attention reads is each family's own."""
    assert header_of(tmp_path, lora_of(inputs=inputs)).family == family


def test_the_shapes_are_believed_before_the_metadata(tmp_path: Path) -> None:
    """A file that says SD 1.5 and has the shapes of SDXL is an SDXL LoRA, and the contradiction is said."""
    header = header_of(tmp_path, lora_of(inputs=2048), SAID)
    assert header.family == "sdxl"
    assert header.notes == ("its metadata says sd15, its shapes say sdxl",)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"ss_network_dim": "64"}, "resized after training"),
        ({"ss_steps": "0"}, "before any step"),
    ],
)
def test_what_contradicts_itself_is_said(tmp_path: Path, change: dict[str, str], note: str) -> None:
    """A rank or a number of steps that cannot be right becomes a note."""
    assert any(note in text for text in header_of(tmp_path, lora_of(), SAID | change).notes)


def test_a_file_without_metadata_is_described_by_its_tensors(tmp_path: Path) -> None:
    """Type and family are there, and it is said that the rest is not known."""
    header = header_of(tmp_path, lora_of())
    assert (header.family, header.facts.steps, header.facts.licence) == ("sd15", 0, "none named")
    assert header.notes == ("it has no metadata: how it was trained is not known",)


def test_a_file_without_tensors_is_described(tmp_path: Path) -> None:
    """Nothing to train on is no reason to fail."""
    header = header_of(tmp_path, {}, SAID)
    assert "it holds no tensors" in header.notes
    assert header.facts.steps == 50


@pytest.mark.parametrize(
    ("change", "tags", "by"),
    [
        ({"modelspec.trigger_phrase": "fox, lakto"}, ("fox", "lakto"), "its trigger phrase"),
        ({"ss_datasets": "[]"}, ("lakto_tiger", "red eyes", "feral"), "on every picture"),
        (
            {"ss_tag_frequency": "", "ss_datasets": json.dumps([{"subsets": [{"class_tokens": "a fox"}]}])},
            ("a fox",),
            "class_tokens",
        ),
        (
            {"ss_tag_frequency": "", "ss_dataset_dirs": json.dumps({"10_fox": {"img_count": 3, "n_repeats": 10}})},
            ("fox",),
            "the folder's name",
        ),
    ],
)
def test_the_activation_tags_are_found(tmp_path: Path, change: dict[str, str], tags: tuple[str, ...], by: str) -> None:
    """As said, else kept in front, else on every picture, else the class or the folder."""
    facts = header_of(tmp_path, lora_of(), SAID | change).facts
    assert (facts.activation_tags, facts.activation_tags_by) == (tags, by)


@pytest.mark.parametrize(
    ("metadata", "engine"),
    [
        ({"software": json.dumps({"name": "ai-toolkit", "version": "0.1"})}, "ai-toolkit 0.1"),
        ({"ot_revision": "x"}, "OneTrainer"),
        ({"ss_sd_scripts_commit_hash": "embedded"}, "kohya_wrap's embedded engine"),
        ({"ss_network_module": "networks.lora"}, "sd-scripts"),
        ({"modelspec.implementation": "diffusers"}, "diffusers"),
    ],
)
def test_the_engine_is_named(tmp_path: Path, metadata: dict[str, str], engine: str) -> None:
    """Whoever trained it, by what each of them writes."""
    assert header_of(tmp_path, lora_of(), metadata).facts.engine == engine


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("lora_te_text_model_encoder_layers_3_mlp_fc1", "TE"),
        ("lora_te2_text_model_encoder_layers_3_mlp_fc1", "TE2"),
        ("lora_unet_down_blocks_0_attentions_0_proj_in", "IN01"),
        ("lora_unet_down_blocks_2_downsamplers_0_conv", "IN09"),
        ("lora_unet_mid_block_attentions_0_proj_in", "M00"),
        ("lora_unet_up_blocks_3_attentions_2_proj_in", "OUT11"),
        ("lora_unet_input_blocks_4_1_proj_in", "IN04"),
        ("unet.up_blocks.1.attentions.0.proj_in", "OUT03"),
        ("lora_unet_double_blocks_7_img_attn_qkv", "D07"),
        ("transformer.single_transformer_blocks.12.attn.to_q", "S12"),
        ("something_else", "other"),
    ],
)
def test_a_module_s_block_is_told_by_its_name(name: str, block: str) -> None:
    """kohya's, LDM's and diffusers' spellings give the WebUI's names of blocks."""
    assert block_of(name) == block


HOSTILE: list[Any] = [
    "{",
    "[" * 5000,
    "null",
    "3",
    '"x"',
    '{"a": 1}',
    '[{"subsets": 5}]',
    '{"a": {"b": "c"}}',
    "\x1b[2J",
]


@pytest.mark.parametrize("value", [*HOSTILE, 7, None, [1], {"a": {"b": 1}}, "9" * 5000, "-1", "nan", "1e999"])
def test_any_value_of_any_key_is_survived(tmp_path: Path, value: Any) -> None:
    """No text and no type in the metadata raises, and no number that is none is made of it."""
    keys = [
        *SAID,
        "software",
        "modelspec.architecture",
        "modelspec.trigger_phrase",
        "sshs_model_hash",
        "ss_keep_tokens",
    ]
    facts = header_of(tmp_path, lora_of(), dict.fromkeys(keys, value)).facts
    assert facts.seconds is None or facts.seconds == 0
    assert facts.base_sha256 == ""


def test_a_huge_tag_list_is_read_in_time(tmp_path: Path) -> None:
    """200,000 tags, 8 MB of metadata, in under 2 seconds."""
    tags = json.dumps({"tiger": {f"tag number {index:020}": index for index in range(200_000)}})
    path = write_lora(tmp_path / "m.safetensors", lora_of(), SAID | {"ss_tag_frequency": tags})
    started = time.perf_counter()
    assert len(inspect_header(path).facts.tag_counts) == 200_000
    assert time.perf_counter() - started < 2


def test_a_header_of_100_mb_is_refused_unread(tmp_path: Path) -> None:
    """Its announced length is enough; nothing of it is parsed."""
    path = tmp_path / "m.safetensors"
    path.write_bytes((100 << 20).to_bytes(8, "little") + b'{"a":')
    with path.open("r+b") as file:
        file.truncate(8 + (100 << 20))
    started = time.perf_counter()
    with pytest.raises(BadResultError, match="header of 100 MiB"):
        inspect_header(path)
    assert time.perf_counter() - started < 0.5


def test_a_pickle_is_named(tmp_path: Path) -> None:
    """A pickle under this ending is refused by what it is, and never loaded."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps({"a": 1}, protocol=2))
    with pytest.raises(BadResultError, match="pickle"):
        inspect_header(path)


@pytest.mark.parametrize(
    "content", [b"", b"1234567", b"<html>", b"PK\x03\x04" + b"0" * 99, b"\x89PNG\r\n\x1a\n" + b"0" * 60]
)
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty files, pages, zips and pictures, each with what to do."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadResultError) as caught:
        inspect_header(path)
    assert caught.value.todo


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    """Both sizes are said."""
    path = write_lora(tmp_path / "m.safetensors", lora_of(), SAID)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadResultError, match=f"cut short: {size - 100:,} bytes where its header says {size:,}"):
        inspect_header(path)


def test_tensors_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """A thousand tensors over the same bytes would cost a thousand readings."""
    path = tmp_path / "m.safetensors"
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    text = json.dumps({f"{MODULE}.lora_up.weight": entry, f"{MODULE}.lora_down.weight": entry}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"0000")
    with pytest.raises(BadResultError, match="overlap"):
        inspect_header(path)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (
            ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", "cond_stage_model.x"),
            "base",
        ),
        (("model.diffusion_model.out.weight",), "U-Net without"),
        (("encoder.conv_in.weight",), "VAE"),
        (("emb_params",), "embedding"),
        (("fc.weight", "fc.bias"), "none of its tensors"),
    ],
)
def test_another_model_is_named(tmp_path: Path, names: tuple[str, ...], what: str) -> None:
    """A checkpoint, a VAE or an embedding in place of a LoRA is refused by what it is."""
    path = write_raw(tmp_path / "m.safetensors", {name: ("F16", (1, 768), bytes(1536)) for name in names})
    with pytest.raises(BadResultError, match=f"is no LoRA.*{what}"):
        inspect_header(path)
