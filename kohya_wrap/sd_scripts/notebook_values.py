"""The training file as Lora_Trainer writes it for the same field values: same sections, keys, values, left-out keys.

Source: Lora_Trainer.ipynb of hollowstrawberry/kohya-colab, 2026 and (Lycoris kinds, save_state, resume) 2023-05.
"""

from collections.abc import Mapping

from kohya_wrap.config import StepsConfig, StructureConfig, TrainConfig
from kohya_wrap.sd_scripts.job import TrainingJob

Section = dict[str, object]

LYCORIS = {"LoCon Lycoris": "lora", "LoHa Lycoris": "loha"}
"""LoRA types that LyCORIS trains -> its algo."""


def notebook_training(job: TrainingJob) -> dict[str, Section]:
    """Give the notebook's training file, with this project's paths; keys it leaves out are left out."""
    config = job.config
    sections: dict[str, Section] = {
        "additional_network_arguments": _network(job),
        "optimizer_arguments": _optimizer(config, job.steps.warmup_steps),
        "training_arguments": _training(job),
        "model_arguments": _model(job),
        "saving_arguments": {"save_model_as": "safetensors"},
        "dreambooth_arguments": {"prior_loss_weight": 1.0},
        "dataset_arguments": {"cache_latents": config.engine.cache_latents},
    }
    return {name: _present(section) for name, section in sections.items()}


def _present(section: Mapping[str, object]) -> Section:
    """Leave out None, and nothing else: 0, 0.0 and False are values."""
    return {key: value for key, value in section.items() if value is not None}


def whole(value: float) -> int | float:
    """Give 8.0 as 8: the notebook's sliders give whole numbers, and the engine writes them into the metadata."""
    return int(value) if float(value).is_integer() else value


def _network(job: TrainingJob) -> Section:
    structure, learning = job.config.structure, job.config.learning
    continued = job.config.training.continue_from_lora
    return {
        "unet_lr": learning.unet_lr,
        "text_encoder_lr": learning.text_encoder_lr,
        "network_dim": structure.network_dim,
        "network_alpha": whole(structure.network_alpha),
        "network_module": "lycoris.kohya" if structure.lora_type in LYCORIS else "networks.lora",
        "network_args": notebook_network_args(structure),
        "network_train_unet_only": True if learning.text_encoder_lr == 0 else None,
        "network_weights": job.place(continued) if continued else None,
    }


def notebook_network_args(structure: StructureConfig) -> list[str] | None:
    """Give network_args; None with plain LoRA."""
    if structure.lora_type == "LoRA":
        return None
    arguments = [f"conv_dim={structure.conv_dim}", f"conv_alpha={whole(structure.conv_alpha)}"]
    if structure.lora_type in LYCORIS:
        arguments += [f"algo={LYCORIS[structure.lora_type]}", f"disable_conv_cp={not structure.conv_compression}"]
    return arguments


def _optimizer(config: TrainConfig, warmup_steps: int) -> Section:
    learning = config.learning
    return {
        "learning_rate": learning.unet_lr,
        "lr_scheduler": learning.lr_scheduler,
        "lr_scheduler_num_cycles": _only(learning.lr_scheduler, "cosine_with_restarts", learning.lr_scheduler_number),
        "lr_scheduler_power": _only(learning.lr_scheduler, "polynomial", learning.lr_scheduler_number),
        "lr_warmup_steps": None if learning.lr_scheduler == "constant" else warmup_steps,
        "optimizer_type": config.optimizer.optimizer,
        "optimizer_args": list(config.optimizer.optimizer_args) or None,
    }


def _only(scheduler: str, wanted: str, value: float) -> int | float | None:
    return whole(value) if scheduler == wanted else None


def _training(job: TrainingJob) -> Section:
    steps, training, engine = job.config.steps, job.config.training, job.config.engine
    name = job.config.setup.project_name
    by_epochs = steps.preferred_unit == "Epochs"
    return {
        "max_train_steps": None if by_epochs else steps.how_many,
        "max_train_epochs": steps.how_many if by_epochs else None,
        "save_every_n_epochs": steps.save_every_n_epochs or _all_epochs(steps),
        "save_last_n_epochs": steps.keep_only_last_n_epochs or _all_epochs(steps),
        "train_batch_size": steps.train_batch_size,
        "clip_skip": training.clip_skip,
        "min_snr_gamma": _gamma(job.config.learning.min_snr_gamma),
        "weighted_captions": training.weighted_captions,
        "seed": training.seed,
        "max_token_length": training.max_token_length,
        "xformers": True,
        "lowram": True,
        "max_data_loader_n_workers": 8,
        "persistent_data_loader_workers": True,
        "save_precision": engine.save_precision,
        "mixed_precision": "fp16",
        "output_dir": str(job.run.staging),
        "logging_dir": str(job.run.log_dir),
        "output_name": name,
        "log_prefix": name,
        "save_state": training.save_state or None,
        "save_last_n_epochs_state": training.keep_only_last_n_states if training.save_state else None,
        "resume": job.place(training.resume) if training.resume else None,
    }


def _gamma(given: float) -> float | None:
    """Give 5 for true: a flag in Lora_Trainer, a number in Lora_Trainer_XL."""
    return (5.0 if given is True else given) or None


def _all_epochs(steps: StepsConfig) -> int | None:
    return steps.how_many if steps.preferred_unit == "Epochs" else None


def _model(job: TrainingJob) -> Section:
    setup = job.config.setup
    xl_with_v = True if setup.predicts_v and setup.family == "sdxl" else None
    return {
        "pretrained_model_name_or_path": str(job.base_model.path),
        "v2": setup.custom_model_is_based_on_sd2,
        "v_parameterization": True if setup.predicts_v else None,
        "scale_v_pred_loss_like_noise_pred": xl_with_v,
        "zero_terminal_snr": xl_with_v,
    }
