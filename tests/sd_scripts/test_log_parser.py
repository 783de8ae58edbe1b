"""Recorded logs of real runs become the events that happened in them."""

import math
from collections import Counter
from pathlib import Path
from typing import TypeVar

import pytest
from helpers_logs import own, parse, shared, split

from kohya_wrap.events import (
    BucketCounted,
    CheckpointRemoved,
    CheckpointSaving,
    EngineFailure,
    EngineWarning,
    EpochStarted,
    Event,
    ImagesCounted,
    ModelSaved,
    ModulesCreated,
    Phase,
    Progress,
    StateSaved,
    Step,
    TotalsKnown,
    UnknownLine,
)
from kohya_wrap.launch.types import OutputLine
from kohya_wrap.sd_scripts.log_parser import LogParser

E = TypeVar("E")

PHASES = ["settings", "dataset", "buckets", "base-model", "latents", "network", "optimizer", "training"]
# Runs of two pictures of two repeats at batch 1; the number of steps and epochs.
GOOD = {"simple": (8, 2), "rich-wide": (8, 2), "rich-80": (4, 1), "lycoris": (4, 1), "nan-accumulated": (4, 2)}


def of(events: list[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def feed(*texts: str, stream: str = "stdout") -> list[Event]:
    return parse([line for text in texts for line in split(text + "\n", stream)])


@pytest.mark.parametrize("name", [name for name in GOOD if name != "nan-accumulated"])
def test_every_step_comes_once(name: str) -> None:
    """Each optimizer step of a real run is one event, in order, and nothing is left out."""
    steps = of(parse(own(name)), Step)
    total = GOOD[name][0]
    assert [(step.step, step.total) for step in steps] == [(number, total) for number in range(1, total + 1)]


@pytest.mark.parametrize("name", GOOD)
def test_counts_of_the_summary(name: str) -> None:
    """Pictures, batches, epochs and steps are read from both log styles."""
    events = parse(own(name))
    totals = {event.what: event.count for event in of(events, TotalsKnown)}
    steps, epochs = GOOD[name]
    assert (totals["steps"], totals["epochs"], totals["batches_per_epoch"]) == (steps, epochs, 4)
    assert ImagesCounted("train", 4) in events
    assert ImagesCounted("reg", 0) in events


@pytest.mark.parametrize("name", GOOD)
def test_buckets_and_epochs(name: str) -> None:
    """Buckets and the start of each epoch are read."""
    events = parse(own(name))
    epochs = GOOD[name][1]
    assert of(events, BucketCounted) == [BucketCounted(0, 64, 64, 4)]
    assert of(events, EpochStarted) == [EpochStarted(number, epochs) for number in range(1, epochs + 1)]


@pytest.mark.parametrize("name", ["simple", "rich-wide", "rich-80"])
def test_modules(name: str) -> None:
    """The LoRA modules of both parts are counted, wrapped lines included."""
    events = parse(own(name))
    assert of(events, ModulesCreated) == [ModulesCreated("text_encoder", 72), ModulesCreated("unet", 192)]


def test_sdxl_is_read_as_well() -> None:
    """Its script's own lines are known, both text encoders are counted together, and the phases come in order."""
    events = parse(own("sdxl"))
    assert of(events, UnknownLine) == []
    assert of(events, ModulesCreated) == [ModulesCreated("text_encoder", 264), ModulesCreated("unet", 722)]
    assert [(step.step, step.total) for step in of(events, Step)] == [(number, 4) for number in range(1, 5)]
    assert [phase.name for phase in of(events, Phase)][: len(PHASES)] == PHASES
    assert len(of(events, ModelSaved)) == 1


@pytest.mark.parametrize("name", GOOD)
def test_a_good_run_has_no_unknown_line(name: str) -> None:
    """Every line of a good run at the pinned commit is known: a new commit that says more shows here."""
    assert of(parse(own(name)), UnknownLine) == []


@pytest.mark.parametrize("name", GOOD)
def test_the_end_is_seen(name: str) -> None:
    """ "model saved." comes exactly once, and the last checkpoint before it has the plain name."""
    events = parse(own(name))
    assert len(of(events, ModelSaved)) == 1
    assert of(events, CheckpointSaving)[-1].path.name == "lakto-lora.safetensors"


@pytest.mark.parametrize("name", ["simple", "lycoris"])
def test_phases_come_in_order(name: str) -> None:
    """Each phase before the first step is entered once, in order."""
    phases = [phase.name for phase in of(parse(own(name)), Phase)]
    assert [phase for phase in phases if phase in PHASES[:-1]] == [p for p in PHASES[:-1] if p in phases]
    assert phases[:2] == ["dataset", "buckets"] or phases[0] == "settings"


def test_states_are_seen() -> None:
    """A training state is reported by its folder."""
    names = [state.path.name for state in of(parse(own("rich-wide")), StateSaved)]
    assert names == ["lakto-lora-000001-state", "lakto-lora-state"]


def test_a_broken_loss_is_seen() -> None:
    """A real run whose loss became nan shows it, behind the figures of scale_weight_norms."""
    steps = of(parse(own("nan-accumulated")), Step)
    assert [step.step for step in steps] == [1, 2, 3, 3, 4]  # step 3 broke in the middle of accumulating step 4
    assert [step.loss is not None and math.isnan(step.loss) for step in steps] == [False, False, False, True, True]


def test_both_styles_tell_the_same() -> None:
    """The same preset logged plainly and through rich gives the same kinds of events, states apart."""
    kinds = []
    for name in ("simple", "rich-wide"):
        events = [event for event in parse(own(name)) if not isinstance(event, Phase | Progress | StateSaved)]
        kinds.append(Counter(type(event).__name__ for event in events))
    assert kinds[0] == kinds[1]


def test_stderr_first_gives_the_same_events() -> None:
    """Which stream comes first changes the order of events, not the events."""
    lines = own("simple")
    turned = [line for line in lines if line.stream == "stderr"] + [line for line in lines if line.stream == "stdout"]
    without_phases = [
        Counter(map(str, (e for e in parse(given) if not isinstance(e, Phase | Progress)))) for given in (lines, turned)
    ]
    assert without_phases[0] == without_phases[1]


def test_line_by_line_interleaving() -> None:
    """Lines of both streams taken in turns give every step and count."""
    streams = [[line for line in own("simple") if line.stream == stream] for stream in ("stdout", "stderr")]
    mixed = [line for pair in zip(*(s + s[-1:] * 200 for s in streams), strict=False) for line in pair]
    events = parse(mixed)
    assert [step.step for step in of(events, Step)][:8] == list(range(1, 9))
    assert ImagesCounted("train", 4) in events


def test_no_data_says_so() -> None:
    """The run that ends with exit code 0 and no data has the failure and the ignored folder."""
    events = parse(own("no-data"))
    assert of(events, EngineFailure)[0].text.startswith("No data found")
    assert any("no images found" in warning.text for warning in of(events, EngineWarning))
    assert not of(events, ModelSaved)


def test_tracebacks_end_in_failures() -> None:
    """A traceback's last line is a failure; its other lines are kept as they came."""
    events = parse(own("missing-base"))
    failures = of(events, EngineFailure)
    assert failures[0].text.startswith("ValueError: The provided pretrained_model_name_or_path")
    assert failures[1].text.startswith("subprocess.CalledProcessError")
    assert any("trainer.train(args)" in line.text for line in of(events, UnknownLine))


def test_a_traceback_behind_a_bar() -> None:
    """A traceback that starts on the bar's line is found."""
    bar = "steps:   0%|          | 0/3 [00:00<?, ?it/s]"
    events = feed(
        f"{bar}Traceback (most recent call last):", '  File "a.py", line 1', "RuntimeError: no", stream="stderr"
    )
    assert of(events, EngineFailure) == [EngineFailure("RuntimeError: no")]


def test_ranks_are_taken_off() -> None:
    """With several GPUs torch puts the rank before each line of a traceback."""
    events = feed(
        "[rank1]: Traceback (most recent call last):", "[rank1]:   File", "[rank1]: ValueError: x", stream="stderr"
    )
    assert of(events, EngineFailure) == [EngineFailure("ValueError: x")]


def test_ansi_codes_are_taken_off() -> None:
    """Colours and cursor movements do not hide a line."""
    assert feed("\x1b[A\x1b[32mepoch 2/3\x1b[0m") == [Phase("training"), EpochStarted(2, 3)]


def test_carriage_returns_in_a_line() -> None:
    """Bars that were not split at their carriage returns are split here."""
    line = OutputLine("stderr", "\r  0%|     | 0/2 [00:00<?, ?it/s]\r100%|#####| 2/2 [00:00<00:00,  9.00it/s]", 0.0)
    assert LogParser().feed(line) == [Progress("", 0, 2), Progress("", 2, 2)]


def test_an_unknown_line_is_kept() -> None:
    """A line that no rule knows is kept as it came, indentation included."""
    assert feed("  something new: 5") == [UnknownLine("  something new: 5")]


def test_blank_lines_are_nothing() -> None:
    """Blank lines give no event."""
    assert feed("", "   ", "\t") == []


def test_python_warnings() -> None:
    """A Python warning is a warning; the source line below it is not repeated."""
    events = feed("/engine/lib/a.py:5: FutureWarning: x is old", "  x()", "epoch 1/1", stream="stderr")
    assert events == [EngineWarning("FutureWarning: x is old"), Phase("training"), EpochStarted(1, 1)]


def test_removed_checkpoints() -> None:
    """Checkpoints and states that the engine removes are reported by path, spaces and Japanese included."""
    events = feed("removing old checkpoint: /p/a b/ラクト-000001.safetensors", "removing old state: /p/x-state")
    assert events == [
        CheckpointRemoved(Path("/p/a b/ラクト-000001.safetensors")),
        CheckpointRemoved(Path("/p/x-state")),
    ]


def test_model_saved_does_not_wait() -> None:
    """The engine's last word comes with its own line, in rich's layout and behind a bar too."""
    parser = LogParser()
    bar = "steps: 100%|██████████| 2/2 [00:02<00:00,  1.12s/it, avr_loss=1.18]"
    log = "2026-11-23 01:58:12 INFO     model saved.                  train_network.py:1729"
    assert ModelSaved() in parser.feed(OutputLine("stderr", bar + log, 0.0))


def test_sizes_of_two_datasets() -> None:
    """Two datasets print two batch sizes; a line that is no number is no event and no failure."""
    assert of(feed("  batch size per device / バッチサイズ: 2, 1"), UnknownLine) == []


def test_validation_images_are_told_apart() -> None:
    """The three counts of pictures have their kinds."""
    events = feed(
        "  num train images * repeats / x: 4", "  num validation images * repeats / x: 2", "  num reg images / x: 3"
    )
    assert events == [ImagesCounted("train", 4), ImagesCounted("validation", 2), ImagesCounted("reg", 3)]


SHARED_GOOD = {"one-image-80-columns": 10, "d_nosteps": 2, "dw_save": 6, "dw_state": 6, "dw_sample": 6, "dw_disk": 6}


@pytest.mark.parametrize("name", SHARED_GOOD)
def test_shared_good_runs(name: str) -> None:
    """The shared logs of good runs, wrapped at 80 columns, give every step, count and the end."""
    events = parse(shared(name))
    total = SHARED_GOOD[name]
    assert [step.step for step in of(events, Step)] == list(range(1, total + 1))
    assert TotalsKnown("steps", total) in events
    assert len(of(events, ModelSaved)) == 1
    assert of(events, ModulesCreated) == [ModulesCreated("text_encoder", 72), ModulesCreated("unet", 192)]


def test_shared_samples() -> None:
    """A run that drew pictures shows the phase."""
    assert Phase("samples") in parse(shared("dw_sample"))


SHARED_FAILURES = {
    "d_mp_bf16": "RuntimeError: mixed dtype",
    "d_opt_bad": "AttributeError: module 'torch.optim'",
    "d_xformers": "ValueError: torch.cuda.is_available()",
    "ds_empty": "No data found",
    "ds_missing": "No data found",
    "ds_zero": "ZeroDivisionError",
    "e_unknown_subset": "voluptuous.error.MultipleInvalid",
    "i_truncpng": "OSError: image file is truncated",
    "m_html": "safetensors_rust.SafetensorError",
    "m_pickle_as_st": "safetensors_rust.SafetensorError",
    "m_sd15_in_sdxl": "RuntimeError: Error(s) in loading state_dict",
    "m_tok_missing": "TypeError: expected str",
    "m_trunc": "safetensors_rust.SafetensorError",
    "n_resume_missing": "ValueError: Tried to find",
}


@pytest.mark.parametrize("name", SHARED_FAILURES)
def test_shared_failures(name: str) -> None:
    """The last failure of each shared log of a failed run is the exception, or the engine's own error line."""
    assert of(parse(shared(name)), EngineFailure)[-1].text.startswith(SHARED_FAILURES[name])
