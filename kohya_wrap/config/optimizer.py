"""[optimizer]: which optimizer, and its arguments."""

from typing import Annotated

from pydantic import Field

from kohya_wrap.config.base import Strings, Table


class OptimizerConfig(Table):
    """The notebook's heading "Optimizer"."""

    optimizer: Annotated[str, Field(min_length=1)] = "AdamW8bit"
    """A name that optimizers.py knows (checked arguments), or a dotted class path.
    Default: AdamW8bit. Source: Lora_Trainer, optimizer."""

    optimizer_args: Strings = ()
    """Arguments as "key=value"; each value is a Python literal (True, 0.1, [0.9,0.99]).
    Default: none. Source: Lora_Trainer, optimizer_args."""

    override_values_for_dadapt_and_prodigy: bool = True
    """With Prodigy or any dadapt: learning rates 0.5, constant_with_warmup, ratio 0.05, alpha = dim.
    Default: true. Source: Lora_Trainer, override_values_for_dadapt_and_prodigy."""
