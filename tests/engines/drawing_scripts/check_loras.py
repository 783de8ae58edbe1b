"""LoRAs on the toy base: what is added to its weights, and that it is gone afterwards."""

from pathlib import Path
from typing import Any

import torch
from base import Base, load_base
from lines import Refused
from lora import Loras
from lora import check_files as broken_files
from modules import modules_of
from safetensors.torch import save_file

RESNET, ATTENTION = "lora_unet_down_blocks_0_resnets_0_conv1", "lora_unet_mid_block_attentions_0_transformer_blocks_0"
TEXT = "lora_te_text_model_encoder_layers_1_self_attn_q_proj"
JOB: dict[str, Any] = {"vae": None, "tokenizers": None, "v_prediction": None, "zero_terminal_snr": False}


def _base(work: Path) -> Base:
    return load_base({**JOB, "base": str(work / "base")}, "cpu", torch.float32)


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def _pair(name: str, down: torch.Tensor, up: torch.Tensor, alpha: float | None) -> dict[str, torch.Tensor]:
    said = {} if alpha is None else {f"{name}.alpha": torch.tensor(alpha)}
    return {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, **said}


def _saved(work: Path, name: str, tensors: dict[str, torch.Tensor]) -> Path:
    save_file(tensors, work / name)
    return work / name


def _weight(base: Base, name: str) -> torch.Tensor:
    return {
        RESNET: base.unet.down_blocks[0].resnets[0].conv1,
        f"{ATTENTION}_attn1_to_q": base.unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q,
        TEXT: base.texts[0].model.text_model.encoder.layers[1].self_attn.q_proj,
    }[name].weight


def _all(base: Base) -> list[torch.Tensor]:
    return [each.clone() for part in (base.unet, base.texts[0].model) for each in part.parameters()]


def _updates(work: Path, tensors: dict[str, torch.Tensor], name: str, weight: float) -> torch.Tensor:
    base = _base(work)
    before = _weight(base, name).clone()
    Loras(modules_of(base)).apply([(_saved(work, "lora.safetensors", tensors), weight)])
    return _weight(base, name) - before


def check_arithmetic(work: Path) -> dict:
    """How far what is added is from the sums done one number at a time, for each kind."""
    found = {}
    query = f"{ATTENTION}_attn1_to_q"
    down, up = _random(3, 64), _random(64, 3)
    expected = torch.tensor(
        [[sum(float(up[o, r] * down[r, i]) for r in range(3)) for i in range(64)] for o in range(64)]
    )
    update = _updates(work, _pair(query, down, up, 6.0), query, 0.5)
    found["linear"] = float((update - expected * 0.5 * 6 / 3).abs().max())
    down, up = _random(2, 32, 3, 3), _random(32, 2, 1, 1)
    expected = sum(up[:, r, 0, 0][:, None, None, None] * down[r][None] for r in range(2))
    found["conv"] = float((_updates(work, _pair(RESNET, down, up, None), RESNET, 1.0) - expected).abs().max())
    down, up, core = _random(2, 32, 1, 1), _random(32, 2, 1, 1), _random(2, 2, 3, 3)
    expected = sum(
        up[:, a, 0, 0][:, None, None, None] * down[b, :, 0, 0][None, :, None, None] * core[a, b][None, None]
        for a in range(2)
        for b in range(2)
    )
    tensors = {**_pair(RESNET, down, up, 2.0), f"{RESNET}.lora_mid.weight": core}
    found["tucker"] = float((_updates(work, tensors, RESNET, 1.0) - expected).abs().max())
    halves = {
        f"w{which}_{end}": _random(*shape) for which in "12" for end, shape in (("a", (32, 2)), ("b", (2, 33 - 1)))
    }
    tensors = {f"{TEXT}.hada_{name}": half for name, half in halves.items()} | {f"{TEXT}.alpha": torch.tensor(1.0)}
    expected = (halves["w1_a"] @ halves["w1_b"]) * (halves["w2_a"] @ halves["w2_b"]) / 2
    found["loha"] = float((_updates(work, tensors, TEXT, 1.0) - expected).abs().max())
    return found


