"""What a run left in its folder, together with the parts that it goes on from: LoRAs by epoch, losses by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.paths import RunPaths
from kohya_wrap.record.parts import Part
from kohya_wrap.results.losses import StepLoss, log_dir, read_losses, shifted
from kohya_wrap.results.publish import Staged, staged_loras
from kohya_wrap.results.states import find_states
from kohya_wrap.sd_scripts.job import TrainingJob


@dataclass(frozen=True, slots=True)
class Leavings:
    """The files of one run. `parts`: the runs before it that it goes on from, oldest first."""

    job: TrainingJob
    parts: Sequence[Part] = ()

    @property
    def _name(self) -> str:
        return self.job.config.setup.project_name

    def staged(self) -> tuple[Staged, ...]:
        """List what the engine left; the oldest beyond keep_only_last_n_epochs go (the engine keeps one more)."""
        job = self.job
        own = staged_loras(job.run.staging, self._name, last_epoch=job.steps.epochs, uncounted=job.uncounted)
        staged = (*self._staged_before(), *own)
        keep = job.config.steps.keep_only_last_n_epochs
        for old in staged[:-keep] if keep else ():
            if old in own:
                old.path.unlink(missing_ok=True)
        return staged[-keep:] if keep else staged

    def _staged_before(self) -> list[Staged]:
        """List what the parts before this one left, each up to where the next took over."""
        found: list[Staged] = []
        for part in self.parts:
            folder = RunPaths(Path(part.record.folder), Path()).staging
            staged = staged_loras(folder, self._name, last_epoch=part.until_epoch + 1, uncounted=part.uncounted)
            found += [each for each in staged if part.epochs_before < each.epoch <= part.until_epoch]
        return found

    def losses(self) -> tuple[StepLoss, ...]:
        """Read the losses of every part, counted through."""
        found: list[StepLoss] = []
        for part in self.parts:
            losses = shifted(read_losses(log_dir(part.record)), part.uncounted)
            found += [loss for loss in losses if loss.step <= part.until_step]
        return (*found, *shifted(read_losses(self.job.run.log_dir), self.job.uncounted))

    def has_state(self) -> bool:
        """Whether there is a whole training state to go on from."""
        per_epoch = self.job.steps.steps_per_epoch
        return bool(find_states(self.job.run.staging, self._name, steps_per_epoch=per_epoch))
