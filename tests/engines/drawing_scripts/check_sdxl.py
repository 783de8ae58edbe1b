"""SDXL on a toy of its shape: against diffusers' own pipeline, as a single file, with LoRAs and embeddings."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from base import Base, load_base
from beside import LorasBeside
from check_loras import _pair, _random, _saved
from check_models import JOB, PICTURE
from conditioning import Prompts
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
from drawing import Drawing
from encoders import Text
from lines import Refused
from lora import update_of
from make_sdxl import TEXTS, make_sdxl
from modules import modules_of
from PIL import Image
from pixels import decode
from safetensors.torch import load_file, save_file
from transformers.models.clip.tokenization_clip import CLIPTokenizer

LONG = ", ".join(["abcdefgh"] * 20)
EULER = {**PICTURE, "prompt": "a wolf, red", "sampler": "Euler", "schedule": "Uniform", "steps": 4, "cfg_scale": 5}
LEVELS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
BY_HAND = {
    "lora_unet_input_blocks_0_0": "unet.conv_in",
    "lora_unet_input_blocks_3_0_op": "unet.down_blocks.0.downsamplers.0.conv",
    "lora_unet_input_blocks_4_0_skip_connection": "unet.down_blocks.1.resnets.0.conv_shortcut",
    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k": (
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
    ),
    "lora_unet_input_blocks_8_1_transformer_blocks_1_ff_net_0_proj": (
        "unet.down_blocks.2.attentions.1.transformer_blocks.1.ff.net.0.proj"
    ),
    "lora_unet_middle_block_1_proj_in": "unet.mid_block.attentions.0.proj_in",
    "lora_unet_middle_block_2_emb_layers_1": "unet.mid_block.resnets.1.time_emb_proj",
    "lora_unet_output_blocks_2_1_proj_out": "unet.up_blocks.0.attentions.2.proj_out",
    "lora_unet_output_blocks_2_2_conv": "unet.up_blocks.0.upsamplers.0.conv",
    "lora_unet_output_blocks_8_0_in_layers_2": "unet.up_blocks.2.resnets.2.conv1",
    "lora_te1_text_model_encoder_layers_0_mlp_fc1": "text.0.text_model.encoder.layers.0.mlp.fc1",
    "lora_te2_text_model_encoder_layers_1_self_attn_v_proj": "text.1.text_model.encoder.layers.1.self_attn.v_proj",
}
"""What sd-scripts calls a module -> where it is here, written down by hand."""


def _job(work: Path, **changes: object) -> dict[str, Any]:
    if not (work / "xl").exists():
        make_sdxl(work / "xl", work / "xl-single.safetensors", work / "xl-tokenizers")
    return {**JOB, "base": str(work / "xl"), "tokenizers": str(work / "xl-tokenizers"), **changes}


def _base(work: Path, **changes: object) -> Base:
    return load_base(_job(work, **changes), "cpu", torch.float32)


def _drawn(work: Path, job: dict[str, Any], **changes: object) -> torch.Tensor:
    """Draw, and give the PNG's numbers."""
    target = work / "xl.png"
    Drawing(job).draw({**EULER, **changes, "target": str(target)})
    return torch.tensor(np.array(Image.open(target)).astype(int))


