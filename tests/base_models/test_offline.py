"""`kohya-wrap train --offline`: with a filled store nobody is asked, and without one it says what is missing."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from api_server import Answer, Asked
from civitai_routes import CivitaiFile
from hugging_face_routes import HuggingFace
from model_files import SD15, VAE, safetensors_bytes
from PIL import Image
from world import LINK, World

from kohya_wrap.base_models import locate_vae, obtain
from kohya_wrap.base_models.errors import OfflineError
from kohya_wrap.base_models.tokenizers import FILES, obtain_tokenizers
from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import HardwareChoices, SetupConfig, TrainConfig
from kohya_wrap.engines.engine import EngineStatus
from kohya_wrap.errors import EngineError, Problem, TrainingError
from kohya_wrap.families import FAMILIES
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.paths import RunPaths
from kohya_wrap.pipeline import plan, run
from kohya_wrap.planning import Plan

BASE = safetensors_bytes(SD15, fill=b"\3")
VAE_FILE = safetensors_bytes(VAE, fill=b"\4")
VAE_LINK = "https://huggingface.co/u/vae/blob/main/vae.safetensors"
CLIP = "openai/clip-vit-large-patch14"
PRINTS_ITS_ENVIRONMENT = "import json, os; print('ENV ' + json.dumps(dict(os.environ)))"


class SetUp:
    """An engine that is set up, and whose training only prints its environment."""

    name = "sd-scripts"
    resume_differs = ""

    def __init__(self, folder: Path) -> None:
        self.ready = EngineStatus(Path(sys.executable), folder / "train_network.py", "0" * 40)

    def problems(self, config: TrainConfig) -> Sequence[Problem]:
        """Honour everything."""
        del config
        return ()

    def status(self) -> EngineStatus:
        """Be ready."""
        return self.ready

    def setup(self, say: Callable[[str], None]) -> EngineStatus:
        """Never be asked to."""
        raise AssertionError(say)

    def make_builtin_base(self, base: BaseModelFile, say: Callable[[str], None]) -> None:
        """Never be asked to."""
        raise AssertionError(base, say)

    def launch_plan(self, run: RunPaths, *, script: str, choices: HardwareChoices, gpu_ids: str) -> LaunchPlan:
        """Print the environment."""
        del script, choices, gpu_ids
        return LaunchPlan((sys.executable, "-c", PRINTS_ITS_ENVIRONMENT), {}, run.folder)


@pytest.fixture
def filled(world: World) -> World:
    """A machine that has fetched the base model, the VAE and the tokenizer, and then lost its network."""
    world.put(CivitaiFile(7, "cross.safetensors", BASE))
    repos = {
        CLIP: HuggingFace(CLIP, {name: name.encode() for name in FILES}, storage=world.storage.url),
        "u/vae": HuggingFace("u/vae", {"vae.safetensors": VAE_FILE}, storage=world.storage.url),
    }

    def hub(asked: Asked) -> Answer | None:
        return next((repo(asked) for name, repo in repos.items() if name in asked.path), None)

    world.hub.routes.append(hub)
    world.storage.routes.append(repos["u/vae"].storage_route)
    world.get(LINK)
    vae = locate_vae(SetupConfig(project_name="p", vae=VAE_LINK), root=world.folder, cache=world.cache)
    assert vae is not None
    obtain(vae, cache=world.cache, say=lambda _: None)
    obtain_tokenizers(FAMILIES["sd15"], cache=world.cache, say=lambda _: None)
    for host in (world.site, world.storage, world.hub):
        host.asked.clear()
    return world


def planned(world: World, *more: str) -> Plan:
    """Plan the tutorial's preset with the world's base model, for an engine that is set up."""
    picture = world.folder / "tiger.png"
    Image.new("RGB", (600, 600), (200, 80, 20)).save(picture)
    picture.with_suffix(".txt").write_text("lakto_tiger, red eyes", encoding="utf-8")
    sets: Sequence[str] = (
        f"setup.optional_custom_training_model_url={LINK}",
        f"setup.base_model_sha256={hashlib.sha256(BASE).hexdigest()}",
        f"setup.vae={VAE_LINK}",
        f"dataset.images={picture}",
        *more,
    )
    made = plan("one-image", root=world.folder, overrides=sets, cache=world.cache)
    engine = SetUp(world.folder)
    return dataclasses.replace(made, engine=engine, status=engine.ready)


def test_a_filled_store_needs_no_request(filled: World) -> None:
    """Base model, VAE and tokenizer are found: the training is started, and no host was asked for anything."""
    made = planned(filled)
    assert made.located.file is not None
    assert made.vae is not None
    assert made.vae.file is not None
    with pytest.raises(TrainingError):  # this engine leaves no LoRA
        run(made, offline=True)
    (config,) = filled.folder.glob("Loras/*/runs/*/training_config.toml")
    text = config.read_text(encoding="utf-8")
    for path in (made.located.file.path, made.vae.file.path, filled.cache.home / "tokenizers"):
        assert str(path) in text
    assert filled.requests == 0


def test_the_engine_is_kept_from_the_network_too(filled: World) -> None:
    """The libraries of Hugging Face in the training process are told to ask nobody; without --offline they are not."""
    for offline in (True, False):
        with pytest.raises(TrainingError):
            run(planned(filled), offline=offline)
        newest = max(filled.folder.glob("Loras/*/runs/*/train.log"), key=lambda path: path.stat().st_mtime_ns)
        line = next(line for line in newest.read_text(encoding="utf-8").splitlines() if "ENV {" in line)
        env = json.loads(line[line.index("{") :])
        assert (env.get("HF_HUB_OFFLINE"), env.get("TRANSFORMERS_OFFLINE")) == (("1", "1") if offline else (None, None))


@pytest.mark.parametrize("missing", ["base model", "VAE", "tokenizer"])
def test_what_is_missing_is_said(missing: str, filled: World) -> None:
    """Each of the three has exit code 56, names itself, and says what to do; nobody is asked, nothing is started."""
    made = planned(filled)
    if missing == "tokenizer":
        (filled.cache.home / "tokenizers").rename(filled.folder / "gone")
    else:
        located = made.located if missing == "base model" else made.vae
        assert located is not None
        assert located.file is not None
        located.file.path.unlink()
        made = planned(filled)
    with pytest.raises(OfflineError, match="not on this machine") as caught:
        run(made, offline=True)
    assert caught.value.exit_code == 56
    assert "run once without --offline" in caught.value.todo
    assert {"base model": "101", "VAE": "vae.safetensors", "tokenizer": CLIP}[missing] in str(caught.value)
    assert filled.requests == 0
    assert list(filled.folder.glob("Loras/*/runs/*")) == []


def test_an_engine_that_is_not_set_up_is_not_fetched(filled: World) -> None:
    """Building it needs the network, which is said with the engine's exit code."""
    made = plan("one-image", root=filled.folder, cache=filled.cache, overrides=planned(filled).overrides)
    assert made.status.missing, "this cache has no engine"
    with pytest.raises(EngineError, match="the engine is not set up") as caught:
        run(made, offline=True)
    assert caught.value.exit_code == 13
