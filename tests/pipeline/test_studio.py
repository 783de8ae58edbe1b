"""What a recorded run is drawn on and with, read from its record alone."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers_samples import make_run

from kohya_wrap.engines.drawing.diffusers_drawer import DiffusersDrawer
from kohya_wrap.errors import DrawingError, EngineError
from kohya_wrap.files import sha256_file
from kohya_wrap.record.model import FileEntry, LaunchEntry
from kohya_wrap.studio import Studio


def changed(studio: Studio, **changes: object) -> Studio:
    return replace(studio, record=studio.record.with_(**changes))


def trained_with(studio: Studio, text: str) -> Studio:
    return changed(studio, launch=LaunchEntry(training_config=text))


def drawer(studio: Studio) -> DiffusersDrawer:
    made = studio.drawer()
    assert isinstance(made, DiffusersDrawer)
    return made


def test_the_vae_of_the_training_draws_too(tmp_path: Path) -> None:
    """The one that the engine was given, under whatever heading; its name and hash stand in the parameters."""
    vae = tmp_path / "kl-f8.safetensors"
    vae.write_bytes(b"a vae")
    studio = trained_with(make_run(tmp_path), f'[model_arguments]\nvae = "{vae}"\n')
    assert drawer(studio).vae == vae
    base = studio.base()
    assert (base.vae, base.vae_sha256) == ("kl-f8", sha256_file(vae))
    assert (base.name, base.sha256) == ("kemono", studio.record.base_model.sha256)


def test_the_settings_of_the_training_hold(tmp_path: Path) -> None:
    """Tokenizers, v-prediction, its noise, device, GPUs as in the run; what it does not say is left to the base."""
    text = 'v_parameterization = true\nzero_terminal_snr = true\n[model_arguments]\ntokenizer_cache_dir = "/tokens"\n'
    studio = changed(trained_with(make_run(tmp_path), text), choices={"use_cpu": True})
    preset = studio.record.preset.model_copy(update={"resolved": {"engine": {"gpu_ids": "1", "num_cpu_threads": 2}}})
    made = drawer(changed(studio, preset=preset))
    assert (made.v_prediction, made.tokenizers, made.use_cpu) == (True, Path("/tokens"), True)
    assert (made.gpu_ids, made.num_cpu_threads, made.zero_terminal_snr) == ("1", 2, True)
    plain = drawer(make_run(tmp_path / "plain"))
    assert (plain.v_prediction, plain.tokenizers, plain.use_cpu, plain.vae) == (None, None, False, None)
    assert plain.zero_terminal_snr is False


def test_a_folder_has_the_hash_of_its_files(tmp_path: Path) -> None:
    """A diffusers folder with one file changed is another base model, in whatever order its files are listed."""
    studio = make_run(tmp_path)

    def digest(*files: tuple[str, str]) -> str:
        entries = tuple(FileEntry(path=path, sha256=sha256) for path, sha256 in files)
        folder = studio.record.base_model.model_copy(update={"sha256": "", "files": entries})
        return changed(studio, base_model=folder).base().sha256

    first = digest(("unet/a", "1" * 64), ("vae/b", "2" * 64))
    assert len(first) == 64
    assert digest(("vae/b", "2" * 64), ("unet/a", "1" * 64)) == first
    assert digest(("unet/a", "1" * 64), ("vae/b", "3" * 64)) != first


def test_a_python_that_is_gone_gives_way_to_todays(tmp_path: Path) -> None:
    """Where setup has not been run either, that is the error."""
    studio = make_run(tmp_path)
    Path(studio.record.engine.python).unlink()
    with pytest.raises(EngineError, match="pictures are drawn in the engine's environment"):
        studio.drawer()


def test_the_first_training_picture_that_is_there(tmp_path: Path) -> None:
    """Captions are none, nor are pictures that are gone; a picture goes before the variants made of it."""
    studio = make_run(tmp_path)
    there = studio.record.dataset[0]
    gone, caption = (there.model_copy(update={"path": str(tmp_path / name)}) for name in ("gone.png", "a.txt"))
    (tmp_path / "a.txt").write_text("a tiger", encoding="utf-8")
    assert changed(studio, dataset=(caption, gone, there)).training_picture == Path(there.path)
    assert changed(studio, dataset=(caption, gone)).training_picture is None
    variant = there.model_copy(update={"path": str(tmp_path / "a-flip.png")})
    Path(variant.path).write_bytes(Path(there.path).read_bytes())
    assert changed(studio, dataset=(variant, there)).training_picture == Path(there.path)


def test_a_record_without_its_training_file_still_draws(tmp_path: Path) -> None:
    """One that cannot be read as TOML says nothing."""
    assert drawer(trained_with(make_run(tmp_path), "= no toml")).vae is None


def test_a_source_is_named_where_the_base_model_can_be_fetched(tmp_path: Path) -> None:
    """A link in the record is what brings it back."""
    studio = make_run(tmp_path)
    Path(studio.record.base_model.path).unlink()
    link = "https://civitai.com/models/11888?modelVersionId=47368"
    linked = changed(studio, base_model=studio.record.base_model.model_copy(update={"source": link}))
    with pytest.raises(DrawingError) as caught:
        linked.base_path()
    assert caught.value.todo == f"`kohya-wrap model get {link}` fetches it"
