"""ComfyUI: the graph that made the picture, told in A1111's words.

A graph may sample several times; the first pass counts, as in A1111, where a second pass is "hires". Which prompt is
the negative one is known only from the sampler's inputs, so links are followed from there.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from kohya_wrap.results.parameters.comfy_graph import Graph, Node, read_api_graph, read_ui_graph
from kohya_wrap.results.parameters.resources import loads, merged, named_resources, stem
from kohya_wrap.results.parameters.types import Parameters, Resource, number

SAMPLERS: Mapping[str, str] = {
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "lms": "LMS",
    "dpm_2": "DPM2",
    "dpm_2_ancestral": "DPM2 a",
    "dpm_fast": "DPM fast",
    "dpm_adaptive": "DPM adaptive",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_sde_gpu": "DPM++ SDE",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_gpu": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "dpmpp_3m_sde_gpu": "DPM++ 3M SDE",
    "ddim": "DDIM",
    "uni_pc": "UniPC",
    "lcm": "LCM",
}
"""ComfyUI's sampler to A1111's name of it."""

SCHEDULES: Mapping[str, str] = {
    "karras": "Karras",
    "exponential": "Exponential",
    "sgm_uniform": "SGM Uniform",
    "simple": "Simple",
    "normal": "Normal",
    "ddim_uniform": "DDIM",
    "beta": "Beta",
}
"""ComfyUI's scheduler to A1111's name of it."""

_OUTPUTS = ("SaveImage", "SaveAnimatedWEBP", "SaveAnimatedPNG", "PreviewImage", "ImageSave", "Image Save")
_OUTPUTS_TRIED = 20
_TEXT_KEYS = (
    "text",
    "text_g",
    "text_l",
    "clip_l",
    "t5xxl",
    "prompt",
    "positive",
    "string",
    "text1",
    "text2",
    "string_a",
    "string_b",
)
_MODEL_KEYS = ("ckpt_name", "unet_name", "model_name")


def from_comfy(texts: Mapping[str, str], *, carrier: str) -> Parameters | None:
    """Read a picture's `prompt` or else `workflow`; None when neither is a ComfyUI graph."""
    graph = read_api_graph(loads(texts.get("prompt", "")))
    raw = texts.get("prompt", "")
    if graph is None:
        graph, raw = read_ui_graph(loads(texts.get("workflow", ""))), texts.get("workflow", "")
    if graph is None:
        return None
    sampler = _first_sampler(graph)
    if sampler is None:
        return Parameters(prompt="", source="comfyui", carrier=carrier, raw=raw)
    prompt, negative = (_prompt(graph, sampler, side) for side in ("positive", "negative"))
    found = [*_files(graph, sampler), *_embeddings(prompt + "\n" + negative), *named_resources(prompt, negative, {})]
    resources = merged(found)
    settings = _settings(graph, sampler, resources)
    return Parameters(prompt, negative, settings, source="comfyui", carrier=carrier, raw=raw, resources=resources)


def _first_sampler(graph: Graph) -> Node | None:
    """Give the sampler that made the first latent of the picture that was saved."""
    outputs = [node for node in graph.nodes.values() if node.type.startswith(_OUTPUTS)]
    for output in outputs[:_OUTPUTS_TRIED]:
        samplers = [node for node in graph.upstream(output) if _is_sampler(node)]
        if samplers:
            return samplers[-1]
    return next((node for node in graph.nodes.values() if _is_sampler(node)), None)


def _is_sampler(node: Node) -> bool:
    inputs = node.inputs
    has_steps = "steps" in inputs or "sigmas" in inputs
    return has_steps and ("latent_image" in inputs or "positive" in inputs) and node.type != "BasicScheduler"


def _prompt(graph: Graph, sampler: Node, side: str) -> str:
    """Give the texts behind one side of a sampler, in order, one a line."""
    start = sampler if side in sampler.inputs else graph.behind(sampler.inputs.get("guider"))
    if start is None:
        return ""
    key = side if side in start.inputs else "conditioning" if side == "positive" else ""
    first = graph.behind(start.inputs.get(key))
    if first is None:
        return ""
    found: list[str] = []
    seen, stack = set[str](), [first]
    while stack:
        node = stack.pop()
        if node.id in seen:
            continue
        seen.add(node.id)
        texts = [text for text in (graph.value(node, name) for name in _TEXT_KEYS) if isinstance(text, str) and text]
        found += [text for text in texts if text not in found]
        stack += [] if texts else reversed(list(_conditioning(graph, node, side)))
    return "\n".join(found).strip()


