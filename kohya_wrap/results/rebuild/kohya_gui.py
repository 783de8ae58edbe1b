"""A preset's values from the JSON of kohya_ss' GUI: its fields become sd-scripts' options, those a preset's."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from kohya_wrap.errors import PresetError
from kohya_wrap.presets import Given
from kohya_wrap.results.rebuild.dataset import count_pictures, put_dataset
from kohya_wrap.results.rebuild.draft import Draft, words_of
from kohya_wrap.results.rebuild.options import number, put_training
from kohya_wrap.sd_scripts.option_owners import FIELDS
from kohya_wrap.sd_scripts.options import Option, options

Fields = Mapping[str, object]

_LARGEST = 4 << 20
_RENAMED = {"optimizer": "optimizer_type", "epoch": "max_train_epochs", "lora_network_weights": "network_weights"}
_TYPES = {
    "Standard": ("networks.lora", ""),
    "Kohya LoCon": ("networks.lora", "conv"),
    "LyCORIS/LoCon": ("lycoris.kohya", "locon"),
    "LyCORIS/LoHa": ("lycoris.kohya", "loha"),
}
_RULES = ("enable_bucket", "bucket_no_upscale", "bucket_reso_steps", "min_bucket_reso", "max_bucket_reso")
_DATASET = (*_RULES, "flip_aug", "caption_extension", "shuffle_caption", "keep_tokens")
_SPECIAL = {"train_data_dir", "reg_data_dir", "max_train_steps", "min_snr_gamma", "seed", "lr_warmup_steps", "xformers"}
_NUMBERS = {"max_token_length"}
"""Options of the type text that a preset has as numbers."""
_REPEATED = re.compile(r"(\d{1,6})_.*")
_PLAIN_NUMBER = re.compile(r"\d+\.0+")


def given_by_kohya_gui(name: str, path: Path) -> Given:
    """Read a saved configuration of kohya_ss' LoRA tab for the preset `name`. Raises PresetError for another file."""
    fields = _read(path)
    draft = Draft(name, f"kohya_ss' {path.name}")
    training, dataset = _training(draft, fields), _dataset(draft, fields)
    put_training(draft, training, complete=True, pictures=count_pictures(dataset))
    put_dataset(draft, dataset, {})
    _warmup(draft, fields)
    draft.put("setup.custom_model_is_sdxl", value=fields.get("sdxl") is True)
    draft.put("engine.num_cpu_threads", _number(fields.get("num_cpu_threads_per_process")))
    for key in ("additional_parameters", "block_dims", "down_lr_weight", "mid_lr_weight", "up_lr_weight"):
        if fields.get(key):
            draft.note(f"Left out: {key} = {str(fields[key])[:80]}.")
    return draft.given()


def _read(path: Path) -> Fields:
    todo = "name a .json that kohya_ss saved"
    try:
        text = path.read_bytes()[: _LARGEST + 1].decode("utf-8-sig")
        fields = json.loads(text) if len(text) <= _LARGEST else None
    except OSError as error:
        raise PresetError(f"cannot be read: {error.strerror}", where=str(path), todo=todo) from error
    except (ValueError, RecursionError) as error:
        raise PresetError("is no JSON", where=str(path), todo=todo) from error
    if not isinstance(fields, dict) or not {"LoRA_type", "network_dim"} <= fields.keys():
        raise PresetError("is no configuration of kohya_ss' LoRA tab", where=str(path), todo=todo)
    return fields


