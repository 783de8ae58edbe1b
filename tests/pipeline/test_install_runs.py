"""lora install of a run or project: which LoRA, which picture on its card, which words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers_samples import RUN, make_run
from PIL import Image
from typer.testing import CliRunner

from kohya_wrap.cli.main import app
from kohya_wrap.errors import KohyaWrapError
from kohya_wrap.record import write_record
from kohya_wrap.record.model import SampleEntry, SamplesEntry
from kohya_wrap.studio import Studio


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    """A web UI's folder of LoRAs."""
    (tmp_path / "ui").mkdir()
    return tmp_path / "ui"


def install(studio: Studio, ui: Path, what: str = "tiger", *words: str) -> Any:
    """Type the verb; give its JSON, or raise its error."""
    root = studio.paths.folder.parents[3]
    argv = ["lora", "install", what, "--to", str(ui), "--root", str(root), "--json", *words]
    done = CliRunner().invoke(app, argv, env={"KOHYA_WRAP_WEBUI_URL": None}, catch_exceptions=False)
    return json.loads(done.stdout)


def with_samples(studio: Studio, *drawn: tuple[int, float], grid: bool = False) -> Studio:
    """Draw pictures of (epoch, weight), each of another colour, and note them in the record."""
    folder = studio.paths.samples
    folder.mkdir()
    entries = []
    for epoch, weight in drawn:
        path = folder / f"{epoch}-{weight}.png"
        Image.new("RGB", (8, 8), (epoch, round(weight * 10), 0)).save(path)
        entries.append(SampleEntry(path=str(path), prompt=1, epoch=epoch, weight=weight))
    grids = [folder / "grid.png"] if grid else []
    for path in grids:
        Image.new("RGB", (8, 8), (200, 200, 200)).save(path)
    samples = SamplesEntry(pictures=tuple(entries), grids=tuple(map(str, grids)))
    changed = replace(studio, record=studio.record.with_(samples=samples))
    write_record(changed.record, changed.paths.record)
    return changed


def colour(ui: Path) -> object:
    with Image.open(ui / "tiger-03.png") as image:
        return image.convert("RGB").getpixel((1, 1))


@pytest.mark.parametrize("what", ["tiger", RUN, RUN[:9]])
def test_the_last_epoch(tmp_path: Path, ui: Path, what: str) -> None:
    """Of the project's newest run, or of the run that is named; its card says what it is."""
    studio = make_run(tmp_path)
    last = studio.record.loras[-1]
    said = install(studio, ui, what)
    assert said["lora"] == str(ui / "tiger-03.safetensors")
    assert (ui / "tiger-03.safetensors").read_bytes() == Path(last.path).read_bytes()
    card = json.loads((ui / "tiger-03.json").read_text(encoding="utf-8"))
    base = studio.record.base_model.sha256[:10]
    assert card["description"] == f"tiger: epoch 3, 5 steps, trained on kemono ({base})"
    assert card["notes"] == f"kohya_wrap run {RUN}; SHA256 {last.sha256}; AutoV3 {last.tensors_sha256[:12]}"


def test_the_tag_of_its_preset_calls_it(tmp_path: Path, ui: Path) -> None:
    """dataset.activation_tag goes before what can be guessed of the file."""
    studio = make_run(tmp_path)
    preset = studio.record.preset.model_copy(update={"resolved": {"dataset": {"activation_tag": "lakto_tiger"}}})
    write_record(studio.record.with_(preset=preset), studio.paths.record)
    assert install(studio, ui)["activation"] == "lakto_tiger"


def test_the_card_shows_what_it_draws(tmp_path: Path, ui: Path) -> None:
    """The last epoch's test picture of the nearest weight; never the base model's, nor another epoch's."""
    studio = with_samples(make_run(tmp_path), (0, 0.0), (1, 0.8), (3, 0.5), (3, 1.0), grid=True)
    install(studio, ui, "tiger", "--weight", "0.9")
    assert colour(ui) == (3, 10, 0)


def test_a_grid_where_no_picture_of_it_is_there(tmp_path: Path, ui: Path) -> None:
    """Test pictures may have been thrown away."""
    studio = with_samples(make_run(tmp_path), (1, 0.8), (3, 0.5), grid=True)
    (studio.paths.samples / "3-0.5.png").unlink()
    install(studio, ui)
    assert colour(ui) == (200, 200, 200)


def test_the_training_picture_where_nothing_was_drawn(tmp_path: Path, ui: Path) -> None:
    """It is orange."""
    install(make_run(tmp_path), ui)
    assert colour(ui) == (255, 165, 0)


def test_a_lora_that_is_not_the_run_s_any_more(tmp_path: Path, ui: Path) -> None:
    """Its card would tell lies."""
    studio = make_run(tmp_path)
    path = Path(studio.record.loras[-1].path)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(KohyaWrapError, match="is no longer what the run left"):
        install(studio, ui)
    assert list(ui.iterdir()) == []


def test_a_run_of_another_version_is_installed_too(tmp_path: Path, ui: Path) -> None:
    """What its [samples] say is nothing to an installation."""
    studio = make_run(tmp_path)
    preset = studio.record.preset.model_copy(update={"resolved": {"samples": {"brushes": 3}}})
    write_record(studio.record.with_(preset=preset), studio.paths.record)
    assert len(install(studio, ui)["new"]) == 3


def test_a_failed_run_does_not_hide_the_one_before(tmp_path: Path, ui: Path) -> None:
    """A project's newest run that left LoRAs is meant; the failed one by its own name is an error."""
    studio = make_run(tmp_path)
    later = "20270101-000000-bbbb"
    folder = studio.paths.folder.with_name(later)
    folder.mkdir()
    write_record(studio.record.with_(id=later, folder=str(folder), status="failed", loras=()), folder / "run.json")
    assert install(studio, ui)["lora"].endswith("tiger-03.safetensors")
    with pytest.raises(KohyaWrapError, match="the run left no LoRA"):
        install(studio, ui, later)
