"""Which options of sd-scripts a preset sets by a field, and which are not a preset's to set.

Every option is in one of these tables or free to be used under [sd_scripts]; a test holds the tables against
options.json.
"""

from collections.abc import Mapping

FIELDS: Mapping[str, str] = {
    "output_name": "setup.project_name",
    "pretrained_model_name_or_path": "setup.optional_custom_training_model_url",
    "v2": "setup.custom_model_is_based_on_sd2",
    "vae": "setup.vae",
    "resolution": "processing.resolution",
    "flip_aug": "processing.flip_aug",
    "caption_extension": "processing.caption_extension",
    "caption_extention": "processing.caption_extension",
    "shuffle_caption": "processing.shuffle_tags",
    "keep_tokens": "processing.activation_tags",
    "dataset_repeats": "steps.num_repeats",
    "max_train_epochs": "steps.how_many",
    "max_train_steps": "steps.how_many",
    "save_every_n_epochs": "steps.save_every_n_epochs",
    "save_n_epoch_ratio": "steps.save_every_n_epochs",
    "save_last_n_epochs": "steps.keep_only_last_n_epochs",
    "train_batch_size": "steps.train_batch_size",
    "unet_lr": "learning.unet_lr",
    "learning_rate": "learning.unet_lr",
    "text_encoder_lr": "learning.text_encoder_lr",
    "network_train_unet_only": "learning.text_encoder_lr",
    "network_train_text_encoder_only": "learning.unet_lr",
    "lr_scheduler": "learning.lr_scheduler",
    "lr_scheduler_num_cycles": "learning.lr_scheduler_number",
    "lr_scheduler_power": "learning.lr_scheduler_number",
    "lr_warmup_steps": "learning.lr_warmup_ratio",
    "min_snr_gamma": "learning.min_snr_gamma",
    "network_module": "structure.lora_type",
    "network_dim": "structure.network_dim",
    "network_alpha": "structure.network_alpha",
    "optimizer_type": "optimizer.optimizer",
    "use_8bit_adam": "optimizer.optimizer",
    "use_lion_optimizer": "optimizer.optimizer",
    "optimizer_args": "optimizer.optimizer_args",
    "seed": "training.seed",
    "clip_skip": "training.clip_skip",
    "max_token_length": "training.max_token_length",
    "network_weights": "training.continue_from_lora",
    "weighted_captions": "training.weighted_captions",
    "save_state": "training.save_state",
    "save_last_n_epochs_state": "training.keep_only_last_n_states",
    "resume": "training.resume",
    "train_data_dir": "dataset.images",
    "mixed_precision": "engine.mixed_precision",
    "save_precision": "engine.save_precision",
    "xformers": "engine.attention",
    "sdpa": "engine.attention",
    "mem_eff_attn": "engine.attention",
    "max_data_loader_n_workers": "engine.max_data_loader_n_workers",
    "persistent_data_loader_workers": "engine.max_data_loader_n_workers",
    "cache_latents": "engine.cache_latents",
    "gradient_checkpointing": "engine.gradient_checkpointing",
}
"""Option -> the field that sets it."""

DATASET_FILE: Mapping[str, str] = {
    "enable_bucket": "[[datasets]]",
    "min_bucket_reso": "[[datasets]]",
    "max_bucket_reso": "[[datasets]]",
    "bucket_reso_steps": "[[datasets]]",
    "bucket_no_upscale": "[[datasets]]",
    "batch_size": "[[datasets]]",
    "network_multiplier": "[[datasets]]",
    "image_dir": "[[datasets.subsets]]",
    "num_repeats": "[[datasets.subsets]]",
    "class_tokens": "[[datasets.subsets]]",
    "is_reg": "[[datasets.subsets]]",
    "metadata_file": "[[datasets.subsets]]",
    "custom_attributes": "[[datasets.subsets]]",
    "conditioning_data_dir": "[[datasets.subsets]]",
    "reg_data_dir": "[[datasets.subsets]] with is_reg = true",
    "in_json": "[[datasets.subsets]] with metadata_file",
}
"""Option -> the table of the dataset file it belongs to; there it would be ignored or overruled here.

Further dataset options (caption_dropout_rate, color_aug, token_warmup_step, …) may stand under [sd_scripts]: the engine
falls back to its training file for what the dataset file leaves out (facts 2).
"""

OURS: Mapping[str, str] = {
    "output_dir": "kohya_wrap gives every run its own folder",
    "logging_dir": "kohya_wrap gives every run its own folder",
    "log_prefix": "kohya_wrap gives every run its own folder",
    "save_model_as": "kohya_wrap checks and names .safetensors files only",
    "no_metadata": "kohya_wrap reads the metadata back to check the result",
    "config_file": "kohya_wrap writes the training file (extras.override_config_file takes one of yours)",
    "output_config": "with it the engine writes a file and trains nothing",
    "dataset_config": "kohya_wrap writes the dataset file (extras.override_dataset_config_file takes one of yours)",
    "dataset_class": "it replaces the dataset code that kohya_wrap's checks are about",
    "debug_dataset": "with it the engine shows pictures and trains nothing",
    "cache_info": "it leaves a file in your picture folder, and later runs ignore new pictures and captions",
    "console_log_simple": "kohya_wrap sets it: what rich logs changes the training result",
    "console_log_level": "it changes the training result, and hides lines that kohya_wrap reads",
    "console_log_file": "it hides the lines that kohya_wrap reads",
    "lowram": 'it follows the hardware ([engine] fidelity = "notebook" sets it)',
    "huggingface_token": "a preset is no place for a secret; set the environment variable HF_TOKEN",
    "wandb_api_key": "a preset is no place for a secret; set the environment variable WANDB_API_KEY",
}
"""Option -> why a preset cannot set it."""

NETWORK_ARGS_FIELDS: Mapping[str, str] = {
    "conv_dim": "structure.conv_dim",
    "conv_alpha": "structure.conv_alpha",
    "algo": "structure.lora_type",
    "disable_conv_cp": "structure.conv_compression",
}
"""Keys of network_args that a field sets; other keys may be given, and are appended."""

PATH_OPTIONS = frozenset({"sample_prompts", "base_weights", "log_tracker_config", "tokenizer_cache_dir"})
"""Free options that name files or folders which must be there; a relative one starts where the preset's paths do."""