def _pipeline(base: Base, **changes: object) -> StableDiffusionXLPipeline:
    """Give diffusers' own, with the second tokenizer as published: it pads with what has the number 0."""
    second = CLIPTokenizer.from_pretrained(base.tokenizer.name_or_path, pad_token="!")
    scheduler = EulerDiscreteScheduler(**LEVELS, timestep_spacing="linspace", **changes)
    first, other = (text.model for text in base.texts)
    pipeline = StableDiffusionXLPipeline(
        base.vae, first, other, base.tokenizer, second, base.unet, scheduler, add_watermarker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def check_xl_pipeline(work: Path) -> dict:
    """How far pictures are from those of diffusers' pipeline with the same noise, in 255ths, and how wide they spread.

    With a negative prompt, without one, where the model guesses v, and where it begins with noise alone.
    """
    noise = torch.randn(1, 4, 9, 8, generator=torch.Generator().manual_seed(1))
    cases = {
        "plain": ({"negative_prompt": "dog"}, {}, {}),
        "empty": ({"negative_prompt": ""}, {}, {}),
        "v": ({"negative_prompt": "dog"}, {"v_prediction": True}, {"prediction_type": "v_prediction"}),
        "zero_snr": (
            {"negative_prompt": "dog"},
            {"v_prediction": True, "zero_terminal_snr": True},
            {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
        ),
    }
    found = {}
    for name, (asked, job, scheduler) in cases.items():
        ours = _drawn(work, _job(work, **job), **asked)
        theirs = _pipeline(_base(work), **scheduler)(
            "a wolf, red",
            negative_prompt=asked["negative_prompt"] or None,
            height=72,
            width=64,
            num_inference_steps=4,
            guidance_scale=5,
            latents=noise.clone(),
            output_type="np",
        ).images[0]
        difference = (ours - torch.tensor(theirs * 255)).abs().max()
        found[name] = {"difference": float(difference), "spread": float(ours.float().std())}
    return found


def check_xl_counts(work: Path) -> dict:
    """Which of the things that pictures are drawn with change the picture."""
    plain = _drawn(work, _job(work))
    longer = _drawn(work, _job(work), prompt=f"{LONG}, x")
    return {
        "size": not torch.equal(plain[:64], _drawn(work, _job(work), height=64)[:64]),
        "prompt": not torch.equal(plain, longer),
        "end": not torch.equal(longer, _drawn(work, _job(work), prompt=f"{LONG}, y")),
        "weight": not torch.equal(plain, _drawn(work, _job(work), prompt="a (wolf:1.4), red")),
        "clip_skip": not torch.equal(plain, _drawn(work, _job(work), clip_skip=3)),
    }


def check_xl_single(work: Path) -> dict:
    """Whether a single file draws what its folder draws, and what its marks and another VAE make of it."""
    folder, file = _drawn(work, _job(work)), work / "xl-single.safetensors"
    tensors = load_file(file)
    save_file({**tensors, "v_pred": torch.zeros(1), "ztsnr": torch.zeros(1)}, work / "xl-marked.safetensors")
    vae = {
        key: torch.full_like(value, 3) if key == "decoder.conv_out.bias" else value
        for key, value in _base(work).vae.state_dict().items()
    }
    save_file(vae, work / "xl-vae.safetensors")
    plain, marked = (_base(work, base=str(work / f"xl-{name}.safetensors")) for name in ("single", "marked"))
    other = _base(work, base=str(file), vae=str(work / "xl-vae.safetensors")).vae
    return {
        "same": torch.equal(folder, _drawn(work, _job(work, base=str(file)))),
        "v": [plain.predicts_v, marked.predicts_v],
        "highest": [plain.noise.highest, marked.noise.highest],
        "vae": [float(other.decoder.conv_out.bias[0]), other.config.scaling_factor],
    }


def _module(base: Base, place: str) -> torch.nn.Module:
    kind, _, rest = place.partition(".")
    if kind == "unet":
        return base.unet.get_submodule(rest)
    number, _, rest = rest.partition(".")
    return base.texts[int(number)].model.get_submodule(rest)


def _said(base: Base) -> list[torch.Tensor]:
    """Give what the U-Net says to a prompt, and what the prompt is to it."""
    [text] = Prompts(base.tokenizer, base.texts, {}).encode("a wolf", clip_skip=1, steps=1, notes=[])
    added = {"text_embeds": text.pooled, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]])}
    step = torch.tensor(500.0)
    said = base.unet(_random(1, 4, 8, 8), step, encoder_hidden_states=text.hidden, added_cond_kwargs=added).sample
    return [said, text.hidden, text.pooled]


