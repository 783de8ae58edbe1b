"""kohya-wrap lora install, as typed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers_lora import SAID, lora_of, write_lora
from typer.testing import CliRunner
from webui_servers import FakeUI, Reply, Routes, as_json, comfyui_routes, serving

from kohya_wrap.cli.main import app
from kohya_wrap.errors import KohyaWrapError

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
UNSET = {"KOHYA_WRAP_WEBUI_URL": None, "KOHYA_WRAP_WEBUI_AUTH": None, "KOHYA_WRAP_COMFYUI_FOLDER": None}


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """The tutorial's LoRA."""
    return write_lora(tmp_path / "lakto-lora-10.safetensors", lora_of(), SAID)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A web UI's folder of LoRAs."""
    path = tmp_path / "ui/models/loras"
    path.mkdir(parents=True)
    return path


@contextmanager
def webui(folder: Path, *, others: Path | None = None, sees: bool = True) -> Iterator[FakeUI]:
    """Run a WebUI that lists what lies in its folder, and one LoRA of another folder."""

    def loras(asked: object) -> Reply:
        paths = [*(folder.glob("*.safetensors") if sees else ()), *([others] if others else [])]
        return as_json([{"name": path.stem, "alias": "tiger", "path": str(path), "metadata": {}} for path in paths])

    routes: Routes = {
        "/sdapi/v1/cmd-flags": lambda asked: as_json({"lora_dir": str(folder)}),
        "/sdapi/v1/refresh-loras": lambda asked: Reply(),
        "/sdapi/v1/loras": loras,
    }
    with serving(routes) as server:
        yield server


class Typed:
    """What a command typed in this process left."""

    def __init__(self, *words: str | Path, **env: str) -> None:
        done = CliRunner().invoke(app, ["lora", "install", *map(str, words)], env={**UNSET, **env})
        error = done.exception
        assert error is None or isinstance(error, KohyaWrapError | SystemExit), done.exc_info
        self.code = error.exit_code if isinstance(error, KohyaWrapError) else done.exit_code
        self.lines = done.stdout.splitlines()
        self.stderr = f"{done.stderr}{error or ''}"

    @property
    def json(self) -> Any:
        """What was printed, as a program reads it."""
        return json.loads("\n".join(self.lines))


def test_as_a_user_types_it(lora: Path, folder: Path) -> None:
    """In a process of its own: files, who was told, and in the last line what to paste."""
    with webui(folder) as server:
        env = {**os.environ, "KOHYA_WRAP_WEBUI_URL": server.url}
        argv = [COMMAND, "lora", "install", str(lora), "--to", "webui"]
        said = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        assert server.bodies("/sdapi/v1/refresh-loras") == [None]
    lines = [line.split(maxsplit=1) for line in said.stdout.splitlines()]
    assert lines == [
        ["wrote", str(folder / "lakto-lora-10.safetensors")],
        ["wrote", str(folder / "lakto-lora-10.json")],
        ["told", f"the WebUI at {server.url}"],
        ["paste", "lakto_tiger, <lora:lakto-lora-10:0.8>"],
    ]


def test_a_dry_run_asks_but_tells_nobody(lora: Path, folder: Path) -> None:
    """The server says where it would go; it is not made to look for anything."""
    with webui(folder) as server:
        typed = Typed(lora, "--to", "webui", "--dry-run", KOHYA_WRAP_WEBUI_URL=server.url)
        assert "/sdapi/v1/refresh-loras" not in {asked.path for asked in server.asked}
    assert (typed.code, typed.lines[0].split(maxsplit=2)) == (0, ["would", "write", str(folder / lora.name)])
    assert list(folder.iterdir()) == []


def test_the_same_name_in_another_of_its_folders(lora: Path, folder: Path) -> None:
    """A prompt would call either; --name is the way out."""
    with webui(folder, others=folder / "sub" / lora.name) as server:
        typed = Typed(lora, "--to", "webui", KOHYA_WRAP_WEBUI_URL=server.url)
        assert (typed.code, list(folder.iterdir())) == (15, [])
        assert "the WebUI has another LoRA of the name lakto-lora-10" in typed.stderr
        assert "--name ANOTHER" in typed.stderr
        assert Typed(lora, "--to", "webui", "--name", "lakto", KOHYA_WRAP_WEBUI_URL=server.url).code == 0


