"""A run whose states were saved between the ends of epochs goes on there, and ends as if nobody had stopped it."""

import shutil
from pathlib import Path

import pytest
from helpers_resume import check_same, records, stop_after

from kohya_wrap import RunRecord, plan, reproduce, resume, run
from kohya_wrap.errors import InterruptedRunError, OutputError
from kohya_wrap.events import Step

pytestmark = pytest.mark.engine

SHORT = (
    "samples.prompts=[]",
    "steps.num_repeats=2",
    "steps.how_many=3",
    "steps.save_every_n_epochs=0",
    "training.save_state=true",
    "training.save_state_every_n_steps=3",
)
"""12 steps, 4 an epoch; states after 3, 6, 9 and 12 of them."""


def states(record: RunRecord) -> list[str]:
    return sorted(path.name for path in Path(record.folder).glob("output/*-state"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, engine_python: Path) -> RunRecord:
    """The run that nobody stopped."""
    assert engine_python.exists()
    return run("demo", root=tmp_path_factory.mktemp("whole"), overrides=SHORT).record


def test_it_goes_on_within_an_epoch_as_often_as_it_must(tmp_path: Path, whole: RunRecord) -> None:
    """Stopped at step 6 and, going on, at step 10: bit-identical, each step once; the engine counts them 3 to 8."""
    with pytest.raises(InterruptedRunError, match="runs resume"):
        run("demo", root=tmp_path, overrides=SHORT, on_event=stop_after(2))
    with pytest.raises(InterruptedRunError):
        resume(records(tmp_path)[-1], on_event=stop_after(2))
    seen: list[Step] = []
    result = resume(
        records(tmp_path)[-1], on_event=lambda event: seen.append(event) if isinstance(event, Step) else None
    )
    check_same(result.record, whole)
    assert [record.continued.steps for record in records(tmp_path) if record.continued] == [6, 10]
    assert (seen[0].step, seen[-1].step, {step.total for step in seen}) == (11, 12, {12})


def test_a_state_of_the_last_step_is_not_what_a_run_goes_on_from(tmp_path: Path, whole: RunRecord) -> None:
    """All steps were done, and the LoRA was not saved: the state before it was kept, and is taken."""
    with pytest.raises(InterruptedRunError):
        run("demo", root=tmp_path, overrides=SHORT, on_event=stop_after(4))
    (first,) = records(tmp_path)
    assert states(first)[-2:] == ["demo-step00000009-state", "demo-step00000012-state"]
    for lora in Path(first.folder).glob("output/demo*.safetensors"):
        lora.unlink()
    shutil.rmtree(tmp_path / "Loras/demo/output", ignore_errors=True)
    result = resume(first)
    assert result.record.continued is not None
    assert result.record.continued.steps == 9
    check_same(result.record, whole)


def test_a_finished_run_can_be_trained_for_longer(tmp_path: Path) -> None:
    """With --changed: an epoch more, on another schedule, from the last state; the record says what changed."""
    begun = run("demo", root=tmp_path, overrides=(*SHORT, "steps.how_many=1")).record
    longer = plan("demo", root=tmp_path, overrides=(*SHORT, "steps.how_many=2", 'learning.lr_scheduler="constant"'))
    result = resume(begun, planned=longer, changed=True)
    assert result.record.continued is not None
    assert result.record.continued.steps == 3
    assert [loss.step for loss in result.losses] == list(range(1, 9))
    assert len({loss.unet_lr for loss in result.losses[3:]}) == 1
    said = " ".join(result.record.warnings)
    assert "learning.lr_scheduler" in said
    assert "planned for 4 steps, and would now have 8" in said
    with pytest.raises(OutputError, match=r"learning\.lr_scheduler.*reproduce " + begun.id):
        reproduce(result.record, into=tmp_path / "again")
