"""A run in a ZIP file: out, in again elsewhere, and nothing that a stranger's archive could do."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap import reproduce, run
from kohya_wrap.errors import OutputError, PresetError
from kohya_wrap.files import sha256_file
from kohya_wrap.record import RunRecord, read_record
from kohya_wrap.record.model import (
    BaseModelEntry,
    EngineEntry,
    FileEntry,
    PresetEntry,
    ProcessEntry,
    write_record,
)
from kohya_wrap.sharing import export_run, import_run

RUN = "20260101-000000-aaaa"


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """A finished run with one picture and its caption."""
    root = tmp_path / "mine"
    dataset = root / "Loras/tiger/dataset"
    dataset.mkdir(parents=True)
    Image.new("RGB", (64, 64), "red").save(dataset / "a.png")
    (dataset / "a.txt").write_text("tiger")
    folder = root / "Loras/tiger/runs" / RUN
    folder.mkdir(parents=True)
    made = RunRecord(
        id=RUN,
        project="tiger",
        folder=str(folder),
        status="succeeded",
        wrapper_version="0.1.0",
        started="2026-01-01T00:00:00.000+00:00",
        seed=42,
        process=ProcessEntry(pid=1, created=0.0, host="elsewhere"),
        preset=PresetEntry(name="one-image", path="one-image.toml", stated={"setup": {"project_name": "tiger"}}),
        engine=EngineEntry(name="sd-scripts", commit="a" * 40, python="python"),
        dataset=tuple(FileEntry(path=str(path), sha256=sha256_file(path)) for path in sorted(dataset.iterdir())),
        base_model=BaseModelEntry(path="base.safetensors", format="safetensors", family="sd15"),
    )
    write_record(made, folder / "run.json")
    return made


def changed(archive: Path, **files: bytes) -> Path:
    """Rewrite an archive with other files, its manifest made to fit."""
    with zipfile.ZipFile(archive) as opened:
        content = {name: opened.read(name) for name in opened.namelist() if name != "manifest.json"}
    content |= {name.replace("__", "/"): data for name, data in files.items()}
    return packed(archive.with_name("changed.zip"), content)


def packed(target: Path, content: Mapping[str, bytes]) -> Path:
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    with zipfile.ZipFile(target, "w") as opened:
        opened.writestr("manifest.json", json.dumps({"format": 1, "files": hashes}))
        for name, data in content.items():
            opened.writestr(name, data)
    return target


def test_captions_travel_and_pictures_only_when_asked(record: RunRecord, tmp_path: Path) -> None:
    """What is missing is named with its hash."""
    archive = export_run(record, tmp_path / "run.zip")
    imported = import_run(archive, root=tmp_path / "theirs")
    assert [Path(entry.path).name for entry in imported.missing] == ["a.png"]
    assert (tmp_path / "theirs/Loras/tiger/dataset/a.txt").read_text() == "tiger"
    whole = export_run(record, tmp_path / "whole.zip", with_images=True)
    assert import_run(whole, root=tmp_path / "others").missing == ()


def test_the_record_is_at_home_in_its_new_place(record: RunRecord, tmp_path: Path) -> None:
    """Folder and pictures are below the new root; `runs list` finds it."""
    archive = export_run(record, tmp_path / "run.zip", with_images=True)
    import_run(archive, root=tmp_path / "theirs")
    read = read_record(tmp_path / "theirs/Loras/tiger/runs" / RUN / "run.json")
    assert Path(read.folder) == tmp_path / "theirs/Loras/tiger/runs" / RUN
    assert all(Path(entry.path).is_relative_to(tmp_path / "theirs") for entry in read.dataset)


def test_the_same_run_gives_the_same_bytes(record: RunRecord, tmp_path: Path) -> None:
    """No time of day in the archive."""
    archives = [export_run(record, tmp_path / f"{name}.zip") for name in "ab"]
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_an_export_takes_no_file_s_place(record: RunRecord, tmp_path: Path) -> None:
    """A name typed wrong costs nobody a file."""
    (tmp_path / "notes.md").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        export_run(record, tmp_path / "notes.md")
    assert (tmp_path / "notes.md").read_text() == "mine"


def test_a_caption_that_changed_since_is_not_exported(record: RunRecord, tmp_path: Path) -> None:
    """The archive would not be the run."""
    Path(record.dataset[1].path).write_text("lion")
    with pytest.raises(OutputError, match="has changed"):
        export_run(record, tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


@pytest.mark.parametrize("name", ["files/../../evil.txt", "/evil.txt", "files/..\\evil.txt", "../evil.txt"])
def test_a_name_that_climbs_out_is_refused(record: RunRecord, tmp_path: Path, name: str) -> None:
    """Nothing is written anywhere."""
    archive = changed(export_run(record, tmp_path / "run.zip"), **{name.replace("/", "__"): b"evil"})
    with pytest.raises(OutputError, match="leads out"):
        import_run(archive, root=tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize("key", ["project", "id"])
def test_a_record_whose_names_are_paths_is_refused(record: RunRecord, tmp_path: Path, key: str) -> None:
    """Project and id become folders, so they must be names."""
    text = record.with_(**{key: "../../evil"}).model_dump_json().encode()
    archive = changed(export_run(record, tmp_path / "run.zip"), **{"run.json": text})
    with pytest.raises(OutputError, match="no file name"):
        import_run(archive, root=tmp_path / "theirs")


def test_a_link_in_the_way_is_not_followed(record: RunRecord, tmp_path: Path) -> None:
    """A dataset folder that is a link out of the root is refused."""
    archive = export_run(record, tmp_path / "run.zip")
    (tmp_path / "theirs/Loras/tiger").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "theirs/Loras/tiger/dataset").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="by a link"):
        import_run(archive, root=tmp_path / "theirs")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_another_file_in_the_way_is_not_replaced(record: RunRecord, tmp_path: Path) -> None:
    """The user's own caption stays."""
    archive = export_run(record, tmp_path / "run.zip")
    place = tmp_path / "theirs/Loras/tiger/dataset/a.txt"
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    with pytest.raises(OutputError, match="another file"):
        import_run(archive, root=tmp_path / "theirs")
    assert place.read_text() == "mine"


