"""A run's test pictures by a web UI's server: the same grid, and what was drawn is known again."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers_samples import Painter, make_run
from webui_servers import Routes, as_json, comfyui_routes, serving, webui_routes

from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.errors import WebUIError
from kohya_wrap.results.parameters import read_parameters
from kohya_wrap.sampling import Samples, draw, set_up
from kohya_wrap.studio import Studio


def studio_for(root: Path, draw_with: str, **more: object) -> Studio:
    stated = {"prompts": ("a tiger",), "weights": (0, 0.5), "width": 64, "height": 64, "sampler": "Euler a"}
    return make_run(root, samples=SamplesConfig.model_validate({**stated, **more, "draw_with": draw_with}))


def drawn(studio: Studio) -> Samples:
    return draw(set_up(studio), tell=lambda event: None)


def webui_of(studio: Studio) -> Routes:
    """Make the routes of a WebUI that has the run's base model and LoRAs, all of one alias."""
    loras: list[dict[str, object]] = [{"name": Path(each.path).stem, "alias": "tiger"} for each in studio.record.loras]
    routes = webui_routes(loras)
    model = {"title": "kemono.safetensors", "sha256": studio.record.base_model.sha256}
    routes["/sdapi/v1/sd-models"] = lambda asked: as_json([model])
    return routes


def test_a_webui_draws_the_grid_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Base model and LoRA are asked for; the pictures keep the server's parameters, and are not drawn again."""
    studio = studio_for(tmp_path, "webui")
    with serving(webui_of(studio)) as server:
        monkeypatch.setenv("KOHYA_WRAP_WEBUI_URL", server.url)
        first = drawn(studio)
        prompts = [body["prompt"] for body in server.bodies("/sdapi/v1/txt2img")]
        second = drawn(studio)
        assert len(server.bodies("/sdapi/v1/txt2img")) == 2
    assert prompts == ["a tiger", "a tiger <lora:tiger-03:0.5>"]
    assert (first.failure, second.failure, first.missing) == (None, None, 0)
    assert second.pictures == first.pictures
    assert first.grids[0].is_file()
    assert read_parameters(first.pictures[1]).seed == 7  # as the server says


def test_each_way_to_draw_has_its_own_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What diffusers drew is not taken for a server's, nor that of one server for the other's."""
    studio = studio_for(tmp_path, "diffusers", weights=(0,))
    draw(set_up(studio), tell=lambda event: None, drawer=Painter())
    routes = comfyui_routes()
    offered = {
        "CheckpointLoaderSimple": {"ckpt_name": [["kemono.safetensors"]]},
        "KSampler": {"sampler_name": [["euler_ancestral"]], "scheduler": [["normal"]]},
    }
    routes["/object_info/"] = lambda asked: as_json({key: {"input": {"required": offered[key]}} for key in offered})
    with serving(webui_of(studio)) as webui, serving(routes) as comfyui:
        monkeypatch.setenv("KOHYA_WRAP_WEBUI_URL", webui.url)
        monkeypatch.setenv("KOHYA_WRAP_COMFYUI_URL", comfyui.url)
        for kind in ("webui", "comfyui", "webui", "comfyui"):
            changed = replace(studio, samples=studio.samples.model_copy(update={"draw_with": kind}))
            assert drawn(changed).failure is None
        assert (len(webui.bodies("/sdapi/v1/txt2img")), len(comfyui.bodies("/prompt"))) == (1, 1)
    names = sorted(path.name for path in studio.paths.samples.glob("tiger*.png"))
    assert names == ["tiger_w0_p1-2.png", "tiger_w0_p1-3.png", "tiger_w0_p1.png"]
    assert set_up(studio).todo == ()


def test_a_server_that_lacks_the_loras_names_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once; the grid shows why its cells are empty, and nothing was generated."""
    studio = studio_for(tmp_path, "webui", epochs="all")
    with serving({**webui_of(studio), "/sdapi/v1/loras": lambda asked: as_json([])}) as server:
        monkeypatch.setenv("KOHYA_WRAP_WEBUI_URL", server.url)
        samples = drawn(studio)
        assert server.bodies("/sdapi/v1/txt2img") == []
    assert isinstance(samples.failure, WebUIError)
    assert samples.missing == 4
    todos = [problem.todo for problem in samples.failure.problems]
    assert todos == [f"kohya-wrap lora install {each.path} --to webui" for each in studio.record.loras]