def _apart(first: list[torch.Tensor], second: list[torch.Tensor]) -> float:
    return max(float((one - other).abs().max() / one.abs().max()) for one, other in zip(first, second, strict=True))


def _pairs(base: Base) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, place in BY_HAND.items():
        out, *into = _module(base, place).weight.shape
        down = _random(2, *into) / 4
        up = _random(out, 2, *(1 for _ in into[1:])) / 4
        tensors |= _pair(name, down, up, 1.0)
    return tensors


def check_xl_lora(work: Path) -> dict:
    """How far a LoRA in sd-scripts' names is from the same sums done in the weights; what is left of it afterwards."""
    base, hand = _base(work), _base(work)
    tensors, plain = _pairs(base), _said(hand)
    for name, place in BY_HAND.items():
        module = _module(hand, place)
        up, down = (tensors[f"{name}.lora_{part}.weight"].flatten(1) for part in ("up", "down"))
        module.weight += 0.7 * 0.5 * (up @ down).reshape(module.weight.shape)
    loras = LorasBeside(modules_of(base))
    path = _saved(work, "xl-lora.safetensors", tensors)
    problems = [what for what, _, _ in loras.problems(path)]
    loras.apply([(path, 0.7)])
    with_lora = _said(base)
    loras.apply([(path, 0.35), (path, 0.35)])
    twice = _said(base)
    loras.restore()
    return {
        "problems": problems,
        "difference": _apart(_said(hand), with_lora),
        "twice": _apart(with_lora, twice),
        "changed": _apart(plain, with_lora),
        "restored": all(torch.equal(one, other) for one, other in zip(plain, _said(base), strict=True)),
    }


def check_xl_lora_kinds(work: Path) -> dict:
    """How far each kind of LoRA beside a module is from the same in its weight."""
    base = _base(work)
    conv, linear = "lora_unet_input_blocks_3_0_op", "lora_unet_middle_block_1_proj_in"
    halves = {
        f"hada_w{which}_{end}": _random(64, 2) if end == "a" else _random(2, 64) for which in "12" for end in "ab"
    }
    cases = {
        "linear": (linear, {"lora_up.weight": _random(64, 3), "lora_down.weight": _random(3, 64)}),
        "conv": (conv, {"lora_up.weight": _random(32, 2, 1, 1), "lora_down.weight": _random(2, 32, 3, 3)}),
        "tucker": (
            conv,
            {
                "lora_up.weight": _random(32, 2, 1, 1),
                "lora_down.weight": _random(2, 32, 1, 1),
                "lora_mid.weight": _random(2, 2, 3, 3),
            },
        ),
        "loha": (linear, halves),
    }
    found = {}
    for name, (place, parts) in cases.items():
        parts["alpha"] = torch.tensor(4.0)
        module = modules_of(base)[place]
        given = _random(1, 32, 8, 8) if name in {"conv", "tucker"} else _random(5, 64)
        before = module(given)
        loras = LorasBeside(modules_of(base))
        tensors = {f"{place}.{key}": part for key, part in parts.items()}
        loras.apply([(_saved(work, f"xl-{name}.safetensors", tensors), 0.5)])
        beside = module(given)
        loras.restore()
        module.weight += update_of(parts, module.weight.shape, 0.5)
        found[name] = {"difference": _apart([module(given)], [beside]), "changed": _apart([before], [beside])}
    return found


def check_xl_strangers(work: Path) -> list[str]:
    """What is said of a LoRA of SD 1.x, and of one that holds NaN."""
    base = _base(work)
    loras = LorasBeside(modules_of(base))
    name = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    path = _saved(work, "xl-no.safetensors", _pair(name, _random(2, 32), _random(64, 2), 1.0))
    said = [what for what, _, _ in loras.problems(path)]
    name = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
    nan = torch.full((2, 32), torch.nan)
    try:
        loras.apply([(_saved(work, "xl-nan.safetensors", _pair(name, nan, _random(64, 2), 1.0)), 1.0)])
    except Refused as refused:
        said.append(refused.problems[0][0])
    return said


