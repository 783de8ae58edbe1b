"""sd-scripts' training options back into a preset's fields: the training file, read the other way round.

What no field covers goes to [sd_scripts]; what a preset may not set, or sd-scripts does not know, is said.
"""

from collections.abc import Mapping

from kohya_wrap.base_models.named import NAMED, TINY_RANDOM, TINY_RANDOM_FOLDER
from kohya_wrap.config.optimizers import adapts_learning_rate
from kohya_wrap.results.rebuild.draft import Draft
from kohya_wrap.sd_scripts.option_owners import DATASET_FILE, FIELDS, OURS
from kohya_wrap.sd_scripts.options import options

Options = Mapping[str, object]

_PLAIN = (
    *("network_dim", "network_alpha", "lr_scheduler", "train_batch_size", "clip_skip", "max_token_length"),
    *("save_every_n_epochs", "save_last_n_epochs", "weighted_captions", "seed", "save_precision", "mixed_precision"),
    *("cache_latents", "gradient_checkpointing", "network_weights", "save_state", "resume", "vae"),
    "max_data_loader_n_workers",
)
"""Options whose value is the field's."""
_ENGINE_DEFAULTS: Mapping[str, object] = {
    "network_dim": 4,
    "clip_skip": 1,
    "max_token_length": 75,
    "save_precision": "float",
    "save_every_n_epochs": 0,
    "save_last_n_epochs": 0,
    "optimizer_type": "AdamW",
    "network_alpha": 1,
}
"""What the engine does where its own default is None. Source: facts, sd-scripts.md sections 1 and 3."""
_DATASET_FIELDS = ("resolution", "flip_aug", "caption_extension", "shuffle_caption", "keep_tokens")
_LYCORIS = {"lora": "LoCon Lycoris", "locon": "LoCon Lycoris", "loha": "LoHa Lycoris"}
_GAMMA = 5.0
_V_PREDICTION = ("v_parameterization", "scale_v_pred_loss_like_noise_pred", "zero_terminal_snr")
"""What a custom SDXL model that predicts v sets."""


def put_training(draft: Draft, said: Options, *, complete: bool, pictures: int = 0) -> None:
    """Set the fields that these training options stand for.

    `complete`: what is not said has the engine's default; else it is not known, and left to the preset that is
    extended. `pictures`: how many an epoch has, repeats counted, to tell the warm-up by; 0 where it is not known.
    """
    given = {key: value for key, value in said.items() if value is not None}
    if complete:
        given = {**_defaults(given), **given}
    for option in _PLAIN:
        draft.put(FIELDS[option], given.get(option))
    _base_model(draft, given)
    if _is_sdxl(said):
        draft.put("setup.custom_model_is_sdxl", value=True)
        draft.put("setup.custom_model_is_vpred", value=_predicts_v(said))
    _network(draft, given)
    _learning_rates(draft, given)
    _schedule(draft, given, pictures)
    _optimizer(draft, {"optimizer_args": [], **given} if complete else given)
    _length(draft, given)
    _attention(draft, given)
    _rest(draft, said)
    if complete and "seed" not in said:
        draft.note("No seed is given: sd-scripts would draw one, the preset has a fixed one.")


def _defaults(given: Options) -> dict[str, object]:
    wanted = {*FIELDS, *_ENGINE_DEFAULTS} - {
        *_DATASET_FIELDS,
        *(["max_train_steps"] if "max_train_epochs" in given else []),
    }
    known = {name: option.default for name, option in options().items() if name in wanted}
    stated = {name: value for name, value in known.items() if value is not None and value != ""}
    return {**stated, **_ENGINE_DEFAULTS, "min_snr_gamma": 0}


def _base_model(draft: Draft, given: Options) -> None:
    path = given.get("pretrained_model_name_or_path")
    hashed = {name: model.sha256 for name, model in NAMED.items() if model.sha256}
    names = [name for name, sha256 in hashed.items() if isinstance(path, str) and sha256 in path]
    if names:
        draft.put("setup.training_model", names[0])
        draft.put("setup.optional_custom_training_model_url", "")  # it would win, were it inherited
    elif isinstance(path, str) and TINY_RANDOM_FOLDER in path:
        draft.put("setup.training_model", TINY_RANDOM)
        draft.put("setup.optional_custom_training_model_url", "")
        draft.put("engine.name", "embedded")  # the only one that trains it
    else:
        draft.put("setup.optional_custom_training_model_url", path)
    draft.put("setup.custom_model_is_based_on_sd2", given.get("v2"))


def _is_sdxl(given: Options) -> bool:
    """Whether a training file is for SDXL's script, whose name is not in it: its VAE is kept in 32 bits, and what that
    script warns of is left out."""
    return given.get("no_half_vae") is True and not given.get("v2") and not given.get("clip_skip")


def _predicts_v(given: Options) -> bool:
    return all(given.get(key) is True for key in _V_PREDICTION)


