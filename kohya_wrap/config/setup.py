"""[setup]: what the LoRA is called, where it lies, and what it is trained on."""

from typing import Literal

from pydantic import Field

from kohya_wrap.config.base import Table

TrainingModel = Literal["Anime", "AnyLora", "Stable Diffusion", "Tiny random"]


class SetupConfig(Table):
    """The notebook's heading "Setup"."""

    project_name: str
    """Name of the project, of its folders and of its LoRAs. No space . ( ) " ' \\ or /. Required.
    Source: Lora_Trainer, project_name."""

    folder_structure: Literal["project", "category"] = "project"
    """"project": Loras/NAME/dataset; "category": lora_training/datasets/NAME.
    Default: project. Source: Lora_Trainer, folder_structure."""

    training_model: TrainingModel = "Anime"
    """One of the notebook's base models, or "Tiny random", the seeded toy base that only the embedded engine trains.
    Default: Anime. Source: Lora_Trainer, training_model."""

    optional_custom_training_model_url: str = ""
    """A link (Civitai, Hugging Face, https) or a local file or diffusers folder; wins over training_model.
    Default: empty. Source: Lora_Trainer, optional_custom_training_model_url."""

    base_model_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA256 the base-model file must have, in lower-case hex; empty: not checked.
    Default: empty. Source: kohya_wrap."""

    allow_pickle: bool = False
    """Permit a .ckpt base model: it is converted to safetensors in a separate process, never loaded by the trainer.
    Default: false. Source: kohya_wrap."""

    vae: str = ""
    """A separate VAE, by the same kinds of link as the base model; empty: the base model's own.
    Default: empty. Source: Lora_Trainer_XL, vae."""

    custom_model_is_based_on_sd2: bool = False
    """The custom base model is Stable Diffusion 2; sets v2, and v_parameterization with it.
    Default: false. Source: Lora_Trainer, custom_model_is_based_on_sd2."""