def _conditioning(graph: Graph, node: Node, side: str) -> Iterator[Node]:
    """Yield what feeds a conditioning node; where a node passes both sides on, only `side`."""
    both = "positive" in node.inputs and "negative" in node.inputs
    for key, value in node.inputs.items():
        other = graph.behind(value)
        if (
            other is not None
            and (key == side or not both)
            and key not in {"clip", "model", "vae", "image", "control_net"}
        ):
            yield other


def _files(graph: Graph, sampler: Node) -> Iterator[Resource]:
    """Yield the model, LoRAs in the order they are applied, and VAE."""
    nodes = list(graph.upstream(sampler))
    for node in nodes:
        name = graph.value(node, *_MODEL_KEYS)
        if isinstance(name, str) and "lora_name" not in node.inputs and "upscale" not in node.type.lower():
            yield Resource("model", stem(name))
            break
    for node in reversed(nodes):
        yield from _loras(graph, node)
    for node in graph.nodes.values():
        if isinstance(name := graph.value(node, "vae_name"), str):
            yield Resource("vae", stem(name))


def _loras(graph: Graph, node: Node) -> Iterator[Resource]:
    name = graph.value(node, "lora_name")
    if isinstance(name, str) and name != "None":
        yield Resource("lora", stem(name), weight=number(graph.value(node, "strength_model", "lora_wt", "strength")))
    for key, value in node.inputs.items():  # stackers: lora_name_1, or lora_1 = {"on": true, "lora": …, "strength": …}
        number_text = key.removeprefix("lora_name_")
        if number_text != key and number_text.isdigit() and isinstance(value, str) and value != "None":
            weight = graph.value(node, f"model_str_{number_text}", f"lora_wt_{number_text}")
            yield Resource("lora", stem(value), weight=number(weight))
        if isinstance(value, dict) and isinstance(value.get("lora"), str) and value.get("on", True):
            yield Resource("lora", stem(value["lora"]), weight=number(value.get("strength")))


def _embeddings(text: str) -> Iterator[Resource]:
    for part in text.split("embedding:")[1:]:
        word = part.split(maxsplit=1)[0] if part.strip() and not part[0].isspace() else ""
        name = word.split(":")[0].split(",")[0].rstrip(")]")
        if name:
            yield Resource("embedding", stem(name))


def _settings(graph: Graph, sampler: Node, resources: tuple[Resource, ...]) -> dict[str, str]:
    near = list(graph.upstream(sampler))
    sampler_name, scheduler = (_text(_nearest(graph, near, key)) for key in ("sampler_name", "scheduler"))
    width, height = _nearest_size(graph, near)
    skip = number(_nearest(graph, near, "stop_at_clip_layer"))
    model = next((resource.name for resource in resources if resource.kind == "model"), "")
    vae = next((resource.name for resource in resources if resource.kind == "vae"), "")
    denoise = number(_nearest(graph, near, "denoise"))
    values = {
        "Steps": _text(_nearest(graph, near, "steps")),
        "Sampler": SAMPLERS.get(sampler_name, sampler_name),
        "Schedule type": SCHEDULES.get(scheduler, scheduler),
        "CFG scale": _text(_nearest(graph, near, "cfg")),
        "Seed": _text(_nearest(graph, near, "seed", "noise_seed")),
        "Size": f"{width}x{height}" if width and height else "",
        "Model": model,
        "VAE": vae,
        "Denoising strength": _text(denoise) if denoise is not None and denoise < 1 else "",
        "Clip skip": str(int(-skip)) if skip is not None and skip < 0 else "",
    }
    return {key: value for key, value in values.items() if value}


def _nearest(graph: Graph, near: list[Node], *keys: str) -> Any:
    return next((value for node in near if (value := graph.value(node, *keys)) is not None), None)


def _nearest_size(graph: Graph, near: list[Node]) -> tuple[int, int]:
    for node in near:
        width, height = number(graph.value(node, "width")), number(graph.value(node, "height"))
        if width and height and "latent" in node.type.lower():
            return int(width), int(height)
    return 0, 0


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else ""
    return str(value)
