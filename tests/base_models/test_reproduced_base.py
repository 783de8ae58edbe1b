"""`runs reproduce` where the base model is no longer on the machine: it comes back as it was, or not at all."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from api_server import ApiServer
from hugging_face_routes import COMMIT, HuggingFace

from kohya_wrap import run
from kohya_wrap.engines.embedded_engine import FOLDER
from kohya_wrap.record import RunRecord

pytestmark = pytest.mark.engine

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


@dataclass(frozen=True)
class Trained:
    """A run on a base model of Hugging Face's, which this machine has forgotten since."""

    hub: ApiServer
    storage: ApiServer
    root: Path
    files: dict[str, bytes]
    record: RunRecord = field(default_factory=RunRecord.model_construct)

    def again(self) -> subprocess.CompletedProcess[str]:
        """Repeat it, as one types it, on a machine that has fetched nothing."""
        for folder in ("cache", "hf", "reproduced"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        self.hub.asked.clear()
        argv = (COMMAND, "runs", "reproduce", self.record.id)
        return subprocess.run(argv, cwd=self.root, env={**os.environ}, capture_output=True, text=True, check=False)

    def offer(self, files: dict[str, bytes]) -> None:
        """Put these files where the link leads."""
        self.hub.routes[:] = [HuggingFace("user/tiny", files, storage=self.storage.url)]
        self.storage.routes[:] = [HuggingFace("user/tiny", files).storage_route]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, engine_python: Path) -> Iterator[Trained]:
    """Train the demo for two steps on a folder that comes by a link."""
    root = tmp_path_factory.mktemp("reproduced-base")
    base = root / "made"
    subprocess.run((str(engine_python), str(FOLDER / "make_base.py"), "--out", str(base)), check=True)
    files = {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}
    overrides = (
        *("samples.prompts=[]", "steps.num_repeats=1", "steps.how_many=1", f"engine.python={engine_python}"),
        "setup.optional_custom_training_model_url=user/tiny",
    )
    with pytest.MonkeyPatch.context() as patch, ApiServer().running() as hub, ApiServer().running() as storage:
        patch.setenv("KOHYA_WRAP_HOME", str(root / "cache"))
        patch.setenv("HF_HOME", str(root / "hf"))
        patch.setenv("HF_ENDPOINT", hub.url)
        world = Trained(hub, storage, root, files)
        world.offer(files)
        yield replace(world, record=run("demo", root=root, overrides=overrides).record)


def test_the_same_version_is_fetched_again(trained: Trained) -> None:
    """By the commit that the record names; the LoRA that comes out is the same, bit by bit."""
    assert trained.record.base_model.pinned.endswith(f"user/tiny/tree/{COMMIT}")
    done = trained.again()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "identical, bit by bit" in done.stdout
    assert any(COMMIT in asked.path for asked in trained.hub.asked)


def test_another_model_behind_the_link_is_refused_before_anything_is_trained(trained: Trained) -> None:
    """Both hashes are named."""
    changed = "text_encoder/config.json"
    trained.offer({**trained.files, changed: trained.files[changed] + b"\n"})
    done = trained.again()
    assert done.returncode == 12, done.stdout + done.stderr
    (was,) = [entry.sha256 for entry in trained.record.base_model.files if entry.path == changed]
    assert changed in done.stderr
    assert was in done.stderr
    assert not list(trained.root.glob("reproduced/*/Loras/demo/runs/*"))


def test_a_host_without_it_is_named(trained: Trained) -> None:
    """What to look at is said, with the exit code of a model that nobody knows."""
    trained.hub.routes.clear()
    done = trained.again()
    assert done.returncode == 45, done.stdout + done.stderr
    assert "user/tiny" in done.stderr
