"""Drawing on ComfyUI: the graph it is given, and what is said when it misbehaves."""

import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_lora import lora_of, write_lora
from PIL import Image
from webui_servers import Asked, FakeUI, Reply, as_json, comfyui_routes, serving

from kohya_wrap.engines.drawing.types import Drawn, Picture, UsedLora
from kohya_wrap.errors import WebUIError
from kohya_wrap.results.parameters import read_parameters
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui.comfy_graph import Names, graph_of, sampler_names
from kohya_wrap.results.webui.comfyui import ADDRESS_VARIABLE, comfyui_server
from kohya_wrap.results.webui.comfyui_drawer import ComfyUIDrawer

BASE = Base("crosskemono")
PICTURE = Picture(
    target=Path("out.png"),
    prompt="a wolf",
    negative_prompt="blurry",
    seed=7,
    steps=12,
    cfg_scale=6.5,
    sampler="DPM++ 2M",
    schedule="Karras",
    width=64,
    height=64,
    clip_skip=2,
    loras=(UsedLora("tiger-10", Path("Loras/tiger-10.safetensors"), 0.5),),
    parameters="a wolf\nNegative prompt: blurry\nSteps: 12, Seed: 7, Size: 64x64",
)


@pytest.fixture
def server() -> Iterator[FakeUI]:
    """A ComfyUI that has model and LoRA."""
    with serving(comfyui_routes()) as server:
        yield server


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    """A picture to draw."""
    path = write_lora(tmp_path / "tiger-10.safetensors", lora_of(), {"sshs_model_hash": "ab" * 32})
    return replace(PICTURE, target=tmp_path / "out.png", loras=(UsedLora("tiger-10", path, 0.5),))


def draw(server: FakeUI, *pictures: Picture, base: Base = BASE, within: float = 20) -> list[Drawn]:
    drawn: list[Drawn] = []
    drawer = ComfyUIDrawer(comfyui_server({ADDRESS_VARIABLE: server.url}), base, within)
    drawer.draw(pictures, on_drawn=drawn.append)
    return drawn


def refusal(server: FakeUI, picture: Picture, base: Base = BASE, within: float = 20) -> str:
    with pytest.raises(WebUIError) as caught:
        draw(server, picture, base=base, within=within)
    assert not picture.target.exists()
    return str(caught.value)


def test_a_picture_arrives_with_both_programs_texts(server: FakeUI, picture: Picture) -> None:
    """ComfyUI's graph stays in it, and A1111's parameters are added, so that either program reads it."""
    draw(server, picture)
    with Image.open(picture.target) as image:
        assert image.info["prompt"] == '{"1": {}}'
        assert image.info["parameters"] == picture.parameters
    assert read_parameters(picture.target).seed == 7
    view = next(asked for asked in server.asked if asked.path == "/view")
    assert view.query == {"filename": "kohya_wrap_00001_.png", "subfolder": "sub", "type": "output"}


def test_the_graph_uses_the_server_s_names(server: FakeUI, picture: Picture) -> None:
    """Files lie in sub-folders there, with either slash."""
    draw(server, picture)
    (body,) = server.bodies("/prompt")
    assert body["prompt"]["model"]["inputs"]["ckpt_name"] == "anime\\crosskemono.safetensors"
    assert body["prompt"]["lora0"]["inputs"]["lora_name"] == "mine/tiger-10.safetensors"


def test_a_graph_in_full() -> None:
    """Model, LoRA, clip skip, VAE, prompts, noise, sampler, picture: each reads from the one before."""
    graph = graph_of(PICTURE, Names("m.safetensors", "v.safetensors", {PICTURE.loras[0].path: "t.safetensors"}))
    assert {name: node["class_type"] for name, node in graph.items()} == {  # type: ignore[index]
        "model": "CheckpointLoaderSimple",
        "lora0": "LoraLoader",
        "skip": "CLIPSetLastLayer",
        "vae": "VAELoader",
        "positive": "CLIPTextEncode",
        "negative": "CLIPTextEncode",
        "noise": "EmptyLatentImage",
        "sampler": "KSampler",
        "decoded": "VAEDecode",
        "saved": "SaveImage",
    }
    inputs = {name: node["inputs"] for name, node in graph.items()}  # type: ignore[index]
    assert inputs["lora0"]["strength_model"] == inputs["lora0"]["strength_clip"] == 0.5
    assert (inputs["skip"]["clip"], inputs["skip"]["stop_at_clip_layer"]) == (["lora0", 1], -2)
    assert inputs["positive"] == {"clip": ["skip", 0], "text": "a wolf"}
    sampler = inputs["sampler"]
    assert (sampler["model"], sampler["sampler_name"], sampler["scheduler"]) == (["lora0", 0], "dpmpp_2m", "karras")
    assert (sampler["seed"], sampler["steps"], sampler["cfg"], sampler["denoise"]) == (7, 12, 6.5, 1.0)
    assert inputs["decoded"]["vae"] == ["vae", 0]


