"""Prompts on the toy base's text encoder, which knows single bytes."""

from pathlib import Path

import torch
from base import Base, load_base
from conditioning import Prompts
from lines import Refused
from safetensors.torch import save_file

LONG = ", ".join(["abcdefgh"] * 20)
"""Each word takes eight tokens, each comma one: 179 in all."""


def _base(work: Path) -> Base:
    job = {
        "vae": None,
        "tokenizers": None,
        "v_prediction": None,
        "zero_terminal_snr": False,
        "base": str(work / "base"),
    }
    return load_base(job, "cpu", torch.float32)


def _prompts(base: Base, **embeddings: Path) -> Prompts:
    return Prompts(base.tokenizer, base.texts, embeddings)


def _encoded(prompts: Prompts, text: str, clip_skip: int = 1, notes: list[str] | None = None) -> torch.Tensor:
    return prompts.encode(text, clip_skip=clip_skip, steps=1, notes=[] if notes is None else notes)[0].hidden


def _difference(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first - second).abs().max()) if first.shape == second.shape else -1.0


def _plain(base: Base, text: str) -> torch.Tensor:
    """Give what transformers makes of a text that fits into one window."""
    ids = base.tokenizer(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    return base.texts[0].model(ids, output_hidden_states=True)


def check_plain(work: Path) -> dict:
    """How far a short prompt is from what transformers itself makes of it, by clip skip."""
    base = _base(work)
    said, prompts = _plain(base, "a wolf, red"), _prompts(base)
    normed = base.texts[0].model.text_model.final_layer_norm(said.hidden_states[-2])
    return {
        "first": _difference(_encoded(prompts, "a wolf, red"), said.last_hidden_state),
        "second": _difference(_encoded(prompts, "a wolf, red", 2), normed),
        "apart": _difference(_encoded(prompts, "a wolf, red", 2), _encoded(prompts, "a wolf, red")),
    }


def check_weights(work: Path) -> dict:
    """Attention against arithmetic by hand: tokens times their weight, the mean, where there is one, as it was."""
    base, found = _base(work), {}
    weights = torch.ones(77)
    weights[3:5] = 1.5  # start, a, b: then c, d
    for name, bias in (("without", 0.0), ("mean", -0.1)):
        torch.nn.init.constant_(base.texts[0].model.text_model.final_layer_norm.bias, bias)
        said = _plain(base, "ab cd").last_hidden_state
        heavy = said * weights[None, :, None]
        expected = heavy * said.mean() / heavy.mean() if bias else heavy
        encoded = _encoded(_prompts(base), "ab (cd:1.5)")
        found[name] = {"difference": _difference(encoded, expected), "changed": _difference(encoded, heavy)}
    return found


def check_long(work: Path) -> dict:
    """A prompt of three windows, one with BREAK, and how long each becomes."""
    base = _base(work)
    prompts = _prompts(base)
    apart = torch.cat([_encoded(prompts, "ab"), _encoded(prompts, "cd")], dim=1)
    long, other = _encoded(prompts, LONG), _encoded(prompts, LONG.removesuffix("h") + "x")
    return {
        "lengths": [_encoded(prompts, text).shape[1] for text in ("", "ab", LONG)],
        "break": _difference(_encoded(prompts, "ab BREAK cd"), apart),
        "begin": _difference(long[:, :77], other[:, :77]),
        "end": _difference(long[:, 154:], other[:, 154:]),
    }


def check_editing(work: Path) -> list[float]:
    """How far [ab:cd:0.5] is from "ab" in steps 1 and 2, and from "cd" in 3 and 4."""
    prompts = _prompts(_base(work))
    steps = prompts.encode("[ab:cd:0.5]", clip_skip=1, steps=4, notes=[])
    meant = [_encoded(prompts, text) for text in ("ab", "ab", "cd", "cd")]
    return [_difference(first.hidden, second) for first, second in zip(steps, meant, strict=True)]


def check_embeddings(work: Path) -> dict:
    """An embedding with the vectors of "xy" reads as "xy"; a pickle and a wrong width are told."""
    base = _base(work)
    ids = base.tokenizer("xy", add_special_tokens=False).input_ids
    vectors = base.texts[0].model.get_input_embeddings().weight[ids].clone()
    save_file({"emb_params": vectors}, work / "qq.safetensors")
    save_file({"emb_params": torch.zeros(2, 768)}, work / "wide.safetensors")
    (work / "bad.pt").write_bytes(b"")
    notes: list[str] = []
    files = {"qq": work / "qq.safetensors", "wide": work / "wide.safetensors", "bad": work / "bad.pt"}
    prompts = _prompts(base, **files)
    found = {
        "same": _difference(_encoded(prompts, "ab (qq:1.2) cd"), _encoded(prompts, "ab (xy:1.2) cd")),
        "ignored": _difference(_encoded(prompts, "ab bad", notes=notes), _encoded(_prompts(base), "ab bad")),
        "notes": notes,
    }
    try:
        _encoded(prompts, "a wide")
    except Refused as refused:
        found["refused"] = refused.problems[0][0]
    return found


def check_too_deep(work: Path) -> str:
    """What is said of a clip skip of 4 where the encoder has three layers."""
    try:
        _encoded(_prompts(_base(work)), "ab", 4)
    except Refused as refused:
        return refused.problems[0][0]
    return ""
