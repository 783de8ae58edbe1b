"""Records of runs that never were, for the tests of what is read from them."""

from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import BaseModelEntry, CountsEntry, EngineEntry, FileEntry, PresetEntry, ProcessEntry


def make_record(run_id: str = "20260101-000000-aaaa", **changes: object) -> RunRecord:
    """Make the record of a run of 40 steps that succeeded."""
    record = RunRecord(
        id=run_id,
        project="tiger",
        folder=f"/somewhere/Loras/tiger/runs/{run_id}",
        status="succeeded",
        wrapper_version="0.1.0",
        started="2026-01-01T00:00:00.000+00:00",
        seed=42,
        process=ProcessEntry(pid=1, created=0.0, host="elsewhere"),
        preset=PresetEntry(name="one-image", path="one-image.toml", resolved={"learning": {"unet_lr": 5e-4}}),
        engine=EngineEntry(name="sd-scripts", commit="a" * 40, python="python", versions={"torch": "2.10.0"}),
        dataset=(FileEntry(path="dataset/a.png", sha256="1" * 64, size=1),),
        base_model=BaseModelEntry(path="base.safetensors", format="safetensors", family="sd15", sha256="b" * 64),
        counts=CountsEntry(train_images=20, batches_per_epoch=10, epochs=4, planned_steps=40, done_steps=40),
    )
    return record.with_(**changes)
