"""A preset's values from a saved Lora_Trainer or Lora_Trainer_XL notebook: the form's fields are the preset's."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.docs import table_types
from kohya_wrap.config.setup import TrainingModel
from kohya_wrap.errors import PresetError
from kohya_wrap.presets import Given
from kohya_wrap.results.rebuild.draft import Draft, words_of
from kohya_wrap.results.rebuild.notebook_xl import OWN_FIELDS, put_xl

_PARAM = re.compile(r"([A-Za-z_]\w{0,60})[ \t]{0,9}=([^=].*)")
_MARK = re.compile(r"# ?@param\b")
_LARGEST = 32 << 20
_COLAB = "/content/drive/MyDrive/"
_EXAMPLES = {"zip", "extract_to", "folder"}
"""Fields of the notebook's helper cells, which name places in its Drive."""


def given_by_notebook(name: str, path: Path) -> Given:
    """Read the @param values of every code cell for the preset `name`. Raises PresetError for what is no notebook."""
    tables = {key: table for table, kind in table_types(TrainConfig).items() for key in kind.model_fields}
    draft = Draft(name, f"the notebook {path.name}")
    unknown = []
    found = dict(_params(path, draft))
    for key, text in found.items():
        value = _value(text)
        if value is None:
            draft.note(f"{key} = {text[:80]} is computed, so its value is not in the notebook.")
        elif key in tables and key not in {"project_name", *_EXAMPLES}:
            draft.put(f"{tables[key]}.{key}", _translated(key, value))
        elif key not in tables and key not in {*_EXAMPLES, *OWN_FIELDS}:
            unknown.append(key)
    put_xl(draft, {key: _value(text) for key, text in found.items()})
    if not found.keys() & tables.keys():
        raise PresetError("has no fields of Lora_Trainer", where=str(path), todo="name a saved Lora_Trainer.ipynb")
    if unknown:
        draft.note(f"No fields of a preset: {', '.join(unknown)}.")
    if project := _value(found.get("project_name", "''")):
        draft.note(f"The notebook's project was called {project}.")
    draft.note("The pictures lie in the notebook's Drive: set dataset.images, or copy them into the dataset folder.")
    return draft.given()


def _params(path: Path, draft: Draft) -> Iterator[tuple[str, str]]:
    """Give name and text of every field, in order; of two with one name the dict keeps the last, as Python would.

    A cell without project_name is one of the optional ones: its form counts only where it was run.
    """
    for cell in _cells(path):
        source = cell.get("source", "")
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        found = list(_fields(text)) if cell.get("cell_type") == "code" else []
        names = [name for name, _ in found]
        if "project_name" in names or cell.get("execution_count") is not None:
            yield from found
        elif wanted := [name for name in names if name not in _EXAMPLES]:
            draft.note(f"An optional cell was not run when this was saved, so it was left out: {', '.join(wanted)}.")


def _fields(code: str) -> Iterator[tuple[str, str]]:
    """Give name and text of each `name = value #@param …` line."""
    for line in code.splitlines():
        mark = _MARK.search(line)
        if mark and (match := _PARAM.fullmatch(line[: mark.start()].strip())):
            yield match[1], match[2].strip()


def _cells(path: Path) -> list[Mapping[str, object]]:
    todo = "name a saved Lora_Trainer.ipynb"
    try:
        if path.stat().st_size > _LARGEST:
            raise PresetError(f"is larger than {_LARGEST >> 20} MiB", where=str(path), todo="clear its outputs first")
        document = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise PresetError(f"cannot be read: {error.strerror}", where=str(path), todo=todo) from error
    except (ValueError, RecursionError) as error:
        raise PresetError("is no notebook: it is not JSON", where=str(path), todo=todo) from error
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        raise PresetError("is no notebook: it has no cells", where=str(path), todo=todo)
    return [cell for cell in cells if isinstance(cell, dict)]


def _value(text: str) -> object:
    """Give the value of a literal, None for anything that Python would have to compute."""
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, bool | int | float | str) else None


def _translated(key: str, value: object) -> object:
    """Give the preset's value for the form's: names instead of descriptions, numbers instead of texts of numbers."""
    text = str(value)
    if key == "training_model":
        return next((model for model in get_args(TrainingModel) if text.startswith(model)), text)
    if key == "folder_structure":
        return "category" if "by category" in text else "project"
    if key == "activation_tags":
        return int(text) if text.isdecimal() and len(text) < 9 else value
    if key == "optimizer_args":
        return value if (words := words_of(text)) is None else words
    if key == "lora_type":
        return text.replace("LoCon_Lycoris", "LoCon Lycoris").replace("LoHa_Lycoris", "LoHa Lycoris")
    return text.removeprefix(_COLAB) if isinstance(value, str) else value