def test_a_plain_picture_needs_no_more_nodes() -> None:
    """No LoRA, the last layer, the model's own VAE."""
    graph = graph_of(replace(PICTURE, loras=(), clip_skip=1), Names("m", "", {}))
    assert len(graph) == 7
    assert graph["decoded"]["inputs"]["vae"] == ["model", 2]  # type: ignore[index]


@pytest.mark.parametrize(
    ("names", "theirs"),
    [
        (("Euler a", "Automatic"), ("euler_ancestral", "normal")),
        (("DPM++ 2M", "Automatic"), ("dpmpp_2m", "karras")),
        (("DPM++ 2M SDE", "Automatic"), ("dpmpp_2m_sde", "exponential")),
        (("DDIM", "Automatic"), ("ddim", "ddim_uniform")),
        (("DDIM", "Karras"), ("ddim", "ddim_uniform")),  # A1111 has no other steps for it
        (("euler A", ""), ("euler_ancestral", "normal")),
        (("UniPC", "SGM Uniform"), ("uni_pc", "sgm_uniform")),
        (("res_multistep", "bong_tangent"), ("res_multistep", "bong_tangent")),
    ],
)
def test_names_of_samplers(names: tuple[str, str], theirs: tuple[str, str]) -> None:
    """A1111's become ComfyUI's; "Automatic" is what A1111 does; others pass as they are."""
    assert sampler_names(*names) == theirs


@pytest.mark.parametrize(
    ("change", "base", "said"),
    [
        ({}, Base("nowhere"), "the base model nowhere; it has other.ckpt"),
        ({}, Base("crosskemono", vae="no-vae"), "the VAE no-vae"),
        ({"sampler": "PLMS"}, BASE, "what A1111 calls PLMS"),
        ({"schedule": "Beta"}, BASE, "what A1111 calls Beta"),
        ({"loras": (UsedLora("wolf", Path("wolf.safetensors"), 1.0),)}, BASE, "the LoRA wolf"),
    ],
)
def test_what_the_server_lacks(
    server: FakeUI, picture: Picture, change: dict[str, object], base: Base, said: str
) -> None:
    """Said before anything is queued, with what there is."""
    assert said in refusal(server, replace(picture, **change), base)  # type: ignore[arg-type]
    assert server.bodies("/prompt") == []


REFUSED = {
    "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation", "details": ""},
    "node_errors": {"model": {"errors": [{"message": "Value not in list", "details": "ckpt_name: 'm' not in []"}]}},
}
FAILED = {
    "status": {
        "status_str": "error",
        "messages": [
            ["execution_start", {}],
            ["execution_error", {"node_type": "KSampler", "exception_message": "OOM"}],
        ],
    }
}


@pytest.mark.parametrize(
    ("path", "reply", "said"),
    [
        (
            "/prompt",
            as_json({"error": {"message": "Prompt outputs failed validation"}, "node_errors": {}}, 400),
            "failed",
        ),
        ("/prompt", as_json({"prompt_id": "p1", "node_errors": {"3": "bad"}}), "does not take the graph"),
        ("/prompt", as_json([]), "something else"),
        ("/prompt", as_json(REFUSED, 400), "Value not in list: ckpt_name: 'm' not in []"),
        ("/history/p1", as_json([]), "something else"),
        ("/history/p1", as_json({"p1": FAILED}), "KSampler: OOM"),
        ("/history/p1", as_json({"p1": {"status": {"status_str": "error"}}}), "could not draw it"),
        ("/history/p1", as_json({"p1": {"outputs": {}, "status": {}}}), "without a picture"),
        ("/view", Reply(body=b"not a png"), "no whole picture"),
        ("/view", Reply(body=b"\x89PNG\r\n\x1a\n cut"), "no whole picture"),
        ("/object_info/KSampler", as_json({}), "does not tell the choices of KSampler"),
        ("/object_info/KSampler", Reply(200, b"<html>"), "a web page"),
    ],
)
def test_what_goes_wrong_is_said(server: FakeUI, picture: Picture, path: str, reply: Reply, said: str) -> None:
    """Each has its sentence, and no file appears."""
    server.wrong = lambda asked: reply if asked.path == path else None
    assert said in refusal(server, picture)


