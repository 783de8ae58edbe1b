"""Files that people get from others: presets' values, LoRAs, notebooks, kohya's files, pictures, captions, tags."""

import json
import tomllib
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from fuzzing import A1111, DEEP, ROOT, TARGETS, Target, folder_with

from kohya_wrap import KohyaWrapError
from kohya_wrap.base_models.header import parse_header
from kohya_wrap.base_models.identify import identify_folder, identify_header, identify_vae_folder
from kohya_wrap.base_models.picture import model_hash
from kohya_wrap.config import ExtrasConfig
from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.dataset.captions import caption_findings
from kohya_wrap.dataset.custom import parse_custom
from kohya_wrap.dataset.pictures import look_at
from kohya_wrap.dataset.tag_text import join_tags, plain_tag, split_tags, weighted_tags
from kohya_wrap.dataset.taggers.labels import compared, read_labels, written
from kohya_wrap.dataset.verbs.curate import read_caption
from kohya_wrap.dataset.verbs.reading import UNREADABLE, flattened, opened, shown_small
from kohya_wrap.presets import load
from kohya_wrap.results.inspect import inspect_hashes, inspect_header, inspect_numbers
from kohya_wrap.results.rebuild import given_by_kohya_gui, given_by_lora, given_by_notebook, given_by_toml
from kohya_wrap.results.samples.prompts import prompt_problems, read_prompts
from kohya_wrap.sd_scripts.given_files import read_given_files
from kohya_wrap.sd_scripts.options import DEFAULT_SCRIPT
from kohya_wrap.sd_scripts.overrides import check_overrides, read_overrides


def lora(data: bytes) -> None:
    """Look into a LoRA, and rebuild a preset from what it says."""
    with folder_with("given.safetensors", data) as file:
        header = inspect_header(file)
        inspect_numbers(header)
        inspect_hashes(header)
        given_by_lora("fox", file)


def preset_and_files(data: bytes) -> None:
    """Read a preset, and the files that it names: there are none."""
    with folder_with("given.toml", data) as file:
        read_given_files(load(file).config, root=file.parent, script=DEFAULT_SCRIPT)


def kohya_gui(data: bytes) -> None:
    with folder_with("given.json", data) as file:
        given_by_kohya_gui("fox", file)


def notebook(data: bytes) -> None:
    with folder_with("given.ipynb", data) as file:
        given_by_notebook("fox", file)


def kohya_toml(data: bytes) -> None:
    """Rebuild a preset from a file, and take it in place of a preset's fields."""
    with folder_with("given.toml", data) as file:
        with suppress(KohyaWrapError):
            given_by_toml("fox", [file])
        parse_custom(data.decode("utf-8", "replace"), "given.toml", with_general=True)
        extras = ExtrasConfig(override_config_file=str(file), override_dataset_config_file=str(file))
        check_overrides(read_overrides(extras, root=file.parent))


def checkpoint(data: bytes) -> None:
    """Say what a model is by its header alone, as it is done before a download."""
    str(identify_header(parse_header(data, Path("header"))))


