"""Drawing on an A1111 WebUI: what is asked of it, and what is said when it misbehaves."""

import base64
import contextlib
import io
import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_lora import SAID, lora_of, write_lora
from PIL import Image
from webui_servers import SHA256, Asked, FakeUI, Reply, as_json, png, serving, webui_routes

from kohya_wrap.engines.drawing.types import Drawn, Picture, UsedLora
from kohya_wrap.errors import WebUIError
from kohya_wrap.results.parameters import read_parameters
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui import SERVERS
from kohya_wrap.results.webui.a1111 import ADDRESS_VARIABLE, AUTH_VARIABLE, lora_folder, webui_server
from kohya_wrap.results.webui.a1111_drawer import WebUIDrawer

BASE = Base("crosskemono", SHA256)


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (96, 64)).save(file, "JPEG")
    return file.getvalue()


PASSWORD = "hunter2:with:colons"


@pytest.fixture
def server() -> Iterator[FakeUI]:
    """A WebUI that has the tiger's LoRA."""
    tiger: dict[str, object] = {"name": "tiger-10", "alias": "lakto", "path": "/ui/models/Lora/x/tiger-10.safetensors"}
    with serving(webui_routes([tiger])) as server:
        yield server


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    """A picture with the tiger's LoRA."""
    path = write_lora(tmp_path / "tiger-10.safetensors", lora_of(), {**SAID, "sshs_model_hash": "ab" * 32})
    return Picture(
        target=tmp_path / "out.png",
        prompt="a (wolf:1.2)",
        negative_prompt="blurry",
        seed=7,
        steps=12,
        cfg_scale=6.5,
        sampler="DPM++ 2M",
        schedule="Karras",
        width=96,
        height=64,
        clip_skip=2,
        loras=(UsedLora("tiger-10", path, 0.5),),
        parameters="a wolf\nSteps: 12, Seed: 7, Size: 96x64",
    )


def drawer(server: FakeUI, base: Base = BASE, *, auth: str = "") -> WebUIDrawer:
    env = {ADDRESS_VARIABLE: f"{server.url}/", AUTH_VARIABLE: auth}
    made = SERVERS["webui"](env, base, ())
    assert isinstance(made, WebUIDrawer)
    return made


def draw(server: FakeUI, *pictures: Picture, base: Base = BASE, auth: str = "") -> list[Drawn]:
    drawn: list[Drawn] = []
    drawer(server, base, auth=auth).draw(pictures, on_drawn=drawn.append)
    return drawn


def refusal(server: FakeUI, picture: Picture, **more: object) -> str:
    with pytest.raises(WebUIError) as caught:
        draw(server, picture, **more)  # type: ignore[arg-type]
    assert not picture.target.exists()
    return str(caught.value)


def test_a_picture_arrives_as_the_server_made_it(server: FakeUI, picture: Picture) -> None:
    """With the server's own parameters; and what was asked is what the picture says."""
    (drawn,) = draw(server, picture)
    assert drawn.picture is picture
    with Image.open(picture.target) as image:
        assert image.size == (96, 64)
    assert read_parameters(picture.target).prompt == "a (wolf:1.2) <lora:tiger-10:0.5>"
    (body,) = server.bodies("/sdapi/v1/txt2img")
    assert (body["sampler_name"], body["scheduler"], body["seed"], body["steps"]) == ("DPM++ 2M", "Karras", 7, 12)
    assert (body["negative_prompt"], body["cfg_scale"]) == ("blurry", 6.5)
    settings = body["override_settings"]
    assert settings["sd_model_checkpoint"] == "anime/crosskemono.safetensors [167e5bcb37]"
    assert (settings["CLIP_stop_at_last_layers"], settings["randn_source"]) == (2, "CPU")
    assert body["override_settings_restore_afterwards"]


def test_parameters_are_added_where_the_server_writes_none(server: FakeUI, picture: Picture) -> None:
    """Its settings can switch them off."""
    plain = base64.b64encode(png((96, 64))).decode()
    server.routes["/sdapi/v1/txt2img"] = lambda asked: as_json({"images": [f"data:image/png;base64,{plain}"]})
    draw(server, picture)
    assert read_parameters(picture.target).seed == 7


