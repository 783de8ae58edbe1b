"""Hold what a file is against what a preset asks for; the answer is one sentence."""

from pathlib import Path

from kohya_wrap.base_models.errors import (
    HashMismatchError,
    NotAModelError,
    PickleRefusedError,
    UnsupportedFamilyError,
)
from kohya_wrap.base_models.hosts.host import Resolved
from kohya_wrap.base_models.identify import Identity
from kohya_wrap.base_models.located import Wanted
from kohya_wrap.errors import BaseModelError
from kohya_wrap.families import FAMILIES


def check_suitable(identity: Identity, wanted: Wanted, path: Path) -> None:
    """Raise NotAModelError or UnsupportedFamilyError unless `identity` can be used as `wanted`."""
    error = _why_not_vae(identity, wanted) if wanted.role == "VAE" else _why_not_base(identity, wanted)
    if error is not None:
        what, todo, kind = error
        raise kind(f"{path.name} is {what}", where=wanted.field, todo=todo)


def check_promise(resolved: Resolved, wanted: Wanted) -> None:
    """Raise before anything is fetched when the host itself says that the file cannot be used as `wanted`."""
    if resolved.blocked is not None:
        raise resolved.blocked
    chosen = resolved.chosen
    if wanted.sha256 and chosen.sha256 and chosen.sha256 != wanted.sha256:
        what = f"{resolved.source} leads to a file with SHA256 {chosen.sha256}, and {wanted.sha256} is pinned"
        todo = "the host has changed the file, or link and hash do not belong together: correct one of them"
        raise HashMismatchError(what, where="setup.base_model_sha256", todo=todo)
    if wanted.sha256 and chosen.format == "diffusers":
        what = f"{resolved.source} is a diffusers folder, which has no hash to compare"
        raise HashMismatchError(what, where="setup.base_model_sha256", todo="remove the hash, or give a link to a file")
    if chosen.format == "pickle" and not wanted.allow_pickle:
        raise refuse_pickle(chosen.name, wanted)
    if wanted.role == "base model" and resolved.kind not in {"", "Checkpoint"}:
        what = f"{resolved.name} is a {resolved.kind} by its host's word, not a base model"
        raise NotAModelError(what, where=wanted.field, todo=f"give a {FAMILIES[wanted.family].title} base model")
    if wanted.role == "base model" and resolved.family not in {"unknown", wanted.family}:
        what = f"{resolved.name} is {resolved.base}; this preset trains {FAMILIES[wanted.family].title}"
        raise UnsupportedFamilyError(what, where=wanted.field, todo="give another base model")


def refuse_pickle(name: str, wanted: Wanted) -> PickleRefusedError:
    """Build the refusal of a .ckpt, with the ways out."""
    return PickleRefusedError(
        f"{name} is a pickle: loading it can run any code that its maker put in",
        where=wanted.field,
        todo="give a .safetensors file, or set setup.allow_pickle = true to have it converted in a separate process",
    )


def _why_not_vae(identity: Identity, wanted: Wanted) -> tuple[str, str, type[BaseModelError]] | None:
    title = FAMILIES[wanted.family].title
    if identity.kind == "checkpoint" and "VAE" not in identity.missing:  # sd-scripts takes the VAE out of a checkpoint
        wrong = identity.family != wanted.family
        return (f"{identity}; this preset trains {title}", "give a VAE", UnsupportedFamilyError) if wrong else None
    if identity.kind != "vae":
        return f"{identity}, not a VAE", "give a VAE, or leave setup.vae empty", NotAModelError
    if identity.layout == "diffusers":
        todo = "give the VAE's .safetensors in the original layout, or the diffusers folder it comes from"
        return "a VAE in diffusers' layout, which sd-scripts cannot read from a single file", todo, NotAModelError
    return None


def _why_not_base(identity: Identity, wanted: Wanted) -> tuple[str, str, type[BaseModelError]] | None:
    title = FAMILIES[wanted.family].title
    give = f"give a {title} base model"
    if identity.kind == "lora":
        todo = f"{give}; to go on from this LoRA use training.continue_from_lora"
        return "a LoRA, not a base model", todo, NotAModelError
    if identity.kind != "checkpoint":
        return f"{identity}, not a base model", give, NotAModelError
    if identity.family != wanted.family:
        return f"{identity}; this preset trains {title}", _other_family(identity, give), UnsupportedFamilyError
    if identity.inpainting:
        return f"{identity}; its U-Net takes a mask, which sd-scripts does not train", give, UnsupportedFamilyError
    if identity.missing:
        return f"{title} without {' and '.join(identity.missing)}", "give the whole checkpoint", NotAModelError
    return None


def _other_family(identity: Identity, give: str) -> str:
    if identity.family == "sd2":
        return f"{give}, or set setup.custom_model_is_based_on_sd2 = true"
    if identity.family == "sdxl":
        return (
            f"{give}, or set setup.custom_model_is_sdxl = true (and resolution and rates as presets/sdxl.toml has them)"
        )
    if identity.family == "sd15":
        return "set setup.custom_model_is_based_on_sd2 and custom_model_is_sdxl to false"
    return give