def test_a_run_that_is_here_is_not_imported_twice(record: RunRecord, tmp_path: Path) -> None:
    """The first stays as it is."""
    archive = export_run(record, tmp_path / "run.zip")
    import_run(archive, root=tmp_path / "theirs")
    with pytest.raises(OutputError, match="already"):
        import_run(archive, root=tmp_path / "theirs")


def test_a_bomb_is_not_unpacked(record: RunRecord, tmp_path: Path) -> None:
    """A file that would grow a thousandfold is refused by its announced size."""
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as opened:
        opened.writestr("manifest.json", "{}")
        opened.writestr("files/a.txt", b"\0" * (30 << 20))
    with pytest.raises(OutputError, match="is no run"):
        import_run(archive, root=tmp_path / "theirs")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut short"])
def test_what_is_no_archive_is_said(tmp_path: Path, content: bytes) -> None:
    """Empty, text, cut short."""
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(OutputError, match="ZIP"):
        import_run(tmp_path / "x.zip", root=tmp_path)


def test_an_archive_of_something_else_is_said(tmp_path: Path) -> None:
    """Any ZIP without our manifest."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr("readme.txt", b"hello")
    with pytest.raises(OutputError, match="is no run"):
        import_run(tmp_path / "x.zip", root=tmp_path)


def test_a_damaged_file_is_not_taken(record: RunRecord, tmp_path: Path) -> None:
    """Content that does not fit the manifest."""
    archive = export_run(record, tmp_path / "run.zip")
    with zipfile.ZipFile(archive) as opened:
        content = {name: opened.read(name) for name in opened.namelist()}
    content["files/Loras/tiger/dataset/a.txt"] = b"lion"
    with zipfile.ZipFile(archive, "w") as opened:
        for name, data in content.items():
            opened.writestr(name, data)
    with pytest.raises(OutputError, match="damaged"):
        import_run(archive, root=tmp_path / "theirs")


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("optimizer", "optimizer", "evil.module.Optimizer"),
        ("engine", "python", "evil/python"),
        ("engine", "sd_scripts_dir", "evil"),
        ("sd_scripts", "lr_scheduler_type", "evil.Schedule"),
        ("setup", "allow_pickle", True),
        ("extras", "override_config_file", "settings.toml"),
    ],
)
def test_code_in_a_strangers_preset_needs_a_word(
    record: RunRecord, tmp_path: Path, table: str, key: str, value: object
) -> None:
    """It is named by its key, and taken only with trust."""
    stated = {"setup": {"project_name": "tiger"}}
    stated.setdefault(table, {})[key] = value  # type: ignore[assignment]  # whatever a preset may hold
    preset = record.preset.model_copy(update={"stated": stated})
    archive = export_run(record.with_(preset=preset), tmp_path / "run.zip")
    with pytest.raises(PresetError, match=f"{table}.{key}"):
        import_run(archive, root=tmp_path / "theirs")
    assert import_run(archive, root=tmp_path / "theirs", trust=True).record.id == RUN


def test_a_strangers_preset_extends_nothing(record: RunRecord, tmp_path: Path) -> None:
    """A preset in the archive could name the code that the record does not."""
    stated = {"extends": "../evil.toml", "setup": {"project_name": "tiger"}}
    preset = record.preset.model_copy(update={"stated": stated})
    archive = export_run(record.with_(preset=preset), tmp_path / "run.zip")
    with pytest.raises(PresetError, match="extends"):
        import_run(archive, root=tmp_path / "theirs")


@pytest.mark.parametrize("name", [".venv/lib/site.pth", "vendor/sd-scripts/evil.py", "Loras/evil.toml"])
def test_only_pictures_and_captions_come_unasked(record: RunRecord, tmp_path: Path, name: str) -> None:
    """What Python, the engine or a preset would read is named, not written; with trust it is taken."""
    archive = changed(export_run(record, tmp_path / "run.zip"), **{f"files/{name}": b"import evil"})
    with pytest.raises(PresetError, match="neither a picture nor a caption"):
        import_run(archive, root=tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()
    import_run(archive, root=tmp_path / "theirs", trust=True)
    assert (tmp_path / "theirs" / name).is_file()


@pytest.mark.engine
def test_another_machine_repeats_it(tmp_path: Path, engine_python: Path) -> None:
    """Trained here, exported with its pictures, imported there, repeated: the same tensors."""
    assert engine_python.exists()
    result = run(
        "demo", root=tmp_path / "here", overrides=("samples.prompts=[]", "steps.how_many=1", "steps.num_repeats=2")
    )
    archive = export_run(result.record, tmp_path / "run.zip", with_images=True)
    imported = import_run(archive, root=tmp_path / "there")
    again = reproduce(imported.record, into=tmp_path / "there/again")
    assert again.identical
    assert again.differences == ()
