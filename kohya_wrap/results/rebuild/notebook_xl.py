"""What Lora_Trainer_XL's form says otherwise than Lora_Trainer's, as fields and options of a preset."""

from collections.abc import Mapping

from kohya_wrap.results.rebuild.draft import Draft

OWN_FIELDS = frozenset(
    {
        *("optional_custom_training_model", "custom_model_is_diffusers", "load_diffusers", "wandb_key", "precision"),
        *("min_snr_gamma_enabled", "ip_noise_gamma_enabled", "ip_noise_gamma", "multinoise", "cross_attention"),
        *("cache_latents_to_drive", "cache_text_encoder_outputs", "recommended_values"),
    }
)
"""Fields that no preset has by these names."""
_RECOMMENDED = {
    "AdamW8bit": ("weight_decay=0.1", "betas=[0.9,0.99]"),
    "AdaFactor": ("scale_parameter=False", "relative_step=False", "warmup_init=False"),
    "Came": ("weight_decay=0.04",),
}
"""Arguments that recommended_values sets; Prodigy's are those of override_values_for_dadapt_and_prodigy."""


def put_xl(draft: Draft, form: Mapping[str, object]) -> None:
    """Set what the form's own fields stand for. A `form` of Lora_Trainer has none of them, and sets nothing."""
    if link := form.get("optional_custom_training_model"):
        draft.put("setup.optional_custom_training_model_url", link)
        draft.put("setup.custom_model_is_sdxl", value=True)
    if form.get("min_snr_gamma_enabled") is False:
        draft.put("learning.min_snr_gamma", value=False)
    if form.get("ip_noise_gamma_enabled"):
        draft.pass_through("ip_noise_gamma", form.get("ip_noise_gamma"))
    if form.get("multinoise") is False:  # the preset sdxl has it on, as the notebook
        draft.pass_through("multires_noise_iterations", 0)
    draft.put("engine.attention", form.get("cross_attention"))
    _precision(draft, str(form.get("precision", "")))
    if form.get("cache_latents_to_drive"):
        draft.note("Latents are cached in memory: beside the pictures they would outlive changes of them.")
    if form.get("cache_text_encoder_outputs"):
        draft.put("learning.text_encoder_lr", 0.0)
        draft.put("processing.shuffle_tags", value=False)
        draft.pass_through("cache_text_encoder_outputs", value=True)
    if form.get("recommended_values"):
        draft.put("optimizer.override_values_for_dadapt_and_prodigy", value=True)
        draft.put("optimizer.optimizer_args", _RECOMMENDED.get(str(form.get("optimizer"))))
    if form.get("wandb_key"):
        draft.note("Its wandb_key is a secret, and was left out: set WANDB_API_KEY, and sd_scripts.log_with.")


def _precision(draft: Draft, given: str) -> None:
    kind = given.rpartition(" ")[2]
    if kind in {"fp16", "bf16"}:
        draft.put("engine.mixed_precision", kind)
        if given.startswith("full"):
            draft.pass_through(f"full_{kind}", value=True)
    elif kind == "float":
        draft.put("engine.mixed_precision", "no")