def test_a_server_that_does_not_see_it(lora: Path, folder: Path) -> None:
    """In a container, say, whose folder has the same path: a warning, and the LoRA stays."""
    with webui(folder, sees=False) as server:
        typed = Typed(lora, "--to", "webui", KOHYA_WRAP_WEBUI_URL=server.url)
    assert typed.code == 0
    assert "the WebUI does not list lakto-lora-10" in typed.stderr
    assert (folder / lora.name).is_file()


def test_a_webui_elsewhere_wants_a_folder(lora: Path) -> None:
    """Its folder is not on this machine."""
    with webui(Path("/nowhere/Lora")) as server:
        typed = Typed(lora, "--to", "webui", KOHYA_WRAP_WEBUI_URL=server.url)
    assert typed.code == 61
    assert "not on this machine" in typed.stderr
    assert "--to FOLDER" in typed.stderr


def test_a_webui_that_does_not_run(lora: Path, folder: Path) -> None:
    """Asked for its folder it is an error; a folder that is given gets the LoRA, with a warning."""
    with serving({}) as server:
        address = server.url
    assert Typed(lora, "--to", "webui", KOHYA_WRAP_WEBUI_URL=address).code == 61
    typed = Typed(lora, "--to", folder, KOHYA_WRAP_WEBUI_URL=address)
    assert typed.code == 0
    assert "it is installed, but the WebUI does not answer" in typed.stderr
    assert (folder / lora.name).is_file()


def test_a_folder_alone_asks_nobody(lora: Path, folder: Path) -> None:
    """No address is set: no word of a server."""
    typed = Typed(lora, "--to", folder, "--weight", "0.55")
    assert (typed.code, typed.stderr) == (0, "")
    assert typed.lines[-1].split(maxsplit=1) == ["paste", "lakto_tiger, <lora:lakto-lora-10:0.55>"]


@pytest.mark.parametrize("name", ["Lora", "loras"])
def test_a_web_ui_s_own_folder(lora: Path, tmp_path: Path, name: str) -> None:
    """The LoRA goes where the web UI looks for it, not beside its launcher."""
    home = tmp_path / "a web ui"
    (home / "models" / name).mkdir(parents=True)
    assert Typed(lora, "--to", home).code == 0
    assert (home / "models" / name / lora.name).is_file()
    assert [path.name for path in home.iterdir()] == ["models"]


def test_comfyui_by_its_folder(lora: Path, folder: Path, tmp_path: Path) -> None:
    """ComfyUI does not tell where it lies; it lists the LoRA at once, and is told of strength and words."""
    assert Typed(lora, "--to", "comfyui").code == 61
    routes = comfyui_routes()
    required = {"lora_name": [["sub\\lakto-lora-10.safetensors"], {}]}
    routes["/object_info/"] = lambda asked: as_json({"LoraLoader": {"input": {"required": required}}})
    with serving(routes) as server:
        env = {"KOHYA_WRAP_COMFYUI_FOLDER": str(tmp_path / "ui"), "KOHYA_WRAP_COMFYUI_URL": server.url}
        typed = Typed(lora, "--to", "comfyui", **env)
    assert (typed.code, typed.stderr) == (0, "")
    assert typed.lines[-2].split(maxsplit=1) == ["told", f"ComfyUI at {server.url}"]
    assert typed.lines[-1].endswith('lakto-lora-10.safetensors, strength 0.8; in the prompt: "lakto_tiger"')
    assert (folder / lora.name).is_file()


def test_for_a_program(lora: Path, folder: Path) -> None:
    """--json is all that stdout holds; a second time nothing is new."""
    first, second = (Typed(lora, "--to", folder, "--json").json for _ in range(2))
    assert first == {
        "lora": str(folder / lora.name),
        "new": [str(folder / lora.name), str(folder / "lakto-lora-10.json")],
        "activation": "lakto_tiger",
        "tag": "<lora:lakto-lora-10:0.8>",
        "dry_run": False,
        "told": "",
    }
    assert second == {**first, "new": []}


def test_nobody_of_that_name(tmp_path: Path) -> None:
    """Neither file nor run nor project."""
    typed = Typed("nobody", "--to", tmp_path, "--root", tmp_path)
    assert typed.code == 15
    assert "no such run" in typed.stderr
