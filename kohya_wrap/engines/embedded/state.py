"""Training states: everything that the next step depends on, written whole or not at all, and read back.

The files are named as accelerate names them, so that whoever looks for a whole state finds the same in both engines.
"""

import json
import os
import shutil
from pathlib import Path

import torch
from lines import log
from lora import put_weights
from safetensors.torch import load_file, save_file
from training import Training


def save_state(folder: Path, training: Training, *, epoch: int, step: int) -> None:
    """Write a state folder: the LoRA in fp32, optimizer, schedule, random numbers, and how far it was."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / "train_state.json").write_text(json.dumps({"current_epoch": epoch, "current_step": step}))
    save_file(training.network.state_dict(torch.float32), part / "model.safetensors", {"ss_steps": str(step)})
    torch.save(training.optimizer.state_dict(), part / "optimizer.bin")
    torch.save(training.schedule.state_dict(), part / "scheduler.bin")
    torch.save({"torch": torch.get_rng_state()}, part / "random_states_0.pkl")
    for path in (*part.iterdir(), part):
        _settle(path)
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    _settle(folder.parent)
    log(f"Random states saved in {folder / 'random_states_0.pkl'}")


def _settle(path: Path) -> None:
    """Have a file, or the names in a folder, outlive a loss of power from here on."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def load_state(folder: Path, training: Training) -> None:
    """Put a training back to where it was when the state was saved. Raises OSError where a file is missing."""
    log(f"resume training from local state: {folder}")
    put_weights(training.network, load_file(folder / "model.safetensors"))
    training.optimizer.load_state_dict(torch.load(folder / "optimizer.bin", weights_only=True))
    training.schedule.load_state_dict(torch.load(folder / "scheduler.bin", weights_only=True))
    torch.set_rng_state(torch.load(folder / "random_states_0.pkl", weights_only=True)["torch"])
