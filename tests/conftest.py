"""What tests of several rooms need: the engine's environment, the checkout, and the project's shared material."""

import signal
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap.engines.checkout import checkout_folder, read_pin
from kohya_wrap.engines.checkout import is_ready as checkout_is_ready
from kohya_wrap.engines.environment import engine_spec, environment_python
from kohya_wrap.engines.environment import is_ready as environment_is_ready
from kohya_wrap.errors import EngineError
from kohya_wrap.paths import CachePaths

ROOT = Path(__file__).resolve().parent.parent
NEEDS = {"engine": ("engine_python",), "sd_scripts": ("engine_python", "sd_scripts_checkout")}
"""Marker -> fixtures that skip with a reason where what it stands for is missing."""


def pytest_configure() -> None:
    """Hear the signals that are tested, also where the tests run under nohup or in a shell's background."""
    for signum, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, usual)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the markers ask for their fixtures, first of all, so that a test need not."""
    for item in items:
        if isinstance(item, pytest.Function):
            needed = dict.fromkeys(name for marker in item.iter_markers() for name in NEEDS.get(marker.name, ()))
            others = [name for name in item.fixturenames if name not in needed]
            item.fixturenames[:] = [*needed, *others]


def _ready_python() -> Path | str:
    """Give the python of the environment that setup builds, or why there is none."""
    try:
        folder = engine_spec().folder(CachePaths.from_environment())
    except EngineError as error:
        return str(error)
    if environment_is_ready(folder):
        return environment_python(folder)
    return f"the engine's environment is not built (make setup); looked in {folder}"


@pytest.fixture(scope="session")
def engine_python() -> Path:
    """Give the python of the engine's environment, or skip."""
    found = _ready_python()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def sd_scripts_checkout() -> Path:
    """Give the folder of sd-scripts at its pinned commit, or skip."""
    pin = read_pin()
    folder = checkout_folder(pin, CachePaths.from_environment())
    if not checkout_is_ready(folder, pin):
        pytest.skip(f"sd-scripts {pin.commit[:12]} is not there (make setup); looked in {folder}")
    return folder


@pytest.fixture(scope="session")
def sd15(engine_python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a base model of SD 1.5's size with random weights, and the folder that holds its tokenizer."""
    folder = tmp_path_factory.mktemp("sd15")
    script = ROOT / "tests" / "bases" / "make_sd15_base.py"
    argv = (str(engine_python), str(script), str(folder / "base"), str(folder / "tokenizers"))
    subprocess.run(argv, check=True, capture_output=True)
    return folder / "base", folder / "tokenizers"


@pytest.fixture(scope="session")
def sd15_base(sd15: tuple[Path, Path]) -> Path:
    """Give a random base model in diffusers' format, fp16, 2 GB."""
    return sd15[0]


@pytest.fixture(scope="session")
def sd15_tokenizers(sd15: tuple[Path, Path]) -> Path:
    """Give the folder for sd_scripts.tokenizer_cache_dir, without which the engine asks Hugging Face."""
    return sd15[1]


@pytest.fixture(scope="session")
def sd15_run(sd15: tuple[Path, Path], sd_scripts_checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the overrides with which the preset one-image trains for real on the CPU: 2 epochs of 2 steps."""
    assert sd_scripts_checkout.is_dir()
    picture = tmp_path_factory.mktemp("picture") / "tiger.png"
    Image.effect_noise((96, 96), 90).convert("RGB").save(picture)
    picture.with_suffix(".txt").write_text("lakto_tiger, red eyes, feral", encoding="utf-8")
    return [
        f"setup.optional_custom_training_model_url={sd15[0]}",
        f"sd_scripts.tokenizer_cache_dir={sd15[1]}",
        f"dataset.images={picture}",
        "processing.resolution=64",
        "steps.num_repeats=4",
        "steps.how_many=2",
        "samples.prompts=[]",  # the preset's pictures would take minutes each
        "engine.num_cpu_threads=1",  # with more of them sd-scripts does not always repeat itself bit by bit
    ]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of material shared by the project's people, or skip."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder.name} folder beside the project")
    return folder
