"""A picture as ComfyUI's graph, in the API's form: node number -> class and inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.engines.drawing.scripts.names import find_sampler, find_schedule
from kohya_wrap.engines.drawing.types import Picture

_SAMPLERS = {
    "Euler": "euler",
    "Euler a": "euler_ancestral",
    "LMS": "lms",
    "Heun": "heun",
    "DPM2": "dpm_2",
    "DPM2 a": "dpm_2_ancestral",
    "DPM++ 2S a": "dpmpp_2s_ancestral",
    "DPM++ 2M": "dpmpp_2m",
    "DPM++ SDE": "dpmpp_sde",
    "DPM++ 2M SDE": "dpmpp_2m_sde",
    "DPM++ 2M SDE Heun": "dpmpp_2m_sde_heun",
    "DPM++ 3M SDE": "dpmpp_3m_sde",
    "DPM fast": "dpm_fast",
    "DPM adaptive": "dpm_adaptive",
    "LCM": "lcm",
    "DDIM": "ddim",
    "UniPC": "uni_pc",
}
_SCHEDULES = {
    "Uniform": "normal",
    "Normal": "normal",
    "Karras": "karras",
    "Exponential": "exponential",
    "SGM Uniform": "sgm_uniform",
    "Simple": "simple",
    "DDIM": "ddim_uniform",
    "Beta": "beta",
    "KL Optimal": "kl_optimal",
}
"""A1111's names -> ComfyUI's."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the server calls the files that pictures need. `vae`: empty for the model's own."""

    model: str
    vae: str
    loras: Mapping[Path, str]


def sampler_names(sampler: str, schedule: str) -> tuple[str, str]:
    """Give ComfyUI's sampler_name and scheduler; a name that is not known comes back as it is, for the server to judge.

    "Automatic" is what A1111 means by it for that sampler.
    """
    known = find_sampler(sampler)
    name = known.name if known else sampler
    wanted = find_schedule(schedule) or schedule
    if known and known.own_steps:
        wanted = "DDIM"
    elif wanted == "Automatic":
        wanted = known.automatic if known else "Normal"
    return _SAMPLERS.get(name, name), _SCHEDULES.get(wanted, wanted)


def graph_of(picture: Picture, names: Names) -> dict[str, object]:
    """Give the graph: model, LoRAs one after the other, clip skip, two prompts, noise, sampler, VAE, picture."""
    sampler, schedule = sampler_names(picture.sampler, picture.schedule)
    graph: dict[str, object] = {"model": _node("CheckpointLoaderSimple", ckpt_name=names.model)}
    model: list[object] = ["model", 0]
    clip: list[object] = ["model", 1]
    vae: list[object] = ["model", 2]
    for number, lora in enumerate(picture.loras):
        weights = {"strength_model": lora.weight, "strength_clip": lora.weight}
        name = f"lora{number}"
        graph[name] = _node("LoraLoader", model=model, clip=clip, lora_name=names.loras[lora.path], **weights)
        model, clip = [name, 0], [name, 1]
    if picture.clip_skip > 1:
        graph["skip"] = _node("CLIPSetLastLayer", clip=clip, stop_at_clip_layer=-picture.clip_skip)
        clip = ["skip", 0]
    if names.vae:
        graph["vae"] = _node("VAELoader", vae_name=names.vae)
        vae = ["vae", 0]
    graph["positive"] = _node("CLIPTextEncode", clip=clip, text=picture.prompt)
    graph["negative"] = _node("CLIPTextEncode", clip=clip, text=picture.negative_prompt)
    graph["noise"] = _node("EmptyLatentImage", width=picture.width, height=picture.height, batch_size=1)
    graph["sampler"] = _node(
        "KSampler",
        model=model,
        positive=["positive", 0],
        negative=["negative", 0],
        latent_image=["noise", 0],
        seed=picture.seed,
        steps=picture.steps,
        cfg=picture.cfg_scale,
        sampler_name=sampler,
        scheduler=schedule,
        denoise=1.0,
    )
    graph["decoded"] = _node("VAEDecode", samples=["sampler", 0], vae=vae)
    graph["saved"] = _node("SaveImage", images=["decoded", 0], filename_prefix="kohya_wrap")
    return graph


def _node(kind: str, **inputs: object) -> dict[str, object]:
    return {"class_type": kind, "inputs": inputs}
