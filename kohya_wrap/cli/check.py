"""kohya-wrap check: what a run would do, and every problem it would meet."""

from kohya_wrap.cli.options import PresetName, Root, Sets, SetWords, overrides
from kohya_wrap.cli.output import print_rows, print_warnings
from kohya_wrap.cli.plan_text import plan_rows
from kohya_wrap.pipeline import plan


def check(preset: PresetName, root: Root = None, sets: Sets = None, set_words: SetWords = "") -> None:
    """Say what `train` would do with PRESET, and every problem it would meet. Changes nothing."""
    planned = plan(preset, root=root, overrides=overrides(sets, set_words))
    print_rows(plan_rows(planned))
    print_warnings(planned.warnings)
    planned.findings.raise_errors()
