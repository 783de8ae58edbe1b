"""A preset's values from a LoRA's own metadata, as far as sd-scripts wrote them down."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from kohya_wrap.base_models.named import NAMED, TINY_RANDOM, TINY_RANDOM_FOLDER
from kohya_wrap.config.optimizers import find_optimizer
from kohya_wrap.errors import BadResultError
from kohya_wrap.presets import Given
from kohya_wrap.results.inspect import LoraHeader, inspect_header
from kohya_wrap.results.inspect.metadata import TrainingFacts
from kohya_wrap.results.inspect.tags import datasets_of, subsets_of
from kohya_wrap.results.parameters.resources import loads
from kohya_wrap.results.rebuild.draft import Draft
from kohya_wrap.results.rebuild.options import number, put_training
from kohya_wrap.sd_scripts.option_owners import DATASET_FILE, OURS
from kohya_wrap.sd_scripts.options import options

_UNKNOWN = (
    "The pictures and captions themselves are not in a LoRA: set dataset.images.",
    "A LoRA does not tell caption_extension, which epochs were kept, lr_scheduler_number, weighted_captions.",
)
_SUBSET = {
    "flip_aug": "processing.flip_aug",
    "shuffle_caption": "processing.shuffle_tags",
    "keep_tokens": "processing.activation_tags",
    "num_repeats": "steps.num_repeats",
}
_CLASS = re.compile(r"([\w.]{1,200})(?:\((.{0,2000})\))?", re.DOTALL)
_ARGUMENT = re.compile(r"(\w{1,60})=(\([^()]*\)|\[[^\[\]]*\]|[^,()\[\]]*)(?:,\s*|$)")


def given_by_lora(name: str, path: Path) -> Given:
    """Read a LoRA's header for the preset `name`. Raises BadResultError where it is no LoRA, or says nothing."""
    header = inspect_header(path)
    said = {key: value for key, value in header.file.metadata.items() if value not in {"", "None"}}
    if "ss_network_module" not in said:
        what = "does not say how it was trained: it has no metadata of sd-scripts"
        raise BadResultError(what, where=str(path), todo="take another file of it; some tools strip the metadata")
    draft = Draft(name, f"the LoRA {path.name}")
    put_training(draft, _options(said), complete=False)
    _family(draft, header)
    _put_base_model(draft, header.facts)
    _put_dataset(draft, said)
    if header.facts.activation_tags and header.facts.activation_tags_by != "on every picture":
        draft.put("dataset.activation_tag", header.facts.activation_tags[0])
    for text in _UNKNOWN:
        draft.note(text)
    return draft.given()


def _options(said: Mapping[str, str]) -> dict[str, object]:
    """Give the training options among the ss_ keys, with their values as the training file would have them."""
    names = options().keys() - DATASET_FILE.keys() - OURS.keys() - {"resolution", "training_comment"}
    found = {name: literal(said[f"ss_{name}"]) for name in sorted(names) if f"ss_{name}" in said}
    found["network_args"] = _network_args(said.get("ss_network_args", ""))
    found |= _optimizer(said.get("ss_optimizer", ""))
    found["min_snr_gamma"] = found.get("min_snr_gamma") or 0
    found["max_train_epochs"] = literal(said.get("ss_num_epochs", ""))
    batch = next(iter(datasets_of(said)), {}).get("batch_size_per_device", said.get("ss_batch_size_per_device"))
    found["train_batch_size"] = number(batch)
    warmup, steps = found.pop("lr_warmup_steps", None), literal(said.get("ss_max_train_steps", ""))
    if isinstance(warmup, int) and isinstance(steps, int) and 0 <= warmup <= steps:
        found["lr_warmup_steps"] = round(warmup / max(steps, 1), 2)
    return found


def literal(text: str) -> object:
    """Give True for "True", 5.0 for "5.0", a list for a list's text; any other text as it is, None for none."""
    if not text or len(text) > 1000:
        return text or None
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float | str | list) else text


def _network_args(text: str) -> list[str] | None:
    pairs = loads(text)
    return [f"{key}={value}" for key, value in pairs.items()] if isinstance(pairs, dict) and pairs else None


def _optimizer(text: str) -> dict[str, object]:
    """Take "module.Class(key=value,…)" apart; a class that sd-scripts knows by name goes by its name."""
    match = _CLASS.fullmatch(text)
    if not match:
        return {}
    short = match[1].rpartition(".")[2]
    arguments = [f"{key}={value.replace(' ', '')}" for key, value in _ARGUMENT.findall(match[2] or "")]
    return {"optimizer_type": short if find_optimizer(short) else match[1], "optimizer_args": arguments or None}


def _family(draft: Draft, header: LoraHeader) -> None:
    if header.family == "sd2":
        draft.put("setup.custom_model_is_based_on_sd2", value=True)
    elif header.family == "sdxl":
        draft.put("setup.custom_model_is_sdxl", value=True)
    elif header.family != "sd15":
        draft.note(f"It is a LoRA for {header.family}, which is not what the preset's own settings are made for.")


def _put_base_model(draft: Draft, facts: TrainingFacts) -> None:
    sha256 = facts.base_sha256 if len(facts.base_sha256) == 64 else ""
    names = [name for name, model in NAMED.items() if sha256 and model.sha256 == sha256]
    if names:
        draft.put("setup.training_model", names[0])
        draft.put("setup.optional_custom_training_model_url", "")  # it would win, were it inherited
    elif facts.base_model == TINY_RANDOM_FOLDER:
        draft.put("setup.training_model", TINY_RANDOM)
        draft.put("setup.optional_custom_training_model_url", "")
        draft.put("engine.name", "embedded")
    elif sha256 or facts.base_hash:
        draft.put("setup.optional_custom_training_model_url", sha256 or facts.base_hash)
        draft.put("setup.base_model_sha256", sha256 or None)
    else:
        called = f" ({facts.base_model})" if facts.base_model else ""
        draft.note(f"The base model{called} has no hash in the file to find it by: put a link.")
        if draft.value("setup.custom_model_is_sdxl"):
            draft.put("setup.training_model", "Stable Diffusion XL 1.0 base")  # of the right family, until then


def _put_dataset(draft: Draft, said: Mapping[str, str]) -> None:
    subsets, dataset = subsets_of(said), next(iter(datasets_of(said)), {})
    if len(subsets) > 1:
        draft.note(f"It was trained on {len(subsets)} folders; the first one's repeats and options are set.")
    first = next(iter(subsets), {})
    for key, field in _SUBSET.items():
        draft.put(field, first.get(key, literal(said.get(f"ss_{key}", ""))))
    sides = dataset.get("resolution", re.findall(r"\d+", said.get("ss_resolution", "")[:40]))
    sides = [number(side) for side in sides] if isinstance(sides, list) else []
    if len(set(map(str, sides))) == 1:
        draft.put("processing.resolution", sides[0])
    elif sides:
        draft.note(f"The resolution was {'x'.join(map(str, sides[:2]))}, which is not square.")
