"""Pictures drawn on the toy base by a process of the engine's environment."""

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from helpers_embedded import ENVIRONMENT
from safetensors.numpy import save_file

from kohya_wrap.engines.drawing.diffusers_drawer import SCRIPT, DiffusersDrawer
from kohya_wrap.engines.drawing.types import Drawer, Drawn, Picture, UsedLora
from kohya_wrap.engines.embedded_engine import FOLDER
from kohya_wrap.errors import DrawingError
from kohya_wrap.results.parameters import read_parameters

pytestmark = pytest.mark.engine

PARAMETERS = "a (wolf:1.2)\nNegative prompt: ü 漢\nSteps: 3, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x64"
MODULE = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v"


@dataclass(frozen=True)
class Studio:
    """Where the tests draw."""

    drawer: Drawer
    base: Path
    lora: Path
    folder: Path

    def picture(self, name: str, weight: float = 0.0, **changes: object) -> Picture:
        """Give a small picture with the LoRA at that weight, 0 being without it."""
        plain = Picture(
            target=self.folder / f"{name}.png",
            prompt="a (wolf:1.2), red eyes",
            negative_prompt="dog",
            seed=5,
            steps=3,
            cfg_scale=7,
            sampler="Euler a",
            schedule="Automatic",
            width=64,
            height=64,
            clip_skip=1,
            loras=(UsedLora("tiger", self.lora, weight),) if weight else (),
            parameters=PARAMETERS,
        )
        return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def studio(engine_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Make the toy base, 4 s, and a LoRA for it."""
    folder = tmp_path_factory.mktemp("drawing")
    argv = (str(engine_python), str(FOLDER / "make_base.py"), "--out", str(folder / "base"))
    subprocess.run(argv, check=True, capture_output=True, env={**os.environ, **ENVIRONMENT})
    numbers = np.random.default_rng(1)
    pair = {"lora_down.weight": (2, 32), "lora_up.weight": (64, 2)}
    tensors = {f"{MODULE}.{name}": numbers.normal(0, 2, shape).astype("float32") for name, shape in pair.items()}
    save_file({**tensors, f"{MODULE}.alpha": np.array(2, "float32")}, folder / "tiger.safetensors")
    drawer = DiffusersDrawer(engine_python, folder / "base", folder / "job", use_cpu=True, num_cpu_threads=1)
    return Studio(drawer, folder / "base", folder / "tiger.safetensors", folder)


@pytest.fixture(scope="module")
def drawn(studio: Studio) -> dict[str, Drawn]:
    """Draw all that these tests look at, with one load of the model."""
    words = ", ".join(["abcdefgh"] * 20)
    pictures = [
        studio.picture("before"),
        studio.picture("half", 0.5),
        studio.picture("whole", 1.0),
        studio.picture("after"),
        studio.picture("seed", seed=6),
        studio.picture("skip", clip_skip=2),
        studio.picture("weight", prompt="a (wolf:1.4), red eyes"),
        studio.picture("long", prompt=f"{words}, x"),
        studio.picture("longer", prompt=f"{words}, y"),
        studio.picture("unguided", cfg_scale=1),
        studio.picture("unguided-too", cfg_scale=1, negative_prompt="cat"),
        studio.picture("wide", width=128, height=72),
        studio.picture("ddim", sampler="DDIM", schedule="Karras"),
    ]
    found: list[Drawn] = []
    studio.drawer.draw(pictures, on_drawn=found.append)
    assert [each.picture for each in found] == pictures
    return {each.picture.target.stem: each for each in found}


def pixels(studio: Studio, name: str) -> bytes:
    return (studio.folder / f"{name}.png").read_bytes()


def test_weight_0_before_and_after_a_lora_is_the_same_file(studio: Studio, drawn: dict[str, Drawn]) -> None:
    """The LoRA leaves nothing behind, and the same seed draws the same picture, bit by bit."""
    assert pixels(studio, "before") == pixels(studio, "after")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("before", "half"),
        ("half", "whole"),
        ("before", "seed"),
        ("before", "skip"),
        ("before", "weight"),
        ("long", "longer"),
        ("before", "unguided"),
        ("before", "ddim"),
    ],
)
def test_what_is_asked_changes_the_picture(studio: Studio, drawn: dict[str, Drawn], one: str, other: str) -> None:
    """The LoRA, its weight, the seed, clip skip, attention, the 180th token, guidance and the sampler all count."""
    assert pixels(studio, one) != pixels(studio, other)


def test_without_guidance_the_negative_prompt_does_not_count(studio: Studio, drawn: dict[str, Drawn]) -> None:
    """CFG 1 is the prompt alone."""
    assert pixels(studio, "unguided") == pixels(studio, "unguided-too")


def test_parameters_are_read_back(studio: Studio, drawn: dict[str, Drawn]) -> None:
    """png-info finds what was asked for, also where Latin-1 does not hold it."""
    found = read_parameters(studio.folder / "before.png")
    assert found.prompt == "a (wolf:1.2)"
    assert found.negative_prompt == "ü 漢"
    assert found.settings["Seed"] == "5"


def test_a_picture_has_the_size_that_was_asked(studio: Studio, drawn: dict[str, Drawn]) -> None:
    """Sides that are multiples of 8 and not of 64 are drawn as they are."""
    assert pixels(studio, "wide")[16:24] == (128).to_bytes(4) + (72).to_bytes(4)


def test_a_picture_says_how_long_it_took_and_what_was_left_out(drawn: dict[str, Drawn]) -> None:
    """Seconds without the load; the schedule that DDIM does not take."""
    assert 0 < drawn["before"].seconds < 5
    assert drawn["before"].notes == ()
    assert drawn["ddim"].notes == ("DDIM goes its own steps; the schedule Karras is not used",)


def test_nothing_but_pictures_is_left(studio: Studio, drawn: dict[str, Drawn]) -> None:
    """No temporary file stays behind."""
    names = {path.name for path in studio.folder.iterdir()}
    assert not {name for name in names if name.endswith(".part")}
    assert {f"{name}.png" for name in drawn} <= names


def processes() -> list[psutil.Process]:
    """Give the drawing processes that this one has started."""
    children = psutil.Process().children(recursive=True)
    return [each for each in children if str(SCRIPT) in " ".join(each.cmdline())]


def kill(_: Drawn) -> None:
    [process] = processes()
    process.send_signal(signal.SIGKILL)


def stop(_: Drawn) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("on_drawn", "raised"), [(kill, DrawingError), (stop, KeyboardInterrupt)])
def test_drawing_that_is_ended_keeps_its_pictures(
    studio: Studio, tmp_path: Path, on_drawn: Callable[[Drawn], None], raised: type[BaseException]
) -> None:
    """Killed, or stopped by Ctrl-C, after the first: it is whole, and drawn as ever; no process is left."""
    first = studio.picture("first", target=tmp_path / "first.png", prompt="a cat")
    many = [studio.picture(f"no{number}", target=tmp_path / f"no{number}.png", steps=150) for number in range(20)]
    with pytest.raises(raised) as caught:
        studio.drawer.draw([first, *many], on_drawn=on_drawn)
    assert not processes()
    assert read_parameters(first.target).prompt == "a (wolf:1.2)"
    assert not many[-1].target.exists()
    if raised is DrawingError:
        assert "drawing was killed; 1 of 21 pictures are drawn" in str(caught.value)


def test_loras_that_cannot_be_drawn_are_told_together(studio: Studio, tmp_path: Path) -> None:
    """Before the model is loaded: the file that was cut short, and the one that is a pickle."""
    cut, pickle = tmp_path / "cut.safetensors", tmp_path / "pickle.safetensors"
    cut.write_bytes(studio.lora.read_bytes()[:-10])
    pickle.write_bytes(b"\x80\x02}q\x00.")
    pictures = [studio.picture("no", loras=(UsedLora("x", path, 1.0),)) for path in (cut, pickle)]
    with pytest.raises(DrawingError) as caught:
        studio.drawer.draw(pictures, on_drawn=stop)
    assert [problem.where for problem in caught.value.problems] == [str(cut), str(pickle)]
    assert "not a whole .safetensors file" in caught.value.problems[0].what


def test_a_lora_of_another_family_is_told_before_anything_is_drawn(studio: Studio, tmp_path: Path) -> None:
    """A key that names no module of the base model ends the job, and says which."""
    other = tmp_path / "xl.safetensors"
    save_file({"lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha": np.array(1, "float32")}, other)
    pictures = [studio.picture("no-either"), studio.picture("no", loras=(UsedLora("x", other, 1.0),))]
    with pytest.raises(DrawingError, match="a LoRA of SDXL") as caught:
        studio.drawer.draw(pictures, on_drawn=stop)
    assert caught.value.where == str(other)
    assert not pictures[0].target.exists()
