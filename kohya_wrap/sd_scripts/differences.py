"""Every place where the training file differs on purpose from the notebook's, with the reason.

`[engine] fidelity = "notebook"` switches the whole table off; paths stay this project's own either way. Two further
differences lie outside the file: the last epoch's LoRA is NAME-10 like the others because the results are named after
the run (the notebook patches the engine for that), and truncated pictures are refused before the launch instead of
being loaded in part.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kohya_wrap.sd_scripts.job import TrainingJob
from kohya_wrap.sd_scripts.notebook_values import LYCORIS, notebook_network_args

UNUSED_TOKEN_LENGTH = 75


@dataclass(frozen=True, slots=True)
class Difference:
    """One key: what the notebook writes, what we write (`value`; None leaves the key out), and why."""

    section: str
    key: str
    notebook: str
    ours: str
    why: str
    value: Callable[[TrainingJob], object | None]


def _attention(name: str) -> Callable[[TrainingJob], object | None]:
    return lambda job: True if job.choices.attention == name else None


def _network_args(job: TrainingJob) -> object | None:
    structure = job.config.structure
    arguments = notebook_network_args(structure)
    if structure.lora_type not in LYCORIS or arguments is None:
        return arguments
    kept = [argument for argument in arguments if not argument.startswith("disable_conv_cp")]
    return [*kept, "use_tucker=True"] if structure.conv_compression else kept


def _token_length(job: TrainingJob) -> object | None:
    length = job.config.training.max_token_length
    return None if length == UNUSED_TOKEN_LENGTH else length


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "training_arguments",
        "xformers",
        "true",
        "true where [engine] attention comes out as xformers, else left out",
        "xformers needs CUDA and a build that fits; without either the engine stops",
        _attention("xformers"),
    ),
    Difference(
        "training_arguments",
        "sdpa",
        "left out",
        "true where [engine] attention comes out as sdpa",
        "torch's own attention runs everywhere, at about the speed of xformers",
        _attention("sdpa"),
    ),
    Difference(
        "training_arguments",
        "mixed_precision",
        '"fp16"',
        "what [engine] mixed_precision comes out as",
        "half precision fails at the first step without CUDA",
        lambda job: job.choices.mixed_precision,
    ),
    Difference(
        "training_arguments",
        "lowram",
        "true",
        "false but on machines with little memory",
        "it loads the base model straight to the GPU, which Colab's memory needs",
        lambda job: job.choices.lowram,
    ),
    Difference(
        "training_arguments",
        "max_data_loader_n_workers",
        "8",
        "what [engine] max_data_loader_n_workers comes out as",
        "eight processes cost more to start than they bring, latents being cached",
        lambda job: job.choices.max_data_loader_n_workers,
    ),
    Difference(
        "training_arguments",
        "persistent_data_loader_workers",
        "true",
        "true where there are workers",
        "the engine stops when workers that do not exist are to persist",
        lambda job: job.choices.persistent_data_loader_workers,
    ),
    Difference(
        "optimizer_arguments",
        "optimizer_type",
        "the field",
        "the field, without 8 bits where there is no CUDA",
        "bitsandbytes' 8-bit optimizers are made for CUDA",
        lambda job: job.choices.optimizer,
    ),
    Difference(
        "training_arguments",
        "max_token_length",
        "75, when that is chosen",
        "left out for 75",
        "75 is the text encoder's own window; the engine knows 150 and 225 only",
        _token_length,
    ),
    Difference(
        "training_arguments",
        "save_every_n_epochs",
        "the number of epochs, when the field is 0",
        "left out for 0",
        "the same LoRAs are saved, and Steps and Epochs are treated alike; 0 itself would stop the engine",
        lambda job: job.config.steps.save_every_n_epochs or None,
    ),
    Difference(
        "training_arguments",
        "save_last_n_epochs",
        "the number of epochs, when the field is 0",
        "left out for 0",
        "the same LoRAs are kept, and Steps and Epochs are treated alike",
        lambda job: job.config.steps.keep_only_last_n_epochs or None,
    ),
    Difference(
        "training_arguments",
        "console_log_simple",
        "left out",
        "true",
        "rich draws from Python's random numbers for every line, so what is logged would change what is trained",
        lambda job: True,
    ),
    Difference(
        "training_arguments",
        "gradient_checkpointing",
        "left out",
        "true where [engine] gradient_checkpointing is",
        "a field of this project's own",
        lambda job: job.config.engine.gradient_checkpointing or None,
    ),
    Difference(
        "additional_network_arguments",
        "network_args",
        "disable_conv_cp=… with the Lycoris kinds",
        "use_tucker=True with conv_compression, else nothing",
        "today's LyCORIS reads any text for disable_conv_cp as yes",
        _network_args,
    ),
    Difference(
        "additional_network_arguments",
        "network_train_text_encoder_only",
        "left out",
        "true where unet_lr is 0",
        "else the U-Net's LoRA is made, run and saved untrained",
        lambda job: True if job.config.learning.unet_lr == 0 else None,
    ),
)
