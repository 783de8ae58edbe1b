"""Draws on a WebUI by AUTOMATIC1111, or one of its forks.

Source: its modules/api/api.py and extensions-builtin/Lora: a LoRA is called by its file's name, because all epochs of a
training have the same alias, ss_output_name.
"""

import base64
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohya_wrap.engines.drawing.types import Drawn, OnDrawn, Picture
from kohya_wrap.errors import Problem, WebUIError
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui import choices
from kohya_wrap.results.webui.a1111 import KIND, entries, names_of, refresh
from kohya_wrap.results.webui.png import write_png
from kohya_wrap.results.webui.server import Server


@dataclass(frozen=True, slots=True)
class WebUIDrawer:
    """Draws on a WebUI's server, with the LoRAs that are installed there; satisfies Drawer.

    The model, the VAE and clip skip are those of the picture; for all else the server's own settings hold.
    """

    server: Server
    base: Base

    def draw(self, pictures: Sequence[Picture], *, on_drawn: OnDrawn) -> None:
        """Draw all of them, in this order, each whole at its target or not at all; Ctrl-C stops the server's work too.

        Raises WebUIError before the first one where the server lacks a model, a sampler or a LoRA.
        """
        if not pictures:
            return
        settings = self._settings()
        samplers = self._samplers(pictures)
        names = self._loras(pictures)
        for picture in pictures:
            started = time.monotonic()
            tags = [f"<lora:{names[lora.path]}:{lora.weight:g}>" for lora in picture.loras]
            said = {"prompt": " ".join((picture.prompt, *tags)), **samplers[picture.sampler, picture.schedule]}
            self._draw(picture, said, settings)
            on_drawn(Drawn(picture, time.monotonic() - started))

    def _draw(self, picture: Picture, said: Mapping[str, object], settings: Mapping[str, object]) -> None:
        body = {
            **said,
            "negative_prompt": picture.negative_prompt,
            "seed": picture.seed,
            "steps": picture.steps,
            "cfg_scale": picture.cfg_scale,
            "width": picture.width,
            "height": picture.height,
            "batch_size": 1,
            "n_iter": 1,
            "send_images": True,
            "save_images": False,
            "override_settings": {**settings, "CLIP_stop_at_last_layers": picture.clip_skip},
            "override_settings_restore_afterwards": True,
        }
        try:
            answer = self.server.ask("POST", "/sdapi/v1/txt2img", body, within=self.server.long)
        except KeyboardInterrupt:
            with contextlib.suppress(WebUIError):
                self.server.ask("POST", "/sdapi/v1/interrupt")
            raise
        images = answer.get("images") if isinstance(answer, dict) else None
        try:
            if not isinstance(images, list) or not images:
                raise ValueError("there is no picture in its answer")
            content = base64.b64decode(str(images[0]).rpartition(",")[2], validate=True)
            write_png(content, picture.target, picture.parameters, drawn_with=KIND)
        except ValueError as error:
            what = f"sent no whole picture for {picture.target.name}: {str(error)[:100]}"
            raise self.server.error(what, "look at its window") from error

    def _settings(self) -> dict[str, object]:
        """Give what the pictures have in common, in the server's words. Raises WebUIError."""
        model = self._model()
        if model is None:  # a file that came while it was running is not listed yet
            self.server.ask("POST", "/sdapi/v1/refresh-checkpoints")
            model = self._model()
        if model is None:
            titles = [str(entry["title"]) for entry in self._models()]
            sha256 = self.base.sha256[:10] or "no hash"
            what = f"does not have the base model {self.base.name} ({sha256}); it has {choices.listed(titles)}"
            raise self.server.error(what, "put it into its models/Stable-diffusion, or draw with diffusers")
        # The noise of the CPU is the same on every machine, and what diffusers and ComfyUI draw from.
        return {
            "sd_model_checkpoint": model,
            "randn_source": "CPU",
            **({"sd_vae": self._vae()} if self.base.vae else {}),
        }

    def _models(self) -> list[dict[str, Any]]:
        return [entry for entry in entries(self.server.ask("GET", "/sdapi/v1/sd-models")) if entry.get("title")]

    def _model(self) -> str | None:
        """Find the base model on the server, by hash, else by name where the server has not read the file yet."""
        models, sha256 = self._models(), self.base.sha256.lower()
        for entry in models if sha256 else ():
            theirs, short = (str(entry.get(key) or "").lower() for key in ("sha256", "hash"))
            if theirs == sha256 or (not theirs and len(short) >= 8 and sha256.startswith(short)):
                return str(entry["title"])
        for entry in models:
            names = {str(entry.get("model_name")), choices.stem_of(str(entry.get("filename") or ""))}
            if self.base.name in names and not (sha256 and entry.get("sha256")):
                return str(entry["title"])
        return None

    def _vae(self) -> str:
        names = names_of(self.server.ask("GET", "/sdapi/v1/sd-vae"), "model_name")
        for name in names:
            if self.base.vae in {name, choices.stem_of(name)}:
                return name
        what = f"does not have the VAE {self.base.vae} of the run; it has {choices.listed(names)}"
        raise self.server.error(what, "put it into its models/VAE, or draw with diffusers")

    def _samplers(self, pictures: Sequence[Picture]) -> dict[tuple[str, str], dict[str, object]]:
        """Give each sampler and schedule in the server's words. Raises WebUIError."""
        wanted = dict.fromkeys((picture.sampler, picture.schedule) for picture in pictures)
        samplers = names_of(self.server.ask("GET", "/sdapi/v1/samplers"), "name")
        schedules: list[str] = []
        if any(schedule not in {"", "Automatic"} for _, schedule in wanted):
            with contextlib.suppress(WebUIError):  # until 2024 there were none: both were one name
                schedules = names_of(self.server.ask("GET", "/sdapi/v1/schedulers"), "label")
        return {pair: self._sampler(*pair, samplers, schedules) for pair in wanted}

    def _sampler(
        self, sampler: str, schedule: str, samplers: Sequence[str], schedules: Sequence[str]
    ) -> dict[str, object]:
        todo = "name one of these in the prompt, or in samples.sampler"
        if whole := choices.find_name(f"{sampler} {schedule}", samplers):
            return {"sampler_name": whole}
        name = choices.find_name(sampler, samplers)
        if name is None:
            what = f"does not have the sampler {sampler}; it has {choices.listed(samplers)}"
            raise self.server.error(what, todo)
        if schedule in {"", "Automatic"}:
            return {"sampler_name": name}
        label = choices.find_name(schedule, schedules)
        if label is None:
            known = choices.listed(schedules or samplers)
            raise self.server.error(f"does not have the schedule {schedule} for {sampler}; it has {known}", todo)
        return {"sampler_name": name, "scheduler": label}

    def _loras(self, pictures: Sequence[Picture]) -> dict[Path, str]:
        """Find the LoRAs on the server, all of them the same files as here. Raises WebUIError."""
        paths = choices.lora_paths(pictures)
        if not paths:
            return {}
        refresh(self.server)
        known = entries(self.server.ask("GET", "/sdapi/v1/loras"))
        found = {path: _find_lora(path, known) for path in paths}
        missing = [name for name in found.values() if isinstance(name, Problem)]
        if len(missing) == 1:
            raise self.server.error(missing[0].what, missing[0].todo)
        if missing:
            raise WebUIError.of(missing, what=f"{self.server.title} lacks {len(missing)} LoRAs")
        return {path: str(name) for path, name in found.items()}


def _find_lora(path: Path, known: Sequence[Mapping[str, Any]]) -> str | Problem:
    """Give the name of a LoRA on the server: the file of the same name, or one of another name with its tensors."""
    mine = choices.tensor_hash(path)
    named = [entry for entry in known if entry.get("name") == path.stem]
    for entry in named:
        theirs = _said_hash(entry)
        if not mine or not theirs or mine == theirs:
            return path.stem
    same = (str(entry["name"]) for entry in known if mine and entry.get("name") and _said_hash(entry) == mine)
    missing = choices.another_installed if named else choices.not_installed
    return next(same, None) or missing(path, KIND)


def _said_hash(entry: Mapping[str, Any]) -> str:
    metadata = entry.get("metadata")
    return str(metadata.get("sshs_model_hash") or "") if isinstance(metadata, dict) else ""
