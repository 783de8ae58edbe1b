"""One preset, both engines, on a base of SD 1.5's size: what holds the embedded engine to sd-scripts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kohya_wrap import Event, run
from kohya_wrap.events import (
    BucketCounted,
    CheckpointSaving,
    EngineFailure,
    EngineWarning,
    EpochStarted,
    ImagesCounted,
    ModelSaved,
    ModulesCreated,
    Notice,
    Phase,
    Progress,
    Step,
    TotalsKnown,
    UnknownLine,
)
from kohya_wrap.results.lora_file import LoraFile, read_lora

pytestmark = [pytest.mark.engine, pytest.mark.sd_scripts]

ENGINES = ("sd-scripts", "embedded")
SMALL = (
    "samples.prompts=[]",
    "processing.resolution=64",
    "steps.num_repeats=2",
    "steps.how_many=2",
    "steps.train_batch_size=2",
    "structure.network_dim=2",
    "structure.network_alpha=1",
)
NO_PART = (Progress, UnknownLine, Notice, EngineWarning)
"""Events that each engine has its own of: bars, chatter, warnings."""


@dataclass(frozen=True)
class Trained:
    """What one engine left and said."""

    lora: LoraFile
    losses: int
    events: tuple[Event, ...]

    def of(self, *kinds: type[Event]) -> list[Event]:
        """Give the events of some kinds, in order."""
        return [event for event in self.events if isinstance(event, kinds)]


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, sd15_base: Path, sd15_tokenizers: Path, sd_scripts_checkout: Path
) -> dict[str, Trained]:
    """Two epochs of one step on one picture, by each engine."""
    assert sd_scripts_checkout.is_dir()
    root = tmp_path_factory.mktemp("both engines")
    Image.effect_noise((80, 60), 90).convert("RGB").save(root / "tiger.png")
    (root / "tiger.txt").write_text("lakto_tiger, Red Eyes, feral", encoding="utf-8")
    shared = (f"setup.optional_custom_training_model_url={sd15_base}", f"dataset.images={root / 'tiger.png'}")
    own = {"sd-scripts": (f"sd_scripts.tokenizer_cache_dir={sd15_tokenizers}",), "embedded": ()}
    return {name: _train(root / name, name, (*shared, *SMALL, *own[name])) for name in ENGINES}


def _train(root: Path, engine: str, overrides: Sequence[str]) -> Trained:
    root.mkdir()
    events: list[Event] = []
    given = (*overrides, f"engine.name={engine}")
    result = run("one-image", root=root, overrides=given, on_event=events.append, offline=True)
    return Trained(read_lora(result.loras[-1].path), len(result.losses), tuple(events))


def _same(both: dict[str, Trained], what: Any) -> Any:
    """Hold `what` of both engines against each other, and give it."""
    real, small = (what(both[name]) for name in ENGINES)
    assert small == real
    return real


def test_both_train_the_same_modules(both: dict[str, Trained]) -> None:
    """All 264 of them: for plain LoRA the embedded engine's are equal to networks.lora's, not a part of them."""
    assert len(_same(both, lambda trained: trained.lora.modules)) == 264


def test_the_tensors_have_the_same_shapes_and_types(both: dict[str, Trained]) -> None:
    """792 tensors, alpha included, in save_precision."""
    shapes = _same(both, lambda trained: {key: (t.dtype, t.shape) for key, t in trained.lora.tensors.items()})
    assert len(shapes) == 792


def test_the_metadata_has_the_same_keys(both: dict[str, Trained]) -> None:
    """Every ss_ and sshs_ key that sd-scripts writes, the embedded engine writes too, and no other."""
    keys = _same(both, lambda trained: {key for key in trained.lora.metadata if key.startswith(("ss_", "sshs_"))})
    assert len(keys) > 60


OWN_VALUES = {
    *("ss_session_id", "ss_training_started_at", "ss_training_finished_at", "ss_sd_scripts_commit_hash"),
    *("sshs_model_hash", "sshs_legacy_hash", "ss_datasets"),
}


def test_the_metadata_has_the_same_values(both: dict[str, Trained]) -> None:
    """But for times, commit, hashes, and the datasets' longer description, of which the next test takes a part."""

    def values(trained: Trained) -> dict[str, str]:
        return {k: v for k, v in trained.lora.metadata.items() if k.startswith("ss") and k not in OWN_VALUES}

    assert len(_same(both, values)) > 50


def test_the_datasets_are_described_alike(both: dict[str, Trained]) -> None:
    """What the embedded engine says of buckets and tags is what sd-scripts says."""

    def described(trained: Trained) -> Any:
        (dataset,) = json.loads(trained.lora.metadata["ss_datasets"])
        return {key: dataset[key] for key in ("num_train_images", "resolution", "enable_bucket", "tag_frequency")}

    assert _same(both, described)["num_train_images"] == 2


def test_the_same_kinds_of_events_come_in_the_same_order(both: dict[str, Trained]) -> None:
    """Phases, counts, epochs, steps, files, the end mark."""

    def kinds(trained: Trained) -> list[str]:
        parts = [event for event in trained.events if not isinstance(event, NO_PART)]
        names = [f"{type(event).__name__} {getattr(event, 'name', '')}".strip() for event in parts]
        return [name for name, _ in groupby(names)]

    order = _same(both, kinds)
    assert order[0] == "Phase settings"
    assert {"EpochStarted", "Step", "CheckpointSaving", "ModelSaved"} <= set(order)


def test_the_counts_are_the_same(both: dict[str, Trained]) -> None:
    """Pictures, buckets, modules, batches, epochs, steps: event by event."""
    counts = (ImagesCounted, BucketCounted, ModulesCreated, TotalsKnown, EpochStarted)
    assert len(_same(both, lambda trained: trained.of(*counts))) > 10


def test_steps_and_files_are_the_same(both: dict[str, Trained]) -> None:
    """Each step's number, a loss for each, and the names of the files."""
    numbers = _same(both, lambda trained: [(event.step, event.total) for event in trained.of(Step)])
    assert numbers[-1] == (2, 2)
    assert _same(both, lambda trained: trained.losses) == 2
    assert len(_same(both, lambda trained: [event.path.name for event in trained.of(CheckpointSaving)])) == 2


def test_neither_reports_an_error(both: dict[str, Trained]) -> None:
    """No error line in a training that succeeded, and one end mark."""
    for trained in both.values():
        assert trained.of(EngineFailure) == []
        assert len(trained.of(ModelSaved)) == 1
        assert trained.of(Phase)