def _network(draft: Draft, given: Options) -> None:
    texts = given.get("network_args")
    pairs = dict(_pair(text) for text in texts) if isinstance(texts, list | tuple) else {}
    module = given.get("network_module")
    if module == "networks.lora":
        draft.put("structure.lora_type", "LoCon" if "conv_dim" in pairs else "LoRA")
    elif module == "lycoris.kohya":
        algo = pairs.pop("algo", "lora").lower()
        if algo in _LYCORIS:
            draft.put("structure.lora_type", _LYCORIS[algo])
        else:
            draft.note(f"LyCORIS' algo {algo} is no lora_type of a preset.")
    elif module is not None:
        draft.note(f"network_module {module} is no lora_type of a preset.")
    if "conv_dim" in pairs:
        draft.put("structure.conv_dim", number(pairs.pop("conv_dim")))
        draft.put("structure.conv_alpha", number(pairs.pop("conv_alpha", "1")))
    tucker = {pairs.pop("use_tucker", ""), pairs.pop("use_cp", "")}
    if module == "lycoris.kohya":
        draft.put("structure.conv_compression", "True" in tucker or pairs.pop("disable_conv_cp", "") == "False")
    if pairs:
        draft.pass_through("network_args", [f"{key}={value}" for key, value in pairs.items()])


def _pair(text: object) -> tuple[str, str]:
    key, _, value = str(text).partition("=")
    return key.strip(), value.strip()


def number(text: object) -> object:
    """Give 8 for "8", 0.5 for "0.5", anything else as it is."""
    if not isinstance(text, str):
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _learning_rates(draft: Draft, given: Options) -> None:
    common = given.get("learning_rate")
    of_text = given.get("text_encoder_lr", common)
    of_text = of_text[0] if isinstance(of_text, list | tuple) and of_text else of_text
    draft.put("learning.unet_lr", 0 if given.get("network_train_text_encoder_only") else given.get("unet_lr", common))
    draft.put("learning.text_encoder_lr", 0 if given.get("network_train_unet_only") else of_text)


def _schedule(draft: Draft, given: Options, pictures: int) -> None:
    scheduler = given.get("lr_scheduler")
    of_scheduler = {"cosine_with_restarts": "lr_scheduler_num_cycles", "polynomial": "lr_scheduler_power"}
    draft.put("learning.lr_scheduler_number", given.get(of_scheduler.get(str(scheduler), "")))
    warmup = given.get("lr_warmup_steps")
    if isinstance(warmup, float) and 0 <= warmup <= 1:
        draft.put("learning.lr_warmup_ratio", warmup)
    elif isinstance(warmup, int):
        ratio = _ratio(warmup, _planned(given, pictures))
        draft.put("learning.lr_warmup_ratio", ratio)
        if ratio is None:
            draft.note(
                f"The warm-up is {warmup} steps; which part of all steps that is, cannot be told without pictures."
            )
    gamma = given.get("min_snr_gamma")
    draft.put("learning.min_snr_gamma", bool(gamma) if gamma in (0, _GAMMA) else gamma)


def _planned(given: Options, pictures: int) -> int:
    """Count steps as the warm-up does: pictures x epochs / batch, buckets not considered."""
    epochs, batch = _count(given.get("max_train_epochs")), _count(given.get("train_batch_size", 1))
    many = _count(given.get("gradient_accumulation_steps", 1))
    if epochs and batch and many:
        return int(epochs * (_count(pictures) / batch / many))
    return _count(given.get("max_train_steps"))


def _count(value: object) -> int:
    """Give a number above 0, and 0 for anything else: a stranger's may be too large for a float."""
    return value if isinstance(value, int) and 0 < value < 1 << 63 else 0


def _ratio(warmup: int, planned: int) -> float | None:
    """Give the shortest ratio that comes out as these warm-up steps."""
    if warmup == 0:
        return 0.0
    ratios = (round(warmup / planned, digits) for digits in range(2, 8)) if planned >= warmup > 0 else ()
    return next((ratio for ratio in ratios if int(planned * ratio) == warmup), None)


def _optimizer(draft: Draft, given: Options) -> None:
    name = given.get("optimizer_type")
    name = "AdamW8bit" if given.get("use_8bit_adam") else "Lion" if given.get("use_lion_optimizer") else name
    draft.put("optimizer.optimizer", name)
    draft.put("optimizer.optimizer_args", given.get("optimizer_args"))
    if isinstance(name, str) and adapts_learning_rate(name):
        draft.put("optimizer.override_values_for_dadapt_and_prodigy", value=False)


def _length(draft: Draft, given: Options) -> None:
    epochs, steps = given.get("max_train_epochs"), given.get("max_train_steps")
    if epochs is not None or steps is not None:
        draft.put("steps.preferred_unit", "Steps" if epochs is None else "Epochs")
        draft.put("steps.how_many", steps if epochs is None else epochs)


def _attention(draft: Draft, given: Options) -> None:
    for name in ("xformers", "sdpa", "mem_eff_attn"):
        if given.get(name) is True:
            draft.put("engine.attention", name)
            return
    if "xformers" in given:
        draft.put("engine.attention", "none")


def _rest(draft: Draft, said: Options) -> None:
    """Pass on what no field covers, if it is not what the engine does anyway."""
    ours, unknown = [], []
    for key, value in said.items():
        option = options().get(key)
        sd2 = key == "v_parameterization" and said.get("v2") is True
        sdxl = _is_sdxl(said) and (key == "no_half_vae" or (key in _V_PREDICTION and _predicts_v(said)))
        if key in {*FIELDS, *DATASET_FILE, "network_args"} or sd2 or sdxl or value is None:
            continue
        if key in OURS:
            ours.append(key)
        elif option is None:
            unknown.append(key)
        elif value != option.default:
            draft.pass_through(key, value)
    if ours:
        draft.note(f"Left to kohya_wrap: {', '.join(ours)}.")
    if unknown:
        draft.note(f"No options of sd-scripts' train_network.py, and so left out: {', '.join(unknown)}.")