def test_names_of_2023_are_one_word(server: FakeUI, picture: Picture) -> None:
    """Sampler and schedule in one, where the server lists them so."""
    server.routes["/sdapi/v1/samplers"] = lambda asked: as_json([{"name": "DPM++ 2M Karras"}])
    draw(server, picture)
    (body,) = server.bodies("/sdapi/v1/txt2img")
    assert body["sampler_name"] == "DPM++ 2M Karras"
    assert "scheduler" not in body


def test_a_model_without_a_hash_yet_goes_by_its_name(server: FakeUI, picture: Picture) -> None:
    """The server reads a file when it is used first."""
    entry = {"title": "crosskemono.safetensors", "model_name": "crosskemono", "hash": None, "sha256": None}
    server.routes["/sdapi/v1/sd-models"] = lambda asked: as_json([entry])
    draw(server, picture)
    (body,) = server.bodies("/sdapi/v1/txt2img")
    assert body["override_settings"]["sd_model_checkpoint"] == "crosskemono.safetensors"


@pytest.mark.parametrize(
    ("path", "reply", "said"),
    [
        ("/sdapi/v1/sd-models", as_json({"detail": "Not Found"}, 404), "started with --api"),
        ("/sdapi/v1/sd-models", as_json({"detail": "Unauthorized"}, 401), AUTH_VARIABLE),
        ("/sdapi/v1/sd-models", Reply(200, b"<html>gradio</html>"), "a web page"),
        ("/sdapi/v1/sd-models", as_json([{"title": "x.safetensors", "sha256": "f" * 64}]), "it has x.safetensors"),
        ("/sdapi/v1/samplers", as_json([{"name": "Heun"}]), "the sampler DPM++ 2M; it has Heun"),
        ("/sdapi/v1/samplers", as_json({"name": "Heun"}), "it has none"),
        ("/sdapi/v1/schedulers", as_json([{"label": "Uniform"}]), "the schedule Karras for DPM++ 2M; it has Uniform"),
        ("/sdapi/v1/samplers", Reply(302), "sends /sdapi/v1/samplers elsewhere"),
        (
            "/sdapi/v1/txt2img",
            as_json({"detail": [{"loc": ["body", "seed"], "msg": "no int"}]}, 422),
            "body.seed: no int",
        ),
        ("/sdapi/v1/txt2img", as_json({"images": [base64.b64encode(jpeg()).decode()]}), "it sends JPEG"),
        ("/sdapi/v1/loras", as_json([]), "lora install"),
        ("/sdapi/v1/txt2img", as_json({"detail": "Sampler not found"}, 404), "Sampler not found"),
        ("/sdapi/v1/txt2img", as_json({"error": "OutOfMemoryError", "errors": "CUDA out"}, 500), "CUDA out"),
        ("/sdapi/v1/txt2img", as_json({"images": []}), "no whole picture"),
        ("/sdapi/v1/txt2img", as_json({"images": ["!!"]}), "no whole picture"),
        ("/sdapi/v1/txt2img", as_json({"images": ["aGVsbG8="]}), "no whole picture"),
        ("/sdapi/v1/txt2img", as_json([]), "no whole picture"),
        ("/sdapi/v1/txt2img", Reply(200, b"{"), "something else than JSON"),
    ],
)
def test_what_goes_wrong_is_said(server: FakeUI, picture: Picture, path: str, reply: Reply, said: str) -> None:
    """Each has its sentence, and no file appears."""
    server.wrong = lambda asked: reply if asked.path == path else None
    assert said in refusal(server, picture)


def test_another_lora_of_that_name_is_not_drawn_with(server: FakeUI, picture: Picture) -> None:
    """The server tells the hash that kohya wrote into the file."""
    other = {"name": "tiger-10", "metadata": {"sshs_model_hash": "cd" * 32}}
    server.routes["/sdapi/v1/loras"] = lambda asked: as_json([other])
    assert "another LoRA of the name tiger-10" in refusal(server, picture)


