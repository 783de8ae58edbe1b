"""What the checks train on: the toy base, drawn pictures, and the script's own main() called in this process."""

import contextlib
import io
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import toml
import train_network
from make_base import make_base
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

TRAINING: dict[str, Any] = {
    "network_module": "networks.lora",
    "network_dim": 2,
    "network_alpha": 1,
    "unet_lr": 1e-3,
    "text_encoder_lr": 5e-4,
    "learning_rate": 1e-3,
    "lr_scheduler": "constant",
    "optimizer_type": "AdamW",
    "max_train_epochs": 1,
    "train_batch_size": 1,
    "save_precision": "float",
    "save_model_as": "safetensors",
    "output_name": "t",
    "seed": 42,
    "cache_latents": True,
    "sdpa": True,
    "mixed_precision": "no",
    "console_log_simple": True,
}
GENERAL: dict[str, Any] = {"resolution": 64, "enable_bucket": True, "min_bucket_reso": 64, "caption_extension": ".txt"}


def make_toy_base(folder: Path) -> Path:
    """Make the toy base, as the demo does."""
    make_base(folder, seed=0)
    return folder


def draw(folder: Path, name: str, caption: str | None, size: tuple[int, int] = (64, 64)) -> None:
    """Draw a picture that is not its own mirror image, with a caption beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (20, 60, 90))
    image.paste((230, 180, 30), (0, 0, size[0] // 3, size[1] // 2))
    image.save(folder / f"{name}.png")
    if caption is not None:
        (folder / f"{name}.txt").write_text(caption, encoding="utf-8")


@dataclass(frozen=True)
class Run:
    """What one training left. `code`: the exit code, or None where it raised."""

    code: int | None
    text: str
    folder: Path

    @property
    def files(self) -> list[str]:
        """Names in the output folder, hidden ones too."""
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []

    def tensors(self, name: str = "t.safetensors") -> Any:
        """Give a LoRA's tensors by key."""
        return load_file(self.folder / name)

    def metadata(self, name: str = "t.safetensors") -> dict[str, str]:
        """Give a LoRA's metadata."""
        with safe_open(self.folder / name, "pt") as file:
            return dict(file.metadata())


@dataclass
class World:
    """The base model, and where to work; `runs` keeps trainings that several checks look at."""

    base: Path
    work: Path
    runs: dict[str, Run] = field(default_factory=dict)

    @property
    def pictures(self) -> Path:
        """Two pictures with captions, in two buckets."""
        folder = self.work / "pictures"
        if not folder.exists():
            draw(folder, "one", "a shape, Red, small")
            draw(folder, "two", "a shape, blue", (32, 64))
        return folder

    def train(self, name: str, *, subsets: list[dict[str, Any]] | None = None, **options: Any) -> Run:
        """Train once per name with TRAINING and `options` (None leaves one out)."""
        if name not in self.runs:
            folder = self.work / "runs" / name
            chosen = {
                "pretrained_model_name_or_path": str(self.base),
                "output_dir": str(folder / "output"),
                **TRAINING,
                **options,
            }
            given = subsets if subsets is not None else [{"image_dir": str(self.pictures), "num_repeats": 1}]
            self.runs[name] = _train(folder, chosen, {"general": GENERAL, "datasets": [{"subsets": given}]})
        return self.runs[name]


def _train(folder: Path, options: dict[str, Any], dataset: dict[str, Any]) -> Run:
    folder.mkdir(parents=True)
    training, datasets = folder / "training.toml", folder / "dataset.toml"
    training.write_text(toml.dumps({"a": {key: value for key, value in options.items() if value is not None}}))
    datasets.write_text(toml.dumps(dataset))
    sys.argv = ["train_network.py", "--config_file", str(training), "--dataset_config", str(datasets)]
    said, code = io.StringIO(), None
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = train_network.main()
        except Exception:  # noqa: BLE001 - what a training raised is what some checks are about
            traceback.print_exc()
    return Run(code, said.getvalue(), Path(options["output_dir"]))
