"""[setup]: what the LoRA is called, where it lies, and what it is trained on."""

from typing import Literal, get_args

from pydantic import Field

from kohya_wrap.config.base import Table

SdxlModel = Literal[
    "Pony Diffusion V6 XL",
    "Illustrious XL 0.1",
    "NoobAI V-Pred 1.0",
    "NoobAI Eps 1.1",
    "Animagine XL V3",
    "Stable Diffusion XL 1.0 base",
]
TrainingModel = Literal["Anime", "AnyLora", "Stable Diffusion", "Tiny random", SdxlModel]
V_PREDICTION_MODELS = ("NoobAI V-Pred 1.0",)


class SetupConfig(Table):
    """The notebook's heading "Setup"."""

    project_name: str
    """Name of the project, of its folders and of its LoRAs. No space . ( ) " ' \\ or /. Required.
    Source: Lora_Trainer, project_name."""

    folder_structure: Literal["project", "category"] = "project"
    """"project": Loras/NAME/dataset; "category": lora_training/datasets/NAME.
    Default: project. Source: Lora_Trainer, folder_structure."""

    training_model: TrainingModel = "Anime"
    """One of the notebooks' base models, or "Tiny random", the seeded toy base that only the embedded engine trains.
    Default: Anime. Source: Lora_Trainer and Lora_Trainer_XL, training_model."""

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

    custom_model_is_sdxl: bool = False
    """The custom base model is Stable Diffusion XL, or made from it: Pony, Illustrious, NoobAI, Animagine.
    Default: false. Source: kohya_wrap, where the notebooks are two."""

    custom_model_is_vpred: bool = False
    """The custom SDXL model predicts v; sets v_parameterization, scale_v_pred_loss_like_noise_pred, zero_terminal_snr.
    Default: false. Source: Lora_Trainer_XL, custom_model_is_vpred."""

    @property
    def family(self) -> Literal["sd15", "sd2", "sdxl"]:
        """The family of base models that the preset trains, by its name in families.FAMILIES."""
        if self.custom_model_is_based_on_sd2:
            return "sd2"
        named = not self.optional_custom_training_model_url
        sdxl = self.training_model in get_args(SdxlModel) if named else self.custom_model_is_sdxl
        return "sdxl" if sdxl else "sd15"

    @property
    def predicts_v(self) -> bool:
        """Whether the base model predicts v, by what the preset says."""
        if self.optional_custom_training_model_url:
            return self.custom_model_is_based_on_sd2 or self.custom_model_is_vpred
        return self.custom_model_is_based_on_sd2 or self.training_model in V_PREDICTION_MODELS