def test_nobody_listens(picture: Picture) -> None:
    """The address, the flag and the variable are named."""
    with serving({}) as server:
        made = drawer(server, auth=PASSWORD)
    with pytest.raises(WebUIError) as caught:
        made.draw([picture], on_drawn=lambda drawn: None)
    assert "--api" in str(caught.value)
    assert ADDRESS_VARIABLE in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_slow_one_is_given_up(server: FakeUI) -> None:
    """After the seconds that such an answer may take."""
    server.wrong = lambda asked: Reply(seconds=1.0)
    with pytest.raises(WebUIError, match=r"within 0\.2 s"):
        webui_server({ADDRESS_VARIABLE: server.url}).ask("GET", "/sdapi/v1/samplers", within=0.2)


def test_the_password_goes_to_the_server_and_nowhere_else(server: FakeUI, picture: Picture) -> None:
    """As HTTP Basic; not into an error, nor where a drawer is printed."""
    draw(server, picture, auth=f"me:{PASSWORD}")
    assert {asked.basic for asked in server.asked} == {f"me:{PASSWORD}"}
    server.wrong = lambda asked: as_json({"detail": "no"}, 500)
    picture.target.unlink()
    assert "hunter2" not in refusal(server, picture, auth=f"me:{PASSWORD}")
    assert "hunter2" not in repr(drawer(server, auth=f"me:{PASSWORD}"))


def test_those_before_an_error_stay(server: FakeUI, picture: Picture, tmp_path: Path) -> None:
    """The second fails; the first is there."""
    second = replace(picture, target=tmp_path / "second.png", seed=8)
    server.wrong = lambda asked: as_json({"error": "x"}, 500) if (asked.body or {}).get("seed") == 8 else None
    with pytest.raises(WebUIError):
        draw(server, picture, second)
    assert picture.target.exists()
    assert not second.target.exists()


def test_ctrl_c_stops_the_server_s_work(server: FakeUI, picture: Picture) -> None:
    """It is told to, and the interrupt goes on."""

    def pressed(asked: Asked) -> Reply | None:
        if asked.path != "/sdapi/v1/txt2img":
            return None
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return Reply(seconds=0.3)

    server.wrong = pressed
    with pytest.raises(KeyboardInterrupt):
        draw(server, picture)
    assert [asked.path for asked in server.asked][-1] == "/sdapi/v1/interrupt"
    assert not picture.target.exists()


@pytest.mark.parametrize(
    ("flags", "folder"), [({"lora_dir": "/ui/Lora"}, "/ui/Lora"), (None, "/ui/models/Lora")], ids=["flag", "paths"]
)
def test_the_folder_of_its_loras(server: FakeUI, flags: object, folder: str) -> None:
    """By its flags, or where the LoRAs are that it has."""
    if flags:
        server.routes["/sdapi/v1/cmd-flags"] = lambda asked: as_json(flags)
    assert str(lora_folder(webui_server({ADDRESS_VARIABLE: server.url}))) == folder


def test_nothing_to_draw_asks_nobody(server: FakeUI) -> None:
    """Not even for the models."""
    assert draw(server) == []
    assert server.asked == []


def test_the_pixels_stay_byte_for_byte(server: FakeUI, picture: Picture) -> None:
    """Only texts are added, and the picture is whole for Pillow, too."""
    sent = png((96, 64), parameters="a wolf\nSteps: 1")
    answer = as_json({"images": [base64.b64encode(sent).decode()]})
    server.routes["/sdapi/v1/txt2img"] = lambda asked: answer
    draw(server, replace(picture, parameters="a wolf, 狼"))
    got = picture.target.read_bytes()
    assert got.endswith(sent[33:])
    assert got.startswith(sent[:33])
    with Image.open(picture.target) as image:
        image.load()
        assert image.info["kohya_wrap"] == "webui\na wolf, 狼"
        assert image.info["parameters"] == "a wolf\nSteps: 1"


def test_epochs_of_one_alias_are_told_apart(server: FakeUI, picture: Picture, tmp_path: Path) -> None:
    """All epochs say the same ss_output_name, which is the server's alias; one may be called just so."""
    other = write_lora(tmp_path / "tiger.safetensors", lora_of(seed=2), SAID)
    known = [{"name": name, "alias": "tiger"} for name in ("tiger-09", "tiger-10", "tiger")]
    server.routes["/sdapi/v1/loras"] = lambda asked: as_json(known)
    both = replace(picture, loras=(UsedLora("tiger", other, 1.0), *picture.loras))
    draw(server, both)
    assert server.bodies("/sdapi/v1/txt2img")[0]["prompt"] == "a (wolf:1.2) <lora:tiger:1> <lora:tiger-10:0.5>"


