"""What a training leaves on its way, and what of it is removed again: LoRAs and states, as sd-scripts keeps them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from lines import log
from saving import DTYPES, save_lora
from settings import Settings
from state import save_state
from training import Training


@dataclass(frozen=True)
class Keeper:
    """Saves what is due. `metadata`: what is the same for every file of the training."""

    training: Training
    metadata: dict[str, str]

    @property
    def _settings(self) -> Settings:
        return self.training.settings

    def after_step(self, *, step: int, epochs: int) -> None:
        """Save a LoRA and a state every N steps. `epochs`: how many are done."""
        every = self._settings.get("save_every_n_steps")
        if not every or step % every:
            return
        self._save(f"-step{step:08d}", step=step, epoch=epochs)
        keep = self._settings.get("save_last_n_steps")
        keep_states = self._settings.get("save_last_n_steps_state") or keep
        self._save_state(f"-step{step:08d}", f"step {step}", step=step, epoch=epochs + 1)
        if keep_states is not None:
            self._remove_state(f"-step{_too_old(step, keep_states, every):08d}")
        if keep is not None:
            self._remove(f"-step{_too_old(step, keep, every):08d}")

    def after_epoch(self, epoch: int, *, step: int) -> None:
        """Save a LoRA and a state every N epochs."""
        every = self._settings.get("save_every_n_epochs")
        if not every or epoch % every:
            return
        self._save(f"-{epoch:06d}", step=step, epoch=epoch)
        keep = self._settings.get("save_last_n_epochs")
        if keep is not None:
            self._remove(f"-{epoch - every * keep:06d}")
        self._save_state(f"-{epoch:06d}", f"epoch {epoch}", step=step, epoch=epoch)
        keep_states = self._settings.get("save_last_n_epochs_state") or keep
        if keep_states:
            self._remove_state(f"-{epoch - every * keep_states:06d}")

    def at_the_end(self, *, step: int, epochs: int) -> None:
        """Save the LoRA that all was done for."""
        self._save("", step=step, epoch=epochs)

    def _place(self, name: str) -> Path:
        return Path(self._settings.get("output_dir")) / f"{self._settings.get('output_name')}{name}"

    def _save(self, name: str, *, step: int, epoch: int) -> None:
        tensors = self.training.network.state_dict(DTYPES[self._settings.get("save_precision")])
        place = self._place(name)
        file = place.with_name(f"{place.name}.safetensors")
        save_lora(file, tensors, self.metadata, steps=step, epoch=epoch, title=self._settings.get("output_name"))

    def _remove(self, name: str) -> None:
        place = self._place(name)
        old = place.with_name(f"{place.name}.safetensors")
        if old.exists():
            log(f"removing old checkpoint: {old}")
            old.unlink()

    def _save_state(self, name: str, when: str, *, step: int, epoch: int) -> None:
        if self._settings.get("save_state"):
            log(f"\nsaving state at {when}")
            save_state(self._place(f"{name}-state"), self.training, epoch=epoch, step=step)

    def _remove_state(self, name: str) -> None:
        old = self._place(f"{name}-state")
        if self._settings.get("save_state") and old.exists():
            log(f"removing old state: {old}")
            shutil.rmtree(old, ignore_errors=True)


def _too_old(step: int, window: int, every: int) -> int:
    """Give the step whose files leave a window of so many steps. Source: sd-scripts' own arithmetic, facts 1."""
    old = step - window - 1
    return old - old % every
