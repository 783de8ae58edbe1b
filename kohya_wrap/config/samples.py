"""[samples]: test pictures."""

from kohya_wrap.config.base import Strings, Table


class SamplesConfig(Table):
    """What to draw with the LoRA, for the verbs that draw."""

    prompts: Strings = ()
    """Prompts to draw.
    Default: none. Source: kohya_wrap."""
