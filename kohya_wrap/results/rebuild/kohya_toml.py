"""A preset's values from sd-scripts' own files: the training TOML, the dataset TOML, or both."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from kohya_wrap.errors import PresetError
from kohya_wrap.presets import Given
from kohya_wrap.results.rebuild.dataset import count_pictures, put_dataset
from kohya_wrap.results.rebuild.draft import Draft
from kohya_wrap.results.rebuild.options import put_training
from kohya_wrap.sd_scripts.overrides import flatten


def given_by_toml(name: str, paths: Sequence[Path]) -> Given:
    """Read a training file, a dataset file, both, or a folder with both, for the preset `name`.

    A training file that names its dataset_config has that read too. Raises PresetError for what cannot be read.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.toml")) if path.is_dir() else [path])]
    if not files:
        raise PresetError("holds no .toml file", where=str(paths[0]), todo="name the training or the dataset TOML")
    training: dict[str, object] = {}
    dataset: dict[str, object] = {}
    for path in files:
        document = _read(path)
        if "datasets" in document or "general" in document:
            dataset |= document
        else:
            training |= flatten(document)
    named = training.pop("dataset_config", None)
    draft = Draft(name, f"sd-scripts' {' and '.join(file.name for file in files)}")
    if isinstance(named, str) and not dataset:
        found = [place for place in (Path(named), files[0].parent / named) if place.is_file()]
        dataset = _read(found[0]) if found else {}
    if training:
        put_training(draft, training, complete=True, pictures=count_pictures(dataset))
    else:
        draft.note("There was no training file: only the dataset's fields are set.")
    if dataset:
        put_dataset(draft, dataset, training)
    else:
        draft.note("There was no dataset file: the pictures, repeats and captions are not known.")
    return draft.given()


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise PresetError(what, where=str(path), todo="check the path") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PresetError(f"is no TOML: {error}", where=str(path), todo="name a TOML file of sd-scripts") from error
