"""A run that never was, with real files, and a drawer that paints pictures of one colour."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.engines.drawing.types import Drawn, OnDrawn, Picture
from kohya_wrap.files import sha256_file
from kohya_wrap.paths import CachePaths, RunPaths
from kohya_wrap.record import RunRecord, write_record
from kohya_wrap.record.model import BaseModelEntry, EngineEntry, FileEntry, LoraEntry, PresetEntry, ProcessEntry
from kohya_wrap.results.lora_file import hashes, read_lora
from kohya_wrap.studio import Studio

RUN = "20260101-000000-aaaa"
FAKE_PYTHON = Path(__file__).with_name("fake_launcher.py")


def write_lora(path: Path, seed: int) -> LoraEntry:
    """Write a LoRA of 64 numbers and describe it."""
    data = bytes([seed] * 128)
    header = {
        "__metadata__": {"ss_steps": "5"},
        "lora_unet_x.lora_down.weight": {"dtype": "F16", "shape": [64], "data_offsets": [0, len(data)]},
    }
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    sha256, tensors = hashes(read_lora(path))
    return LoraEntry(
        path=str(path), epoch=seed, steps=5, size=path.stat().st_size, sha256=sha256, tensors_sha256=tensors
    )


def make_run(root: Path, *, epochs: int = 3, name: str = "tiger", samples: SamplesConfig | None = None) -> Studio:
    """Leave the files of a run below `root`: LoRAs, base model, training picture, record, a python that paints."""
    project = root / "Loras" / name
    run = RunPaths(project / "runs" / RUN, Path())
    for folder in (run.folder, project / "dataset"):
        folder.mkdir(parents=True)
    base, picture = root / "kemono.safetensors", project / "dataset" / "a.png"
    base.write_bytes(b"a base model")
    Image.new("RGB", (90, 120), "orange").save(picture)
    stated = samples or SamplesConfig(prompts=("a tiger",), epochs="all", width=64, height=64)
    record = RunRecord(
        id=RUN,
        project=name,
        folder=str(run.folder),
        status="succeeded",
        wrapper_version="0.1.0",
        started="2026-01-01T00:00:00.000+00:00",
        seed=42,
        process=ProcessEntry(pid=1, created=0.0, host="elsewhere"),
        preset=PresetEntry(name=name, path=f"{name}.toml", resolved={"samples": stated.model_dump(mode="json")}),
        engine=EngineEntry(name="embedded", commit="0.1.0", python=str(_fake_python(root))),
        dataset=(FileEntry(path=str(picture), sha256="1" * 64, size=1),),
        base_model=BaseModelEntry(
            path=str(base), format="safetensors", family="sd15", sha256=sha256_file(base), size=12
        ),
        loras=tuple(
            write_lora(project / "output" / f"{name}-{each:02d}.safetensors", each) for each in range(1, epochs + 1)
        ),
    )
    write_record(record, run.record)
    return Studio(record, stated, CachePaths(root / "cache"))


def _fake_python(root: Path) -> Path:
    """Write a program that draws as the engine's python does (see fake_launcher)."""
    (root / "fault.py").write_text("")
    python = root / "python"
    words = map(shlex.quote, (sys.executable, str(FAKE_PYTHON), str(root)))
    python.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
    python.chmod(0o755)
    return python


@dataclass
class Painter:
    """A drawer: `asked` lists each call's pictures; the picture of number `fails_at`, from 1, raises `error`."""

    fails_at: int = 0
    error: BaseException | None = None
    notes: tuple[str, ...] = ()
    asked: list[tuple[Picture, ...]] = field(default_factory=list)

    def draw(self, pictures: Sequence[Picture], *, on_drawn: OnDrawn) -> None:
        """Paint each in the colour of its LoRA's weight."""
        self.asked.append(tuple(pictures))
        for number, picture in enumerate(pictures, start=1):
            if number == self.fails_at and self.error is not None:
                raise self.error
            paint(picture)
            on_drawn(Drawn(picture, 0.1, self.notes))


def paint(picture: Picture) -> None:
    """Write one picture, with its parameters."""
    chunks = PngInfo()
    chunks.add_text("parameters", picture.parameters)
    weight = sum(lora.weight for lora in picture.loras)
    colour = (round(200 * min(weight, 1)), 90, 120)
    Image.new("RGB", (picture.width, picture.height), colour).save(picture.target, pnginfo=chunks)
