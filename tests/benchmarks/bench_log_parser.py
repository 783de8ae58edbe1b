"""How many lines a second the log parser reads: `make bench`. The floor that the README names is 100,000."""

import time

import pytest

from kohya_wrap.launch.types import OutputLine
from kohya_wrap.sd_scripts.log_parser import LogParser

FLOOR = 100_000
STEPS = 20_000


def realistic_lines() -> list[OutputLine]:
    """Give a run's output: two drawings of the bar per step, a checkpoint every 100 steps, some log and stray lines."""
    lines: list[OutputLine] = []
    for step in range(1, STEPS + 1):
        clock = f"{step // 60:02d}:{step % 60:02d}<12:34"
        bar = f"steps:  {100 * step // STEPS}%|███▎      | {step}/{STEPS} [{clock},  1.21s/it"
        lines.append(OutputLine("stderr", f"{bar}, avr_loss={0.1 + (step - 1) / 1e6:.3g}]", 0.0, transient=True))
        lines.append(OutputLine("stderr", f"{bar}, avr_loss={0.1 + step / 1e6:.3g}]", 0.0, transient=True))
        if step % 100 == 0:
            lines += [
                OutputLine("stdout", f"epoch {step // 100}/{STEPS // 100}", 0.0),
                OutputLine("stdout", f"saving checkpoint: /project/output/lora-{step // 100:06d}.safetensors", 0.0),
                OutputLine("stdout", "epoch is incremented. current_epoch: 1, epoch: 2", 0.0),
                OutputLine("stderr", "a line that nobody knows", 0.0),
            ]
    return lines


@pytest.mark.bench
def test_log_parser_speed() -> None:
    """The parser reads more than 100,000 lines a second on a run's usual mix of bars and log lines."""
    lines = realistic_lines()
    best = 0.0
    for _ in range(5):
        parser = LogParser()
        start = time.perf_counter()
        for line in lines:
            parser.feed(line)
        best = max(best, len(lines) / (time.perf_counter() - start))
    print(f"log parser: {best:,.0f} lines/s on {len(lines):,} lines")  # noqa: T201  a benchmark's result
    assert best > FLOOR