def _training(draft: Draft, fields: Fields) -> dict[str, object]:
    """Give the training options; the GUI passes on what is not empty, 0 or false, and so do we."""
    found: dict[str, object] = {}
    for key, value in fields.items():
        option = options().get(_RENAMED.get(key, key))
        if option is None or key in {*_SPECIAL, *_DATASET} or value in ("", None):
            continue
        if value or option.name in FIELDS:
            found[option.name] = _of_type(option, value)
    found |= _length(fields) | _network(draft, fields)
    found |= {key: None for key in ("network_weights", "vae", "resume") if not found.get(key)}
    if seed := _number(fields.get("seed")):
        found["seed"] = seed
    if gamma := _number(fields.get("min_snr_gamma")):
        found["min_snr_gamma"] = gamma
    attention = {"True": "xformers", "xformers": "xformers", "sdpa": "sdpa"}.get(str(fields.get("xformers")))
    return found | ({attention: True} if attention else {})


def _of_type(option: Option, value: object) -> object:
    if option.many:
        words = words_of(value) if isinstance(value, str) else None
        return value if words is None else [_number(word) if option.type == "float" else word for word in words]
    if option.type == "bool":
        return bool(value)
    return _number(value) if option.type != "str" or option.name in _NUMBERS else value


def _length(fields: Fields) -> dict[str, object]:
    if steps := _number(fields.get("max_train_steps")):
        return {"max_train_steps": steps, "max_train_epochs": None}
    return {"max_train_epochs": _number(fields.get("max_train_epochs")) or _number(fields.get("epoch"))}


def _network(draft: Draft, fields: Fields) -> dict[str, object]:
    kind = str(fields["LoRA_type"])
    if kind not in _TYPES:
        draft.note(f"LoRA_type {kind} is no lora_type of a preset.")
        return {}
    module, algo = _TYPES[kind]
    arguments = [f"{key}={_number(fields.get(key)) or 1}" for key in ("conv_dim", "conv_alpha") if algo]
    arguments += [f"algo={algo}"] if module == "lycoris.kohya" else []
    arguments += ["use_tucker=True"] if module == "lycoris.kohya" and fields.get("use_cp") else []
    return {"network_module": module, "network_args": arguments}


def _dataset(draft: Draft, fields: Fields) -> dict[str, object]:
    """Give the dataset file that the GUI's folders stand for: REPEATS_name below train_data_dir."""
    sides = [
        int(side)
        for side in str(fields.get("max_resolution", "512,512")).split(",")
        if re.fullmatch(r" *\d{1,6} *", side)
    ]
    general = {key: _typed(key, fields[key]) for key in _DATASET if fields.get(key) not in (None, "")}
    general["resolution"] = sides[0] if len(set(sides)) == 1 else sides
    main = Path(str(fields.get("train_data_dir") or ""))
    below = sorted(main.iterdir()) if main.is_absolute() and main.is_dir() else []
    subsets = [
        {"image_dir": str(folder), "num_repeats": int(match[1])}
        for folder in below
        if (match := _REPEATED.fullmatch(folder.name)) and int(match[1]) and folder.is_dir()
    ]
    if not subsets:
        draft.note(f"The folders below {main if main.name else 'train_data_dir'} are not here: repeats are not known.")
        draft.put("dataset.images", str(main) if main.name else None)
    return {"general": general, "datasets": [{"subsets": subsets}] if subsets else []}


def _warmup(draft: Draft, fields: Fields) -> None:
    percent, steps = _number(fields.get("lr_warmup")), _number(fields.get("lr_warmup_steps"))
    if steps:
        draft.note(f"The warm-up was {steps} steps; the preset has it as a part of all steps.")
    elif isinstance(percent, int | float):
        draft.put("learning.lr_warmup_ratio", max(-1000, min(percent, 1000)) / 100)  # a whole number has no limit


def _typed(key: str, value: object) -> object:
    return value if isinstance(value, bool) or key == "caption_extension" else _number(value)


def _number(value: object) -> object:
    """Give the number that the GUI meant: it writes 64 as 64, 64.0 and "64"; None for an empty field."""
    if value in (None, "") or isinstance(value, bool):
        return None if value in (None, "") else value
    found = number(str(value))
    return int(found) if isinstance(found, float) and _PLAIN_NUMBER.fullmatch(str(value)) else found