def check_xl_prompts(work: Path) -> dict:
    """Long prompts, attention, and embeddings of two text encoders."""
    base = _base(work)
    ids = base.tokenizer("xy", add_special_tokens=False).input_ids
    vectors = [text.model.get_input_embeddings().weight[ids].clone() for text in base.texts]
    files = {name: work / f"xl-{name}.safetensors" for name in ("qq", "half")}
    save_file({"clip_l": vectors[0], "clip_g": vectors[1]}, files["qq"])
    save_file({"clip_l": vectors[0]}, files["half"])

    def encoded(text: str, named: tuple[str, ...] = ("qq",)) -> Text:
        prompts = Prompts(base.tokenizer, base.texts, {name: files[name] for name in named})
        return prompts.encode(text, clip_skip=2, steps=1, notes=[])[0]

    long, begin, light, heavy = (encoded(text) for text in (f"{LONG}, z", f"{LONG}, x", "ab cd", "ab (cd:1.5)"))
    first, second = (text.hidden.split([config["hidden_size"] for config in TEXTS], dim=-1) for text in (light, heavy))
    ratios = [
        float((other[0, 3] / one[0, 3]).mean() / (other[0, 1] / one[0, 1]).mean())
        for one, other in zip(first, second, strict=True)
    ]
    meant, named = encoded("ab (xy:1.2) cd"), encoded("ab (qq:1.2) cd")
    found = {
        "shape": list(long.hidden.shape),
        "pooled": torch.equal(long.pooled, begin.pooled),
        "ratios": ratios,
        "embedding": _apart([meant.hidden, meant.pooled], [named.hidden, named.pooled]),
    }
    try:
        encoded("a half", ("half",))
    except Refused as refused:
        found["refused"] = refused.problems[0][0]
    return found


def check_xl_half(work: Path) -> dict:
    """In which types the parts are on a GPU, and whether a picture can be drawn with a LoRA in 16 bits."""
    path = _saved(work, "xl-half-lora.safetensors", _pairs(_base(work)))
    drawing = Drawing(_job(work, precision="fp16"))
    base = drawing._base
    loras = [{"path": str(path), "weight": 1.0}]
    notes = drawing.draw({**EULER, "loras": loras, "target": str(work / "xl-half.png")})
    parts = (base.unet, *(text.model for text in base.texts), base.vae)
    return {"types": [str(part.dtype) for part in parts], "notes": notes}


def check_xl_tiles(work: Path) -> dict:
    """What becomes of a picture whose decoding takes more than a GPU has: its size, its notes, how far it is off."""
    vae, notes = _base(work).vae, []
    latents = _random(1, 4, 72, 80) * 0.13025
    plain = torch.tensor(np.array(decode(vae, latents, notes)).astype(int))
    whole, tries = vae.decode, []

    def decode_or_fail(*given: Any, **how: Any) -> Any:
        tries.append(vae.use_tiling)
        if not vae.use_tiling:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(*given, **how)

    vae.decode = decode_or_fail
    tiled = torch.tensor(np.array(decode(vae, latents, notes)).astype(int))
    apart = float((plain - tiled).abs().float().mean())
    return {"size": list(tiled.shape), "tries": tries, "notes": notes, "apart": apart / float(plain.float().std())}


def check_xl_lacks(work: Path) -> str:
    """What is said of a folder that lacks a part."""
    _job(work)
    shutil.copytree(work / "xl", work / "xl-cut")
    (work / "xl-cut" / "text_encoder_2" / "config.json").unlink()
    try:
        _base(work, base=str(work / "xl-cut"))
    except Refused as refused:
        return refused.problems[0][0]
    return ""