def test_a_lora_under_another_name_is_known_by_its_hash(server: FakeUI, picture: Picture) -> None:
    """As `lora install --name` leaves it."""
    known = [{"name": "lakto", "metadata": {"sshs_model_hash": "ab" * 32}}]
    server.routes["/sdapi/v1/loras"] = lambda asked: as_json(known)
    draw(server, picture)
    assert server.bodies("/sdapi/v1/txt2img")[0]["prompt"] == "a (wolf:1.2) <lora:lakto:0.5>"


def test_the_vae_of_the_run(server: FakeUI, picture: Picture) -> None:
    """By the server's name for it; one that it lacks is an error with those that it has."""
    draw(server, picture, base=Base("crosskemono", SHA256, vae="kl-f8"))
    (body,) = server.bodies("/sdapi/v1/txt2img")
    assert body["override_settings"]["sd_vae"] == "kl-f8.safetensors"
    picture.target.unlink()
    assert "the VAE nai of the run; it has kl-f8.saf" in refusal(server, picture, base=Base("x", SHA256, vae="nai"))


def test_a_model_that_has_just_come(server: FakeUI, picture: Picture) -> None:
    """The server is made to look into its folder once more before it is said to lack it."""
    usual = server.routes["/sdapi/v1/sd-models"]

    def late(asked: Asked) -> Reply:
        refreshed = any(each.path == "/sdapi/v1/refresh-checkpoints" for each in server.asked)
        return usual(asked) if refreshed else as_json([])

    server.routes["/sdapi/v1/sd-models"] = late
    assert len(draw(server, picture)) == 1


def test_a_model_of_that_name_with_another_hash_is_another(server: FakeUI, picture: Picture) -> None:
    """Names are given twice."""
    entry = {"title": "crosskemono [ffff]", "model_name": "crosskemono", "sha256": "f" * 64}
    server.routes["/sdapi/v1/sd-models"] = lambda asked: as_json([entry])
    assert "does not have the base model crosskemono (167e5bcb37)" in refusal(server, picture)


def test_a_password_in_the_address(server: FakeUI, picture: Picture) -> None:
    """It is used, and not shown."""
    address = server.url.replace("://", "://me:hunter2%21@")
    made = SERVERS["webui"]({ADDRESS_VARIABLE: address}, BASE, ())
    made.draw([picture], on_drawn=lambda drawn: None)
    assert {asked.basic for asked in server.asked} == {"me:hunter2!"}
    server.wrong = lambda asked: as_json({"error": "not hunter2!"}, 500)
    with pytest.raises(WebUIError) as caught:
        made.draw([picture], on_drawn=lambda drawn: None)
    assert "[hidden]" in str(caught.value)
    assert "hunter2" not in f"{caught.value!s} {made!r}"


def test_a_password_that_is_wrong(server: FakeUI, picture: Picture) -> None:
    """Is another sentence than one that is missing."""
    server.wrong = lambda asked: as_json({"detail": "Incorrect username or password"}, 401)
    assert "does not accept the password" in refusal(server, picture, auth="me:wrong")
    assert "asks for a password" in refusal(server, picture)


ODD: list[object] = [None, [], {}, 5, "x", [None, 5, "x", [], {}], {"images": 5}, {"images": [None]}]
PATHS = [*("sd-models", "refresh-checkpoints", "samplers", "schedulers", "loras", "refresh-loras", "txt2img")]


@pytest.mark.parametrize("path", PATHS)
def test_any_json_is_survived(server: FakeUI, picture: Picture, path: str) -> None:
    """Whatever comes from any door: a picture, or an error of our own."""
    for odd in ODD:
        body = json.dumps(odd).encode()
        server.wrong = lambda asked, body=body: Reply(200, body) if asked.path.endswith(path) else None  # type: ignore[misc]
        with contextlib.suppress(WebUIError):
            draw(server, picture)
            assert picture.target.is_file()
