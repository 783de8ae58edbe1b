"""The verbs of `kohya-wrap model` and `presets pin`, typed as a person types them, against local hosts."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from civitai_routes import KEY, CivitaiFile
from hugging_face_routes import COMMIT, HuggingFace
from model_files import LORA, SD15, safetensors_bytes, write_model
from world import LINK, World

MODEL = safetensors_bytes(SD15, fill=b"\5")
SHA = hashlib.sha256(MODEL).hexdigest()
FILE = CivitaiFile(7, "cross.safetensors", MODEL)


def typed(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """Run kohya-wrap with these words in the world's folder."""
    env = {**os.environ, "KOHYA_WRAP_HOME": str(world.cache.home)}
    argv = (str(Path(sys.executable).with_name("kohya-wrap")), *words)
    return subprocess.run(argv, cwd=world.folder, env=env, capture_output=True, text=True, check=False)


def test_resolve_says_what_a_link_is(world: World) -> None:
    """Name, version, file, size, hashes, login and the exact link; nothing is fetched."""
    world.put(FILE, CivitaiFile(8, "other.ckpt", b"PK", format="PickleTensor"))
    done = typed(world, "model", "resolve", LINK)
    assert done.returncode == 0
    for word in ("cross.safetensors", "SD 1.5", SHA, "login", "not needed", "8 other.ckpt", "fileId=7"):
        assert word in done.stdout
    assert world.storage.asked == []


def test_resolve_prints_json(world: World) -> None:
    """The same for programs."""
    world.put(FILE)
    read = json.loads(typed(world, "model", "resolve", LINK, "--json").stdout)
    assert read["chosen"]["sha256"] == SHA
    assert read["login_needed"] is False
    assert read["pinned_link"].endswith("?modelVersionId=101&fileId=7")


def test_resolve_takes_a_local_file(world: World) -> None:
    """A file on this machine is said for what it is."""
    write_model(world.folder / "lora.safetensors", LORA)
    done = typed(world, "model", "resolve", "lora.safetensors")
    assert "a LoRA" in done.stdout


def test_a_refusal_has_its_exit_code(world: World) -> None:
    """Each failure can be told apart by a script."""
    codes = [typed(world, "model", "resolve", link).returncode for link in (LINK, "http://x.org/m", "nonsense")]
    assert codes == [45, 58, 58]


def test_get_list_where_verify_and_remove(world: World) -> None:
    """A model's whole life in the store."""
    world.put(FILE)
    got = json.loads(typed(world, "model", "get", LINK, "--json").stdout)
    assert (got["sha256"], got["what"], got["precision"]) == (SHA, "Stable Diffusion 1.x", "F16")
    assert SHA[:12] in typed(world, "model", "list").stdout
    for name in (LINK, SHA[:8], "cross.safetensors"):
        assert typed(world, "model", "where", name).stdout.strip() == got["path"]
    assert "1 model, all as fetched" in typed(world, "model", "verify").stdout
    assert typed(world, "model", "remove", "cross.safetensors").returncode == 0
    assert json.loads(typed(world, "model", "list", "--json").stdout) == []


def test_get_asks_for_the_bytes_once(world: World) -> None:
    """The second time the host is only asked what it is."""
    world.put(FILE)
    typed(world, "model", "get", LINK)
    before = len(world.storage.asked)
    assert typed(world, "model", "get", LINK).returncode == 0
    assert len(world.storage.asked) == before


def test_verify_finds_a_damaged_file(world: World) -> None:
    """A bit that changed on the disk is found, and the exit code says so."""
    world.put(FILE)
    path = Path(json.loads(typed(world, "model", "get", LINK, "--json").stdout)["path"])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    done = typed(world, "model", "verify")
    assert done.returncode == 52
    assert SHA[:12] in done.stderr


def test_a_file_can_be_chosen(world: World) -> None:
    """--file takes one that the rule would not take."""
    full = CivitaiFile(9, "full.safetensors", safetensors_bytes(SD15, fill=b"\6"), size="full", fp="fp32")
    world.put(FILE, full)
    assert "full.safetensors" in typed(world, "model", "get", LINK, "--file", "9").stdout