def check_forward(work: Path) -> dict:
    """How far a convolution with the LoRA in it is from the convolution and the LoRA side by side, as in training."""
    base = _base(work)
    down, up, given = _random(2, 32, 3, 3), _random(32, 2, 1, 1), _random(1, 32, 8, 8)
    layer = base.unet.down_blocks[0].resnets[0].conv1
    aside = layer(given) + torch.conv2d(torch.conv2d(given, down, padding=1), up) * 0.7 * 4 / 2
    loras = Loras(modules_of(base))
    loras.apply([(_saved(work, "conv.safetensors", _pair(RESNET, down, up, 4.0)), 0.7)])
    return {"difference": float((layer(given) - aside).abs().max()), "size": float(aside.abs().max())}


def check_restored(work: Path) -> dict:
    """Whether all weights are the same, bit by bit, after two LoRAs together, one alone, and none."""
    base = _base(work)
    before = _all(base)
    loras = Loras(modules_of(base))
    first = _saved(work, "first.safetensors", _pair(TEXT, _random(2, 32), _random(32, 2), 1.0))
    second = _saved(work, "second.safetensors", _pair(TEXT, _random(4, 32), _random(32, 4), 1.0))
    loras.apply([(first, 1.0), (second, -0.3)])
    both = _weight(base, TEXT).clone()
    loras.apply([(first, 1.0)])
    one = _weight(base, TEXT).clone()
    expected = both - one + 0.3 * (_random(32, 4) @ _random(4, 32)) / 4
    loras.apply([])
    return {
        "same": all(torch.equal(old, new) for old, new in zip(before, _all(base), strict=True)),
        "changed": not torch.equal(one, before[0]) and not torch.equal(both, one),
        "summed": float(expected.abs().max()),
    }


def check_rounding(work: Path) -> dict:
    """In fp16 each weight is rounded once, and the original comes back."""
    base = load_base({**JOB, "base": str(work / "base")}, "cpu", torch.float16)
    before, update = _weight(base, TEXT).clone(), _random(32, 2) @ _random(2, 32)
    loras = Loras(modules_of(base))
    loras.apply([(_saved(work, "half.safetensors", _pair(TEXT, _random(2, 32), _random(32, 2), 2.0)), 1.0)])
    exact = torch.equal(_weight(base, TEXT), (before.float() + update).half())
    loras.restore()
    return {"rounded_once": exact, "same": torch.equal(_weight(base, TEXT), before)}


def check_problems(work: Path) -> dict:
    """What is said of LoRAs that cannot be drawn."""
    base = _base(work)
    loras, fine = Loras(modules_of(base)), _pair(TEXT, _random(2, 32), _random(32, 2), 1.0)
    cases = {
        "fine": fine,
        "sdxl": _pair("lora_te1_text_model_encoder_layers_0_mlp_fc1", _random(2, 32), _random(64, 2), 1.0),
        "stranger": {**fine, **_pair("lora_unet_somewhere", _random(2, 32), _random(32, 2), 1.0)},
        "shape": _pair(TEXT, _random(2, 48), _random(32, 2), 1.0),
        "ranks": _pair(TEXT, _random(2, 32), _random(32, 3), 1.0),
        "halved": {f"{TEXT}.lora_up.weight": _random(32, 2)},
        "lokr": {f"{TEXT}.lokr_w1": _random(2, 2), f"{TEXT}.lokr_w2": _random(16, 16)},
        "dora": {**fine, f"{TEXT}.dora_scale": _random(1, 32)},
    }
    return {
        name: [what for what, _, _ in loras.problems(_saved(work, f"{name}.safetensors", tensors))]
        for name, tensors in cases.items()
    }


def check_not_finite(work: Path) -> list[str]:
    """What is said of a LoRA that holds NaN, and which module it names."""
    base = _base(work)
    path = _saved(work, "nan.safetensors", _pair(TEXT, torch.full((2, 32), torch.nan), _random(32, 2), 1.0))
    try:
        Loras(modules_of(base)).apply([(path, 1.0)])
    except Refused as refused:
        return [refused.problems[0][0], Path(refused.problems[0][1]).name]
    return []


def check_broken_files(work: Path) -> list[str]:
    """Which of three files are said not to be whole."""
    whole = _saved(work, "whole.safetensors", _pair(TEXT, _random(2, 32), _random(32, 2), 1.0))
    (work / "cut.safetensors").write_bytes(whole.read_bytes()[:-10])
    (work / "pickle.safetensors").write_bytes(b"\x80\x02}q\x00.")
    paths = [whole, work / "cut.safetensors", work / "pickle.safetensors", work / "nowhere.safetensors"]
    return [Path(where).name for _, where, _ in broken_files(paths)]