def test_one_that_never_ends_is_given_up(server: FakeUI, picture: Picture) -> None:
    """After the seconds that a picture may take."""
    server.wrong = lambda asked: as_json({}) if asked.path.startswith("/history") else None
    assert "did not draw it within 0.3 s" in refusal(server, picture, within=0.3)
    assert server.bodies("/queue")[0] == {"delete": ["p1"]}
    assert server.bodies("/interrupt") == [{"prompt_id": "p1"}]


def test_nobody_listens(picture: Picture) -> None:
    """The address and its variable are named."""
    with serving({}) as server:
        address = server.url
    with pytest.raises(WebUIError, match=ADDRESS_VARIABLE):
        ComfyUIDrawer(comfyui_server({ADDRESS_VARIABLE: address}), BASE).draw([picture], on_drawn=lambda drawn: None)


@pytest.mark.parametrize(("running", "stopped"), [("p1", [{"prompt_id": "p1"}]), ("of-another", [])])
def test_ctrl_c_stops_its_own_work_alone(
    server: FakeUI, picture: Picture, running: str, stopped: list[dict[str, str]]
) -> None:
    """What waits is taken out of the queue; what others draw goes on."""

    def pressed(asked: Asked) -> Reply | None:
        if asked.path == "/queue" and asked.method == "GET":
            return as_json({"queue_running": [[1, running, {}]], "queue_pending": []})
        if asked.path == "/history/p1":
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            return Reply(seconds=0.3)
        return None

    server.wrong = pressed
    with pytest.raises(KeyboardInterrupt):
        draw(server, picture)
    assert server.bodies("/queue")[0] == {"delete": ["p1"]}
    assert server.bodies("/interrupt") == stopped


def test_another_lora_of_that_name_is_not_drawn_with(server: FakeUI, picture: Picture) -> None:
    """The server tells what kohya wrote into the file; where it does not, the name is all there is."""
    server.routes = {"/view_metadata/": lambda asked: as_json({"sshs_model_hash": "cd" * 32}), **server.routes}
    assert "another LoRA of the name tiger-10" in refusal(server, picture)
    assert server.asked[-1].query == {"filename": "mine/tiger-10.safetensors"}
    server.routes["/view_metadata/"] = lambda asked: Reply(404)
    assert len(draw(server, picture)) == 1


def test_embeddings_are_named_as_comfyui_wants_them(server: FakeUI, picture: Picture) -> None:
    """Whole words alone, and not those that are named so already."""
    drawer = ComfyUIDrawer(comfyui_server({ADDRESS_VARIABLE: server.url}), BASE, embeddings=("bad", "bad-hands"))
    words = "(bad-hands:1.2), Bad, badger, embedding:bad"
    drawer.draw([replace(picture, negative_prompt=words)], on_drawn=lambda drawn: None)
    (body,) = server.bodies("/prompt")
    said = body["prompt"]["negative"]["inputs"]["text"]
    assert said == "(embedding:bad-hands:1.2), embedding:Bad, badger, embedding:bad"


@pytest.mark.parametrize(
    ("prompt", "count"), [("a [wolf:dog:0.5]", 1), ("a BREAK b", 1), (r"a \[wolf\]", 0), ("a (wolf:1.2)", 0)]
)
def test_what_comfyui_reads_otherwise_is_said(server: FakeUI, picture: Picture, prompt: str, count: int) -> None:
    """Brackets and BREAK are words to it; weights are not."""
    (drawn,) = draw(server, replace(picture, prompt=prompt))
    assert len(drawn.notes) == count


ODD: list[object] = [None, [], {}, 5, "x", {"p1": 5}, {"p1": {"outputs": {"a": 5, "b": {"images": 5}}, "status": 5}}]
ODD += [{"p1": {"status": {"status_str": "error", "messages": 5}}}, {"prompt_id": 5}, {"KSampler": {"input": []}}]


@pytest.mark.parametrize(
    "path", ["/object_info/KSampler", "/object_info/LoraLoader", "/prompt", "/history/p1", "/view"]
)
def test_any_json_is_survived(server: FakeUI, picture: Picture, path: str) -> None:
    """Whatever comes from any door: an error of our own."""
    for odd in ODD:
        body = json.dumps(odd).encode()
        server.wrong = lambda asked, body=body: Reply(200, body) if asked.path == path else None  # type: ignore[misc]
        refusal(server, picture, within=0.05)
