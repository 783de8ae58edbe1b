"""What the test pictures of a recorded run are drawn on and with: its base model, VAE, engine's python, LoRAs."""

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import ValidationError

from kohya_wrap.base_models import Store
from kohya_wrap.base_models.tokenizers import find_tokenizers
from kohya_wrap.config import EngineConfig
from kohya_wrap.config.base import Table
from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.engines import get_engine
from kohya_wrap.engines.drawing.diffusers_drawer import DiffusersDrawer
from kohya_wrap.engines.drawing.types import Drawer
from kohya_wrap.errors import DrawingError, EngineError, OutputError
from kohya_wrap.families import FAMILIES
from kohya_wrap.paths import CachePaths, FolderStructure, ProjectPaths, RunPaths
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import BaseModelEntry
from kohya_wrap.results.publish import Lora
from kohya_wrap.results.samples.embeddings import FoundEmbedding
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui import SERVERS

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


Kind = TypeVar("Kind", bound=Table)


def recorded_table(record: RunRecord, name: str, kind: type[Kind]) -> Kind:
    """Give one table of a run's preset. Raises OutputError where another version wrote what this one does not know."""
    try:
        return kind.model_validate_json(json.dumps(record.preset.resolved.get(name, {})))
    except ValidationError as error:
        what = f"its [{name}] is not understood by this version: {error.errors()[0]['msg']}"
        raise OutputError(what, where=record.id, todo="name a preset file of today instead of the run") from error


@dataclass(frozen=True, slots=True)
class Studio:
    """A recorded run, as far as drawing needs it. `samples`: what to draw, which need not be what the run says."""

    record: RunRecord
    samples: SamplesConfig
    cache: CachePaths

    @property
    def paths(self) -> RunPaths:
        """The run's own paths."""
        return RunPaths(Path(self.record.folder), Path())

    @property
    def loras(self) -> tuple[Lora, ...]:
        """The run's LoRAs, as it left them."""
        return tuple(
            Lora(Path(each.path), each.epoch, each.steps, each.size, each.sha256, each.tensors_sha256)
            for each in self.record.loras
        )

    @property
    def training_picture(self) -> Path | None:
        """The first picture that the run was trained on, of those that are still there.

        First is what has the shortest name, so that a picture goes before the variants that were made of it.
        """
        paths = [Path(entry.path) for entry in self.record.dataset if entry.path.lower().endswith(_PICTURES)]
        return next((path for path in sorted(paths, key=lambda path: len(path.name)) if path.is_file()), None)

    @property
    def activation_tag(self) -> str:
        """The tag that calls what the run has learnt; empty for none."""
        table = self.record.preset.resolved.get("dataset")
        return str(table.get("activation_tag", "")) if isinstance(table, Mapping) else ""

    @property
    def project(self) -> ProjectPaths:
        """The paths of the run's project."""
        above = (*self.paths.folder.parents, Path())
        structure: FolderStructure = "category" if above[min(2, len(above) - 1)].name == "lora_training" else "project"
        return ProjectPaths(above[min(3, len(above) - 1)], self.record.project, structure)

    def base(self) -> Base:
        """Name the base model and the VAE as a picture's parameters do."""
        entry, vae = self.record.base_model, self._vae()
        vae_sha256 = Store(self.cache).remembered_sha256(vae) if vae is not None and vae.is_file() else ""
        return Base(_stem(Path(entry.path)), _sha256(entry), _stem(vae) if vae else "", vae_sha256)

    def drawer(self, embeddings: Mapping[str, FoundEmbedding] = MappingProxyType({})) -> Drawer:
        """Give what draws. Raises DrawingError, EngineError where something it needs is not there."""
        if self.samples.draw_with in SERVERS:
            return SERVERS[self.samples.draw_with](os.environ, self.base(), tuple(embeddings))
        tokenizers = self._trained_with("tokenizer_cache_dir")
        family = FAMILIES.get(self.record.base_model.family)
        found = find_tokenizers(family, cache=self.cache) if family else None
        v_prediction = self._trained_with("v_parameterization")
        return DiffusersDrawer(
            python=self._python(),
            base=self.base_path(),
            folder=self.paths.samples,
            vae=self._vae(),
            embeddings={name: each.path for name, each in embeddings.items()},
            tokenizers=Path(tokenizers) if isinstance(tokenizers, str) else found,
            v_prediction=v_prediction if isinstance(v_prediction, bool) else None,
            zero_terminal_snr=self._trained_with("zero_terminal_snr") is True,
            use_cpu=bool(self.record.choices.get("use_cpu", False)),
            gpu_ids=self._engine().gpu_ids,
            num_cpu_threads=self._engine().num_cpu_threads,
        )

    def base_path(self) -> Path:
        """Find the base model where it was, or in the store by its hash. Raises DrawingError."""
        entry = self.record.base_model
        path = Path(entry.path)
        stored = Store(self.cache).find(entry.sha256)
        if not path.exists() and stored is not None:
            return stored
        if not path.exists():
            todo = f"`kohya-wrap model get {entry.source}` fetches it" if "://" in entry.source else "put it back there"
            raise DrawingError("the base model of the run is no longer there", where=str(path), todo=todo)
        if path.is_file() and entry.sha256 and Store(self.cache).remembered_sha256(path) != entry.sha256:
            what = f"is no longer the run's base model: its SHA256 was {entry.sha256}"
            raise DrawingError(what, where=str(path), todo="put that one back there")
        return path

    def _vae(self) -> Path | None:
        given = self._trained_with("vae")
        return Path(given) if isinstance(given, str) and given else None

    def _python(self) -> Path:
        """Give the python that trained, or that of today's engine where it is gone. Raises EngineError."""
        path = Path(self.record.engine.python)
        if path.is_file():
            return path
        status = get_engine(self._engine(), self.cache).status()
        if status.missing:
            raise EngineError.of(status.missing, what="pictures are drawn in the engine's environment")
        return status.python

    def _engine(self) -> EngineConfig:
        return recorded_table(self.record, "engine", EngineConfig)

    def _trained_with(self, option: str) -> object:
        """Give what the training file of the run says of an option; sections mean nothing in it."""
        try:
            tables = tomllib.loads(self.record.launch.training_config)
        except tomllib.TOMLDecodeError:
            return None
        merged: dict[str, object] = {}
        for key, value in tables.items():
            merged |= value if isinstance(value, Mapping) else {key: value}
        return merged.get(option)


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _sha256(entry: BaseModelEntry) -> str:
    """Give the hash of a model; that of a folder is made of its files' hashes, so that another one has another."""
    if entry.sha256 or not entry.files:
        return entry.sha256
    listed = "\n".join(f"{file.path} {file.sha256}" for file in sorted(entry.files, key=lambda file: file.path))
    return hashlib.sha256(listed.encode()).hexdigest()
