"""Stable Diffusion WebUI by AUTOMATIC1111 and its forks, started with --api. Source: facts, services.md section 6."""

import base64
import binascii
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohya_wrap.engines.drawing.types import Drawn, OnDrawn, Picture, UsedLora
from kohya_wrap.errors import WebUIError
from kohya_wrap.results.lora_file import read_lora
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui.png import write_png
from kohya_wrap.results.webui.server import LONG, Server

ADDRESS, ADDRESS_VARIABLE, AUTH_VARIABLE = "http://127.0.0.1:7860", "KOHYA_WRAP_WEBUI_URL", "KOHYA_WRAP_WEBUI_AUTH"


def webui_server(env: Mapping[str, str]) -> Server:
    """Read where the server is, and its password, from the environment."""
    user, _, password = env.get(AUTH_VARIABLE, "").partition(":")
    return Server(
        title="the WebUI",
        address=(env.get(ADDRESS_VARIABLE, "").strip() or ADDRESS).rstrip("/"),
        address_variable=ADDRESS_VARIABLE,
        how="it must have been started with --api",
        auth=(user, password) if user else None,
        auth_variable=AUTH_VARIABLE,
    )


@dataclass(frozen=True, slots=True)
class WebUIDrawer:
    """Draws on a WebUI's server, with the LoRAs that are installed there; satisfies Drawer."""

    server: Server
    base: Base

    def draw(self, pictures: Sequence[Picture], *, on_drawn: OnDrawn) -> None:
        """Draw all of them, in this order, each whole at its target or not at all; Ctrl-C stops the server's work too.

        Raises WebUIError before the first one where the server lacks a model, a sampler or a LoRA.
        """
        if not pictures:
            return
        model = self._model()
        samplers = _names(self.server.ask("GET", "/sdapi/v1/samplers"), "name")
        names = {picture: self._sampler(picture, samplers) for picture in dict.fromkeys(pictures)}
        self.server.ask("POST", "/sdapi/v1/refresh-loras")
        known = self.server.ask("GET", "/sdapi/v1/loras")
        aliases = {lora.path: self._alias(lora, known) for picture in pictures for lora in picture.loras}
        for picture in pictures:
            started = time.monotonic()
            tags = "".join(f" <lora:{aliases[lora.path]}:{lora.weight:g}>" for lora in picture.loras)
            self._draw(picture, {**names[picture], "prompt": picture.prompt + tags}, model)
            on_drawn(Drawn(picture, time.monotonic() - started))

    def _draw(self, picture: Picture, said: Mapping[str, object], model: str) -> None:
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
            "override_settings": {
                "sd_model_checkpoint": model,
                "CLIP_stop_at_last_layers": picture.clip_skip,
                "randn_source": "CPU",  # the same noise on every machine
                **({"sd_vae": self.base.vae} if self.base.vae else {}),
            },
            "override_settings_restore_afterwards": True,
        }
        try:
            answer = self.server.ask("POST", "/sdapi/v1/txt2img", body, within=LONG)
        except KeyboardInterrupt:
            with contextlib.suppress(WebUIError):
                self.server.ask("POST", "/sdapi/v1/interrupt")
            raise
        images = answer.get("images") if isinstance(answer, dict) else None
        try:
            if not isinstance(images, list) or not images:
                raise ValueError("no picture")
            content = base64.b64decode(str(images[0]).rpartition(",")[2], validate=True)
            write_png(content, picture.target, picture.parameters)
        except (ValueError, binascii.Error) as error:
            what = f"sent no whole picture for {picture.target.name}: {str(error)[:100]}"
            raise self.server.error(what, "look at its window") from error

    def _model(self) -> str:
        """Find the base model on the server, by hash, else by name. Raises WebUIError."""
        models = [entry for entry in _entries(self.server.ask("GET", "/sdapi/v1/sd-models")) if entry.get("title")]
        sha256 = self.base.sha256.lower()
        for entry in models if sha256 else ():
            said = str(entry.get("sha256") or "").lower(), str(entry.get("hash") or "").lower()
            if said[0] == sha256 or (not said[0] and said[1] and sha256.startswith(said[1])):
                return str(entry["title"])
        for entry in models:
            # Without a hash the server has not read the file yet; the name is all there is.
            if entry.get("model_name") == self.base.name and not (sha256 and entry.get("sha256")):
                return str(entry["title"])
        listed = _listed([str(entry["title"]) for entry in models])
        what = f"does not have the base model {self.base.name} ({self.base.sha256[:10] or 'no hash'}); it has {listed}"
        raise self.server.error(what, "put it into its models/Stable-diffusion, or draw with diffusers")

    def _sampler(self, picture: Picture, known: Sequence[str]) -> dict[str, object]:
        """Give sampler and schedule in the server's words: one name until 2024, two since. Raises WebUIError."""
        whole = f"{picture.sampler} {picture.schedule}"
        if whole in known:
            return {"sampler_name": whole}
        if picture.sampler in known:
            return {"sampler_name": picture.sampler, "scheduler": picture.schedule}
        what = f"does not have the sampler {picture.sampler}; it has {_listed(known)}"
        raise self.server.error(what, "name one of these in the prompt, or in samples.sampler")

    def _alias(self, lora: UsedLora, known: object) -> str:
        """Find an installed LoRA, and see that it is the same file. Raises WebUIError."""
        stem = lora.path.stem
        for entry in _entries(known):
            if stem in {entry.get("name"), entry.get("alias")} or lora.name == entry.get("name"):
                said = entry.get("metadata")
                theirs = said.get("sshs_model_hash") if isinstance(said, dict) else None
                if theirs and theirs != read_lora(lora.path).metadata.get("sshs_model_hash", theirs):
                    what = f"has another LoRA of the name {stem}"
                    raise self.server.error(what, f"kohya-wrap lora install {lora.path} --to webui --name ANOTHER")
                return str(entry.get("name") or stem)
        what = f"does not have the LoRA {stem}"
        raise self.server.error(what, f"kohya-wrap lora install {lora.path} --to webui")


def lora_folder(server: Server) -> Path | None:
    """Give the folder of a server's LoRAs, where it tells. Raises WebUIError."""
    with contextlib.suppress(WebUIError):
        flags = server.ask("GET", "/sdapi/v1/cmd-flags")
        if isinstance(flags, dict) and flags.get("lora_dir"):
            return Path(str(flags["lora_dir"]))
    paths = [str(entry["path"]) for entry in _entries(server.ask("GET", "/sdapi/v1/loras")) if entry.get("path")]
    folders = {parent for path in paths for parent in Path(path).parents if parent.name.lower() in {"lora", "loras"}}
    return min(folders, key=lambda path: len(path.parts)) if folders else None


def refresh(server: Server) -> None:
    """Have the server look for new LoRAs. Raises WebUIError."""
    server.ask("POST", "/sdapi/v1/refresh-loras")


def _entries(answer: object) -> list[dict[str, Any]]:
    return [entry for entry in answer if isinstance(entry, dict)] if isinstance(answer, list) else []


def _names(answer: object, key: str) -> list[str]:
    return [str(entry[key]) for entry in _entries(answer) if entry.get(key)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:30]) + (", …" if len(names) > 30 else "") if names else "none"