PRESET = """\
# my preset
extends = "one-image"  # the tutorial

[setup]
project_name = "p"  # a name
optional_custom_training_model_url = "https://civitai.com/models/11"  # the base
# the end
"""


def pinned(world: World, text: str = PRESET) -> str:
    """Pin a preset and give its text after that."""
    path = world.folder / "mine.toml"
    path.write_text(text)
    done = typed(world, "presets", "pin", str(path))
    assert done.returncode == 0, done.stderr
    return path.read_text()


def test_pin_writes_version_file_and_hash(world: World) -> None:
    """The page link without a version becomes an exact one, with the hash beside it."""
    world.put(FILE)
    text = pinned(world)
    assert '"https://civitai.com/models/11?modelVersionId=101&fileId=7"' in text
    assert f'base_model_sha256 = "{SHA}"' in text


def test_pin_keeps_every_comment(world: World) -> None:
    """What a person wrote stays."""
    world.put(FILE)
    text = pinned(world)
    for comment in ("# my preset", "# the tutorial", "# a name", "# the base", "# the end"):
        assert comment in text


def test_pin_takes_a_token_out_of_a_preset(world: World) -> None:
    """A pasted token does not stay in a file that goes to git."""
    world.put(FILE, login=True)
    link = f"https://civitai.com/api/download/models/101?token={KEY}"
    text = pinned(world, PRESET.replace("https://civitai.com/models/11", link))
    assert KEY not in text
    assert "modelVersionId=101" in text


def test_pin_writes_the_known_hash_of_a_name(world: World) -> None:
    """For one of the notebook's names no host is asked."""
    text = pinned(world, '[setup]\nproject_name = "p"\ntraining_model = "Anime"\n')
    assert "06bece8e771a9ec16474db4c7d601d2f04fd08d1b1611072e7dd97c18cec3a09" in text
    assert world.requests == 0


def test_pin_hashes_a_local_file(world: World) -> None:
    """A local base model is pinned by its hash."""
    write_model(world.folder / "base.safetensors", SD15)
    text = pinned(world, PRESET.replace("https://civitai.com/models/11", "base.safetensors"))
    assert hashlib.sha256((world.folder / "base.safetensors").read_bytes()).hexdigest() in text


def test_pin_of_a_folder_names_its_commit_and_drops_a_hash(world: World) -> None:
    """A diffusers repository is exact by its commit; a stated hash could never fit it."""
    weights = safetensors_bytes({"weight": (2, 2)})
    files = {f"{part}/diffusion_pytorch_model.safetensors": weights for part in ("unet", "vae", "text_encoder")}
    files |= {f"{part}/config.json": b"{}" for part in ("unet", "vae", "text_encoder")} | {"model_index.json": b"{}"}
    world.hub.routes.append(HuggingFace("u/r", files, storage=world.storage.url))
    text = PRESET.replace("https://civitai.com/models/11", "u/r")
    text = pinned(world, text.replace("# the end", f'base_model_sha256 = "{SHA}"\n# the end'))
    assert f"https://huggingface.co/u/r/tree/{COMMIT}" in text
    assert "base_model_sha256" not in text


def test_what_is_pinned_needs_no_more_questions(world: World) -> None:
    """After pin and get, the preset's base model costs no request."""
    world.put(FILE)
    pinned(world)
    typed(world, "model", "get", LINK)
    before = world.requests
    assert world.find(f"{LINK}&fileId=7", base_model_sha256=SHA).file is not None
    assert world.requests == before


def test_an_unfinished_download_is_told(world: World) -> None:
    """Gigabytes that an interrupted fetch left are not hidden."""
    left = world.cache.models / ".partial" / "key"
    left.mkdir(parents=True)
    (left / "file.part").write_bytes(bytes(100_000))
    said = typed(world, "model", "list").stderr
    assert "1 unfinished download holds" in said
    assert str(left.parent) in said
