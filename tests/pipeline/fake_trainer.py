"""Stands in for a training script: says and leaves what one does, without torch, and breaks where it is told.

Run by the launcher of helpers_faults. `fault.py` beside the launcher may define `started(settings)`, `before_step(n)`,
`before_lora(path)`, `before_state(path)`, `before_line(text)` and `ending()`, which are called at these moments.
"""

import json
import runpy
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any


def main() -> int:
    """Train nothing for as many steps as planned, and save an epoch's LoRA and state after each quarter of them."""
    home, arguments = Path(sys.argv[1]), sys.argv[2:]
    settings = {key: value for table in _toml(arguments, "--config_file").values() for key, value in table.items()}
    fault = runpy.run_path(str(home / "fault.py"))
    plan = json.loads((home / "plan.json").read_text(encoding="utf-8"))
    _Trainer(settings, fault, **plan).train()
    return 0


def _toml(arguments: list[str], option: str) -> dict[str, Any]:
    path = Path(arguments[arguments.index(option) + 1])
    return tomllib.loads(path.read_text(encoding="utf-8"))


class _Trainer:
    def __init__(self, settings: dict[str, Any], fault: dict[str, Any], *, images: int, epochs: int) -> None:
        self._settings = settings
        self._fault = fault
        self._batches = -(-images // settings["train_batch_size"])
        self._epochs = epochs

    def train(self) -> None:
        self._at("started", self._settings)
        self._say("running training")
        self._say(f"  num batches per epoch: {self._batches}")
        self._say(f"  num epochs: {self._epochs}")
        self._say(f"  total optimization steps: {self._batches * self._epochs}")
        done = 0
        for epoch in range(1, self._epochs + 1):
            self._say(f"\nepoch {epoch}/{self._epochs}\n")
            for _ in range(self._batches):
                self._at("before_step", done + 1)
                done += 1
                self._bar(done)
            if epoch < self._epochs:
                self._save(f"-{epoch:06d}", epoch, done)
        sys.stderr.write("\n")
        self._save("", self._epochs, done)
        self._at("ending")
        self._say("model saved.")

    def _at(self, moment: str, *arguments: object) -> None:
        if moment in self._fault:
            self._fault[moment](*arguments)

    def _say(self, text: str) -> None:
        self._at("before_line", text)
        print(text, flush=True)  # noqa: T201 - this process talks through its output

    def _bar(self, done: int) -> None:
        loss = self._fault.get("loss", 0.1)
        total = self._batches * self._epochs
        sys.stderr.write(
            f"\rsteps: {100 * done // total:3d}%|#| {done}/{total} [00:01<00:01, 10.00it/s, avr_loss={loss}]"
        )
        sys.stderr.flush()

    def _save(self, suffix: str, epoch: int, done: int) -> None:
        folder, name = Path(self._settings["output_dir"]), self._settings["output_name"]
        lora = folder / f"{name}{suffix}.safetensors"
        self._say(f"saving checkpoint: {lora}")
        self._at("before_lora", lora)
        _write_lora(lora, epoch, done)
        if self._settings.get("save_state") and suffix:
            state = folder / f"{name}{suffix}-state"
            self._say(f"saving state at epoch {epoch}")
            self._at("before_state", state)
            _write_state(state, epoch, done)


def _write_lora(path: Path, epoch: int, done: int) -> None:
    """Write straight to the final name, as the real ones do."""
    data = bytes(range(64)) * 16_384
    header = {
        "__metadata__": {"ss_steps": str(done), "ss_epoch": str(epoch)},
        "lora_unet_x.lora_down.weight": {"dtype": "F16", "shape": [len(data) // 2], "data_offsets": [0, len(data)]},
    }
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.flush()
        file.write(data)


def _write_state(folder: Path, epoch: int, done: int) -> None:
    folder.mkdir()
    _write_lora(folder / "model.safetensors", epoch, done)
    for name in ("optimizer.bin", "scheduler.bin", "random_states_0.pkl"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("data", b"x" * 100_000)
    (folder / "train_state.json").write_text(json.dumps({"current_epoch": epoch, "current_step": done}))


if __name__ == "__main__":
    sys.exit(main())
