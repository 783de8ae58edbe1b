"""Every path of a project, of a run and of the user's cache, as properties. Nothing here touches the disk."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FolderStructure = Literal["project", "category"]


@dataclass(frozen=True, slots=True)
class ProjectPaths:
    """Where a project keeps its things below `root`, as the Lora_Trainer notebook laid it out.

    "project": Loras/NAME/dataset; "category": lora_training/datasets/NAME.
    """

    root: Path
    name: str
    structure: FolderStructure = "project"

    @property
    def main(self) -> Path:
        """The folder that holds all projects."""
        return self.root / ("Loras" if self.structure == "project" else "lora_training")

    def _place(self, by_project: str, by_category: str) -> Path:
        if self.structure == "project":
            return self.main / self.name / by_project
        return self.main / by_category / self.name

    @property
    def config(self) -> Path:
        """The project's own folder (by category: its folder of configs)."""
        return self._place("", "config")

    @property
    def dataset(self) -> Path:
        """Pictures and captions."""
        return self._place("dataset", "datasets")

    @property
    def output(self) -> Path:
        """Finished LoRAs."""
        return self._place("output", "output")

    @property
    def logs(self) -> Path:
        """TensorBoard logs of all projects."""
        return self.main / ("_logs" if self.structure == "project" else "log")

    @property
    def runs(self) -> Path:
        """One folder per run."""
        return self._place("runs", "runs")

    @property
    def history(self) -> Path:
        """What dataset steps replaced, so that it can be given back."""
        return self._place("history", "history")

    @property
    def lock(self) -> Path:
        """Held while a run of this project is going on."""
        return self.config / ".lock"

    def run(self, run_id: str) -> "RunPaths":
        """Give the paths of one run."""
        return RunPaths(folder=self.runs / run_id, log_dir=self.logs / self.name / run_id)


@dataclass(frozen=True, slots=True)
class RunPaths:
    """What one run writes. `log_dir` is TensorBoard's folder for this run alone."""

    folder: Path
    log_dir: Path

    @property
    def id(self) -> str:
        """The run's id, `<time>-<short id>`."""
        return self.folder.name

    @property
    def record(self) -> Path:
        """run.json."""
        return self.folder / "run.json"

    @property
    def training_config(self) -> Path:
        """The training TOML."""
        return self.folder / "training_config.toml"

    @property
    def dataset_config(self) -> Path:
        """The dataset TOML."""
        return self.folder / "dataset_config.toml"

    @property
    def accelerate_config(self) -> Path:
        """The config file of accelerate."""
        return self.folder / "accelerate.yaml"

    @property
    def log(self) -> Path:
        """All output of the engine, unchanged."""
        return self.folder / "train.log"

    @property
    def losses(self) -> Path:
        """Loss and learning rates per step, as CSV."""
        return self.folder / "losses.csv"

    @property
    def staging(self) -> Path:
        """Where the engine writes; checked files are linked from here into the project's output folder."""
        return self.folder / "output"

    @property
    def sample_prompts(self) -> Path:
        """The prompts that sd-scripts draws while it trains, as JSON."""
        return self.folder / "sample_prompts.json"

    @property
    def samples(self) -> Path:
        """Test pictures, and the grid of them."""
        return self.folder / "samples"


@dataclass(frozen=True, slots=True)
class CachePaths:
    """What is kept per user and shared by all projects (KOHYA_WRAP_HOME)."""

    home: Path

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> "CachePaths":
        """KOHYA_WRAP_HOME, else XDG_CACHE_HOME/kohya-wrap, else ~/.cache/kohya-wrap."""
        variables = os.environ if env is None else env
        if variables.get("KOHYA_WRAP_HOME"):
            return cls(Path(variables["KOHYA_WRAP_HOME"]).expanduser().absolute())
        base = variables.get("XDG_CACHE_HOME")
        return cls((Path(base) if base else Path.home() / ".cache") / "kohya-wrap")

    @property
    def environments(self) -> Path:
        """Engine environments, one folder per hash of their requirements."""
        return self.home / "environments"

    @property
    def models(self) -> Path:
        """Base models, by SHA256."""
        return self.home / "models"

    @property
    def hashes(self) -> Path:
        """Remembered SHA256 of large files, by path, size, mtime and inode."""
        return self.home / "hashes.json"


def package_data(kind: Literal["presets", "vendor"]) -> Path:
    """Give the folder of shipped files: at the top of a checkout, or inside an installed package."""
    package = Path(__file__).resolve().parent
    shipped = package / "_shipped" / kind
    return shipped if shipped.is_dir() else package.parent / kind


def expanded(text: str) -> Path:
    """Expand ~ where there is such a user; a path as it is otherwise. Texts of presets may be a stranger's."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
