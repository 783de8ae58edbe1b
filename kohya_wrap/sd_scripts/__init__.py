"""Everything that knows sd-scripts' spelling: options, the two TOML files, log lines, failures."""

from kohya_wrap.sd_scripts.accelerate_file import accelerate_yaml
from kohya_wrap.sd_scripts.dataset_file import dataset_toml
from kohya_wrap.sd_scripts.given_files import check_given_files, read_given_files
from kohya_wrap.sd_scripts.overrides import check_overrides, read_overrides
from kohya_wrap.sd_scripts.passthrough import check_passthrough
from kohya_wrap.sd_scripts.sample_prompts import SamplePrompt, sample_prompts_json
from kohya_wrap.sd_scripts.steps import plan_steps
from kohya_wrap.sd_scripts.training_file import training_toml

__all__ = [
    "SamplePrompt",
    "accelerate_yaml",
    "check_given_files",
    "check_overrides",
    "check_passthrough",
    "dataset_toml",
    "plan_steps",
    "read_given_files",
    "read_overrides",
    "sample_prompts_json",
    "training_toml",
]
