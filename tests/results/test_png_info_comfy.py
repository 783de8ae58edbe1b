"""ComfyUI's graphs told in A1111's words: prompts followed from the sampler, models, LoRAs, hostile graphs."""

import json
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kohya_wrap.errors import DatasetError
from kohya_wrap.results.parameters import Parameters, parse_text, read_parameters, to_text

Nodes = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def graph(**changed: dict[str, Any]) -> Nodes:
    """ComfyUI's first graph with one LoRA; nodes are replaced or added by name n3=…."""
    nodes = {
        "3": node(
            "KSampler",
            seed=0,
            steps=20,
            cfg=8.0,
            sampler_name="dpmpp_2m",
            scheduler="karras",
            denoise=1.0,
            model=["10", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "4": node("CheckpointLoaderSimple", ckpt_name="sd15/crosskemono25.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text="a fox, embedding:good:1.1", clip=["10", 1]),
        "7": node("CLIPTextEncode", text="(embedding:EasyNegative.pt:0.8), blurry", clip=["10", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
        "10": node("LoraLoader", lora_name="foxes.safetensors", strength_model=0.8, strength_clip=1.0)
        | {"inputs": {"lora_name": "foxes.safetensors", "strength_model": 0.8, "model": ["4", 0], "clip": ["4", 1]}},
    }
    return nodes | {key[1:]: value for key, value in changed.items()}


def save(path: Path, nodes: object, key: str = "prompt", **more: str) -> Path:
    info = PngInfo()
    for name, text in {key: nodes if isinstance(nodes, str) else json.dumps(nodes), **more}.items():
        info.add_text(name, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def read(tmp_path: Path, nodes: object) -> Parameters:
    return read_parameters(save(tmp_path / "a.png", nodes))


def test_prompts_are_told_apart_by_the_sampler(tmp_path: Path) -> None:
    """Which text is negative is known from the sampler's inputs alone."""
    swapped = graph()
    swapped["3"]["inputs"] |= {"positive": ["7", 0], "negative": ["6", 0]}
    assert read(tmp_path, graph()).prompt == "a fox, embedding:good:1.1"
    assert read(tmp_path, swapped).negative_prompt == "a fox, embedding:good:1.1"


def test_settings_are_in_a1111_s_words(tmp_path: Path) -> None:
    """Sampler and schedule have A1111's names; a seed of 0 is a seed."""
    parameters = read(tmp_path, graph())
    assert dict(parameters.settings) == {
        "Steps": "20",
        "Sampler": "DPM++ 2M",
        "Schedule type": "Karras",
        "CFG scale": "8",
        "Seed": "0",
        "Size": "512x768",
        "Model": "crosskemono25",
    }
    assert parameters.source == "comfyui"


def test_written_as_a1111_does(tmp_path: Path) -> None:
    """A graph becomes text that the WebUI's reader takes."""
    parameters = read(tmp_path, graph())
    again = parse_text(to_text(parameters))
    assert (again.prompt, again.negative_prompt, again.settings) == (
        parameters.prompt,
        parameters.negative_prompt,
        parameters.settings,
    )


def test_model_lora_and_embeddings(tmp_path: Path) -> None:
    """Files are named without folder and ending, as prompts name them."""
    parameters = read(tmp_path, graph())
    assert parameters.model is not None
    assert parameters.model.name == "crosskemono25"
    assert [(lora.name, lora.weight) for lora in parameters.loras] == [("foxes", 0.8)]
    assert [embedding.name for embedding in parameters.embeddings] == ["good", "EasyNegative"]


def test_loras_in_the_order_they_are_applied(tmp_path: Path) -> None:
    """A chain of loaders is listed from the checkpoint on; stackers and switched-off entries are understood."""
    nodes = graph(
        n4b=node("LoraLoaderModelOnly", lora_name="first.safetensors", strength_model=0.5, model=["4", 0]),
        n11=node(
            "Power Lora Loader (rgthree)",
            lora_1={"on": True, "lora": "third.safetensors", "strength": 0.3},
            lora_2={"on": False, "lora": "off.safetensors", "strength": 1},
            model=["10", 0],
        ),
    )
    nodes["10"]["inputs"]["model"] = ["4b", 0]
    nodes["3"]["inputs"]["model"] = ["11", 0]
    assert [(lora.name, lora.weight) for lora in read(tmp_path, nodes).loras] == [
        ("first", 0.5),
        ("foxes", 0.8),
        ("third", 0.3),
    ]


def test_text_behind_links(tmp_path: Path) -> None:
    """A prompt may come from a string node, and a seed from a number node."""
    nodes = graph(
        n6=node("CLIPTextEncode", text=["20", 0]), n20=node("Text", value="a linked fox"), n21=node("Int", value=77)
    )
    nodes["3"]["inputs"]["seed"] = ["21", 0]
    parameters = read(tmp_path, nodes)
    assert (parameters.prompt, parameters.seed) == ("a linked fox", 77)


def test_combined_and_passed_on_conditioning(tmp_path: Path) -> None:
    """Combined prompts are joined; a node that passes both sides on keeps them apart."""
    nodes = graph(
        n30=node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["31", 0]),
        n31=node("CLIPTextEncode", text="second"),
        n32=node("ControlNetApplyAdvanced", positive=["30", 0], negative=["7", 0], image=["33", 0]),
        n33=node("LoadImage", image="x.png"),
    )
    nodes["3"]["inputs"] |= {"positive": ["32", 0], "negative": ["32", 1]}
    parameters = read(tmp_path, nodes)
    assert parameters.prompt == "a fox, embedding:good:1.1\nsecond"
    assert parameters.negative_prompt == "(embedding:EasyNegative.pt:0.8), blurry"


def test_the_first_pass_counts(tmp_path: Path) -> None:
    """A second sampler on the first one's latent is an upscale; its steps are not the picture's."""
    second = dict(graph()["3"]["inputs"]) | {"steps": 9, "seed": 5, "denoise": 0.4, "latent_image": ["3", 0]}
    nodes = graph(n40=node("KSampler", **second), n8=node("VAEDecode", samples=["40", 0], vae=["4", 2]))
    parameters = read(tmp_path, nodes)
    assert (parameters.steps, parameters.seed) == (20, 0)


def test_the_custom_sampler_of_flux(tmp_path: Path) -> None:
    """Noise, guider, sampler and steps may be nodes of their own."""
    nodes = {
        "1": node(
            "SamplerCustomAdvanced",
            noise=["2", 0],
            guider=["3", 0],
            sampler=["4", 0],
            sigmas=["5", 0],
            latent_image=["6", 0],
        ),
        "2": node("RandomNoise", noise_seed=42),
        "3": node("BasicGuider", model=["7", 0], conditioning=["8", 0]),
        "4": node("KSamplerSelect", sampler_name="euler"),
        "5": node("BasicScheduler", scheduler="simple", steps=25, denoise=1, model=["7", 0]),
        "6": node("EmptySD3LatentImage", width=1024, height=1024),
        "7": node("UNETLoader", unet_name="flux1-dev.safetensors"),
        "8": node("CLIPTextEncode", text="a fox"),
        "9": node("SaveImage", images=["1", 0]),
    }
    parameters = read(tmp_path, nodes)
    assert (parameters.prompt, parameters.seed, parameters.steps) == ("a fox", 42, 25)
    assert (parameters.sampler, parameters.size) == ("Euler", (1024, 1024))


def test_clip_skip_and_vae(tmp_path: Path) -> None:
    """ComfyUI counts layers from the end with a minus sign."""
    nodes = graph(
        n12=node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["10", 1]), n13=node("VAELoader", vae_name="kl-f8.pt")
    )
    nodes["6"]["inputs"]["clip"] = ["12", 0]
    parameters = read(tmp_path, nodes)
    assert parameters.clip_skip == 2
    assert parameters.vae is not None
    assert parameters.vae.name == "kl-f8"


def test_json_with_nan(tmp_path: Path) -> None:
    """ComfyUI writes NaN and Infinity, which JSON does not know."""
    nodes = graph()
    nodes["6"]["is_changed"] = [float("nan"), float("inf")]
    nodes["3"]["inputs"]["cfg"] = float("nan")
    parameters = read(tmp_path, nodes)
    assert (parameters.prompt, parameters.cfg_scale) == ("a fox, embedding:good:1.1", None)


WORKFLOW = {
    "nodes": [
        {"id": 1, "type": "CheckpointLoaderSimple", "widgets_values": ["sd15.safetensors"]},
        {"id": 2, "type": "CLIPTextEncode", "widgets_values": ["a fox"], "inputs": [{"name": "clip", "link": 9}]},
        {"id": 3, "type": "CLIPTextEncode", "widgets_values": ["bad"]},
        {"id": 4, "type": "EmptyLatentImage", "widgets_values": [640, 512, 1]},
        {
            "id": 5,
            "type": "KSampler",
            "widgets_values": [7, "fixed", 30, 6.5, "euler_ancestral", "normal", 1],
            "inputs": [
                {"name": name, "link": index}
                for index, name in enumerate(("model", "positive", "negative", "latent_image"))
            ],
        },
        {"id": 6, "type": "SaveImage", "inputs": [{"name": "images", "link": 4}]},
    ],
    "links": [[index, index + 1, 0, 5, index, "X"] for index in range(4)]
    + [[4, 5, 0, 6, 0, "IMAGE"], [9, 1, 1, 2, 0, "CLIP"]],
}


def test_a_ui_graph_alone(tmp_path: Path) -> None:
    """Where only `workflow` is there, the values of ComfyUI's own nodes are known by their places."""
    parameters = read_parameters(save(tmp_path / "a.png", WORKFLOW, key="workflow"))
    assert (parameters.prompt, parameters.negative_prompt) == ("a fox", "bad")
    assert (parameters.seed, parameters.steps, parameters.sampler, parameters.size) == (7, 30, "Euler a", (640, 512))


def test_a_text_beside_the_graph_wins(tmp_path: Path) -> None:
    """Nodes that save A1111's text too know hashes, which the graph does not."""
    path = save(tmp_path / "a.png", graph(), parameters="p\nSteps: 1, Seed: 2, Model hash: aabbccddee")
    assert read_parameters(path).prompt == "p"


def test_an_animated_webp(tmp_path: Path) -> None:
    """ComfyUI's animated WebP has prompt:{…} in the EXIF tag Model and workflow:{…} in Make."""
    exif = Image.Exif()
    exif[0x0110] = "prompt:" + json.dumps(graph())
    exif[0x010F] = "workflow:" + json.dumps(WORKFLOW)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.webp", exif=exif)
    assert read_parameters(tmp_path / "a.webp").prompt == "a fox, embedding:good:1.1"


def test_an_animated_png(tmp_path: Path) -> None:
    """ComfyUI's animated PNG has its graph in a chunk `comf` after the image data."""
    body = b"comf" + b"prompt\0" + json.dumps(graph()).encode()
    piece = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[:-12] + piece + data[-12:])
    assert read_parameters(tmp_path / "a.png").seed == 0


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "NaN", "{", '{"1": 5}', '{"1": {"class_type": "X"}}', "[" * 100_000]
)
def test_what_is_no_graph(tmp_path: Path, text: str) -> None:
    """A prompt that is no graph is no parameters."""
    with pytest.raises(DatasetError, match="holds no generation parameters"):
        read_parameters(save(tmp_path / "a.png", text))


def test_a_graph_that_goes_in_circles(tmp_path: Path) -> None:
    """Links that lead back, to themselves or to nowhere end the search, not the program."""
    nodes = graph(
        n6=node("Loop", conditioning=["6", 0], other=["7", 0], text=["6", 0]),
        n10=node("Loop", model=["10", 0], x=["999", 0]),
    )
    parameters = read(tmp_path, nodes)
    assert parameters.seed == 0


@pytest.mark.parametrize("value", [None, [], {}, [[]], ["3"], [["3"], 0], True, "x" * 100, -(10**30), 1e300])
@pytest.mark.parametrize("key", ["seed", "steps", "positive", "model", "latent_image", "sampler_name", "cfg"])
def test_wrong_types_are_left_out(tmp_path: Path, key: str, value: object) -> None:
    """Any JSON value in any place of a sampler gives parameters without that value."""
    nodes = graph()
    nodes["3"]["inputs"][key] = value
    assert read(tmp_path, nodes).source == "comfyui"


def test_a_graph_of_a_megabyte_takes_under_a_second(tmp_path: Path) -> None:
    """Many outputs on one long chain are not walked again and again."""
    nodes: Nodes = {str(n): node("X", model=[str(n + 1), 0], text=[str(n + 1), 0]) for n in range(8000)}
    nodes |= {f"s{n}": node("SaveImage", images=["0", 0]) for n in range(8000)}
    nodes["t"] = node("KSampler", steps=1, model=["0", 0], positive=["0", 0], latent_image=["0", 0])
    path = save(tmp_path / "a.png", nodes)
    assert path.stat().st_size > 1_000_000
    started = time.process_time()
    read_parameters(path)
    assert time.process_time() - started < 1