def diffusers_folder(data: bytes) -> None:
    """Take a text as each of the JSON files of a folder."""
    with folder_with("given.json", data) as file:
        folder = file.parent / "inner"
        for name in ("model_index.json", "config.json", "unet/config.json", "vae/config.json"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        for identify in (identify_folder, identify_vae_folder):
            with suppress(KohyaWrapError):
                str(identify(folder))


def training_picture(data: bytes) -> None:
    """Look at a picture as scan does, decode it as the other verbs do, and ask it for its model."""
    with folder_with("picture.png", data) as file, warnings.catch_warnings(action="ignore"):  # as around all verbs
        look_at([file])
        with suppress(*UNREADABLE), opened(file) as image:
            shown_small(image, 8)
        with suppress(*UNREADABLE), opened(file) as image:
            flattened(image, "white")
        model_hash(file)


def caption(data: bytes) -> None:
    """Look for faults in a caption as scan does, and change its tags as curate does."""
    with folder_with("a.txt", data) as file:
        for all_lines in (False, True):
            list(caption_findings([file], max_tokens=75, activation_tag="fox", all_lines=all_lines))
        text = read_caption(file)
        tags = split_tags(text) if isinstance(text, str) else []
        weighted = weighted_tags([plain_tag(tag) for tag in tags], activation_tags=1, weight=1.1)
        join_tags(weighted).encode()


def labels(data: bytes) -> None:
    with folder_with("selected_tags.csv", data) as file:
        for label in read_labels(file):
            written(label.name)
            compared(label.name)


def prompt(data: bytes) -> None:
    """Read a prompt of samples, as a stranger's preset or picture has it."""
    text = data.decode("utf-8", "replace")
    prompt_problems(read_prompts(SamplesConfig(prompts=(text,)), "fox", activation_tag="fox"))


def _as_toml(text: bytes) -> bytes:
    whole = json.loads(text)
    return "\n".join(f"{json.dumps(key)} = {_toml(value)}" for key, value in whole.items()).encode()


def _toml(value: object) -> str:
    """Give a value as TOML writes it, tables in one line; half characters and null are for its reader to refuse."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value) if isinstance(value, float) else json.dumps(value)


def _as_json(text: bytes) -> bytes:
    return json.dumps(tomllib.loads(text.decode())).encode()


_NOTEBOOK_CELL = """project_name = "my_fox" #@param {type:"string"}
training_model = "AnyLora (AnyLoRA_noVae_fp16-pruned.ckpt)" #@param ["Anime (…)", "AnyLora (…)"]
resolution = 768 #@param {type:"slider", min:512, max:1024, step:128}
shuffle_tags = False #@param {type:"boolean"}
  unet_lr = 3e-4 #@param {type:"number"}
optimizer_args = "decouple=True betas=[0.9,0.99]" #@param {type:"string"}
custom_dataset = None #@param
"""
_CELLS: list[dict[str, Any]] = [
    {"cell_type": "code", "execution_count": 1, "source": _NOTEBOOK_CELL.splitlines(keepends=True)},
    {"cell_type": "code", "execution_count": None, "source": 'optimizer = "Prodigy" #@param ["AdamW8bit"]'},
]
_NOTEBOOK = json.dumps({"cells": _CELLS, "nbformat": 4}).encode()
_GUI = json.dumps(
    {
        "LoRA_type": "Kohya LoCon",
        "network_dim": 32.0,
        "network_alpha": "16",
        "conv_dim": 8,
        "conv_alpha": "4",
        "pretrained_model_name_or_path": "/models/base.safetensors",
        "train_data_dir": "/not/here",
        "sdxl": False,
        "learning_rate": "0.0002",
        "text_encoder_lr": "5e-05",
        "lr_warmup": "10",
        "lr_warmup_steps": 0,
        "lr_scheduler": "cosine",
        "optimizer": "AdamW8bit",
        "optimizer_args": "weight_decay=0.1 eps=1e-6",
        "epoch": 4,
        "max_train_steps": "",
        "max_resolution": "512,512",
        "bucket_reso_steps": 64.0,
        "seed": "1234",
        "enable_bucket": True,
        "caption_extension": ".txt",
        "keep_tokens": "1",
        "min_snr_gamma": 5,
        "xformers": "sdpa",
        "max_token_length": "225",
        "clip_skip": "2",
        "noise_offset": "0.05",
        "additional_parameters": "--x",
    }
).encode()
_DATASETS = [
    {
        "resolution": [512, 512],
        "batch_size_per_device": 2,
        "subsets": [{"num_repeats": 10, "keep_tokens": 1, "shuffle_caption": True, "class_tokens": "fox"}],
    }
]
_UP, _DOWN = (
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_" + part for part in ("up", "down")
)
_SAID = {
    "ss_network_module": "networks.lora",
    "ss_network_dim": "4",
    "ss_network_alpha": "2.0",
    "ss_base_model_version": "sd_v1",
    "ss_new_sd_model_hash": "ab" * 32,
    "ss_steps": "50",
    "ss_epoch": "10",
    "ss_training_started_at": "100.5",
    "ss_training_finished_at": "160.5",
    "ss_unet_lr": "0.0005",
    "ss_lr_warmup_steps": "2",
    "ss_max_train_steps": "50",
    "ss_num_epochs": "10",
    "ss_seed": "42",
    "ss_optimizer": "torch.optim.AdamW(weight_decay=0.1,betas=(0.9, 0.99))",
    "ss_keep_tokens": "1",
    "ss_network_args": {"conv_dim": "8"},
    "ss_tag_frequency": {"10_fox": {"fox": 1, "red eyes": 1}},
    "ss_dataset_dirs": {"10_fox": {"n_repeats": 10, "img_count": 1}},
    "ss_datasets": _DATASETS,
    "software": {"name": "OneTrainer"},
    "modelspec.architecture": "stable-diffusion-v1/lora",
}
_LORA = json.dumps(
    {
        "__metadata__": _SAID,
        f"{_UP}.weight": {"dtype": "F16", "shape": [2, 1], "data_offsets": [0, 4]},
        f"{_DOWN}.weight": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [4, 8]},
        f"{_UP.removesuffix('.lora_up')}.alpha": {"dtype": "F32", "shape": [], "data_offsets": [8, 12]},
    }
).encode()


def _with_texts(text: bytes) -> bytes:
    """Make a LoRA of its header: what the metadata has as tables becomes JSON in a text, as sd-scripts writes it."""
    header = json.loads(text)
    said = header.get("__metadata__")
    if isinstance(said, dict):
        header["__metadata__"] = {
            key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()
        }
    return _with_length(json.dumps(header).encode()) + bytes.fromhex("003c003c803f803f0000803f")


def _said_by_a_lora(said: bytes) -> bytes:
    return _with_texts(json.dumps({**json.loads(_LORA), "__metadata__": json.loads(said)}).encode())


def _with_length(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


_UNET = "model.diffusion_model."
_CHECKPOINT = json.dumps(
    {
        "__metadata__": {"format": "pt"},
        f"{_UNET}input_blocks.0.0.weight": {"dtype": "F16", "shape": [320, 4, 3, 3], "data_offsets": [0, 8]},
        f"{_UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": {
            "dtype": "F16",
            "shape": [320, 768],
            "data_offsets": [8, 16],
        },
        "cond_stage_model.transformer.x": {"dtype": "F16", "shape": [1], "data_offsets": [16, 18]},
    }
).encode()
_CONFIG = {"_class_name": "StableDiffusionPipeline", "cross_attention_dim": 768, "in_channels": 4}
_FOLDER = (json.dumps(_CONFIG).encode(), json.dumps({**_CONFIG, "_class_name": "AutoencoderKL"}).encode())
_TOMLS = tuple(file.read_bytes() for file in sorted((ROOT / "tests" / "golden").glob("*.toml")))
_LORA_PROMPT = b"fox, {activation_tag}, <lora:fox:0.8:1>, <lora:other>, \nNegative prompt: x\nSteps: 20, Size: 512x768"
_FILES = {
    "extends": "one-image",
    "engine": {"python": "~/python"},
    "extras": {
        "override_config_file": "~x/a.toml",
        "override_dataset_config_file": "",
        "custom_dataset": "",
        "zip": "",
    },
    "training": {"continue_from_lora": "a.safetensors", "resume": "a-state"},
    "sd_scripts": {"network_weights": "a.safetensors"},
}
_PRESET = json.dumps({**json.loads(_as_json((ROOT / "presets" / "demo.toml").read_bytes())), **_FILES}).encode()
_LABELS = b"tag_id,name,category,count\n1,red_eyes,0,5\n2,^_^,4,3\n"
GIVEN = {
    "preset-values": Target(preset_and_files, TARGETS["preset"].seeds, json=_PRESET, pack=_as_toml),
    "lora": Target(lora, (_with_texts(_LORA), *map(_with_length, DEEP)), json=_LORA, pack=_with_texts),
    "lora-metadata": Target(lora, (_with_texts(_LORA),), json=json.dumps(_SAID).encode(), pack=_said_by_a_lora),
    "kohya-gui": Target(kohya_gui, (_GUI, *DEEP), json=_GUI),
    "kohya-training": Target(kohya_toml, (*_TOMLS, *DEEP), json=_as_json(_TOMLS[1]), pack=_as_toml),
    "kohya-dataset": Target(kohya_toml, (*_TOMLS, *DEEP), json=_as_json(_TOMLS[0]), pack=_as_toml),
    "notebook": Target(notebook, (_NOTEBOOK, *DEEP), json=_NOTEBOOK),
    "checkpoint": Target(checkpoint, (_CHECKPOINT, *DEEP), json=_CHECKPOINT),
    "diffusers-folder": Target(diffusers_folder, (*_FOLDER, *DEEP), json=_FOLDER[0]),
    "training-picture": Target(training_picture, TARGETS["picture"].seeds),
    "caption": Target(caption, (b"fox, red eyes, (saber \\(fate\\):1.1)\r\nsecond line", b"\xef\xbb\xbffox")),
    "labels": Target(labels, (_LABELS,)),
    "prompt": Target(prompt, (_LORA_PROMPT, A1111.encode())),
}
