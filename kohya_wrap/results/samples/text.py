"""The parameters of a test picture as A1111 would write them: read back by png-info, and by the WebUI too."""

from collections.abc import Sequence
from dataclasses import dataclass

from kohya_wrap._version import __version__
from kohya_wrap.results.parameters import Parameters, to_text
from kohya_wrap.results.publish import Lora
from kohya_wrap.results.samples.embeddings import FoundEmbedding
from kohya_wrap.results.samples.loras import FoundLora
from kohya_wrap.results.samples.prompts import Prompt

_MODEL_DIGITS, _LORA_DIGITS = 10, 12
_VERSION = ", Version: kohya_wrap "


@dataclass(frozen=True, slots=True)
class Base:
    """The model that pictures are drawn on: names without endings, SHA256 in hex ("" where there is none)."""

    name: str
    sha256: str = ""
    vae: str = ""
    vae_sha256: str = ""


def parameters_text(
    prompt: Prompt,
    base: Base,
    *,
    own: tuple[Lora, float] | None,
    others: Sequence[tuple[FoundLora, float]] = (),
    embeddings: Sequence[FoundEmbedding] = (),
) -> str:
    """Give the text for one picture; `own`: the run's LoRA with its weight, None for the base model alone."""
    named = [(lora.name, lora.tensors_sha256) for lora, _ in others]
    tags = " ".join(_tag(lora.name, weight) for lora, weight in others)
    tag = ""
    if own is not None:
        tag = _tag(own[0].path.stem, own[1])
        named.append((own[0].path.stem, own[0].tensors_sha256))
    settings = {
        "Steps": str(prompt.steps),
        "Sampler": prompt.sampler,
        "Schedule type": prompt.schedule,
        "CFG scale": f"{prompt.cfg_scale:g}",
        "Seed": str(prompt.seed),
        "Size": f"{prompt.width}x{prompt.height}",
        "Model hash": base.sha256[:_MODEL_DIGITS],
        "Model": base.name,
        "VAE hash": base.vae_sha256[:_MODEL_DIGITS],
        "VAE": base.vae,
        "Clip skip": str(prompt.clip_skip) if prompt.clip_skip > 1 else "",
        "RNG": "CPU",
        "Lora hashes": ", ".join(f"{name}: {sha256[:_LORA_DIGITS]}" for name, sha256 in named),
        "TI hashes": ", ".join(f"{each.name}: {each.sha256[:_LORA_DIGITS]}" for each in embeddings),
        "Version": f"kohya_wrap {__version__}",
    }
    said = {key: value for key, value in settings.items() if value}
    return to_text(Parameters(prompt.with_tags(tag, tags), prompt.negative_prompt, said))


def without_version(text: str) -> str:
    """Give a text of `parameters_text` without the version of this package, which changes no picture."""
    return text.rpartition(_VERSION)[0] or text


def _tag(name: str, weight: float) -> str:
    return f"<lora:{name}:{weight:g}>"
