"""ComfyUI: a graph goes in, and is asked after until it is done. Source: facts, services.md section 6."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from kohya_wrap.engines.drawing.types import Drawn, OnDrawn, Picture
from kohya_wrap.errors import WebUIError
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui.comfy_graph import Names, graph_of, sampler_names
from kohya_wrap.results.webui.png import write_png
from kohya_wrap.results.webui.server import LONG, Server

ADDRESS, ADDRESS_VARIABLE = "http://127.0.0.1:8188", "KOHYA_WRAP_COMFYUI_URL"
_PAUSE = 0.25
"""Seconds between two questions whether a picture is done."""


def comfyui_server(env: Mapping[str, str]) -> Server:
    """Read where the server is from the environment. ComfyUI has no password of its own."""
    address = (env.get(ADDRESS_VARIABLE, "").strip() or ADDRESS).rstrip("/")
    return Server("ComfyUI", address, ADDRESS_VARIABLE, "its window says at which address it listens")


@dataclass(frozen=True, slots=True)
class ComfyUIDrawer:
    """Draws on a ComfyUI server, with the LoRAs that are in its folders; satisfies Drawer.

    `within`: seconds a picture may take.
    """

    server: Server
    base: Base
    within: float = LONG

    def draw(self, pictures: Sequence[Picture], *, on_drawn: OnDrawn) -> None:
        """Draw all of them, in this order, each whole at its target or not at all; Ctrl-C stops the server's work too.

        Raises WebUIError before the first one where the server lacks a model, a sampler or a LoRA.
        """
        if not pictures:
            return
        names = self._names(pictures)
        graphs = [graph_of(picture, names) for picture in pictures]
        for picture, graph in zip(pictures, graphs, strict=True):
            started = time.monotonic()
            try:
                content = self._drawn(graph)
            except KeyboardInterrupt:
                with contextlib.suppress(WebUIError):
                    self.server.ask("POST", "/interrupt", {})
                raise
            try:
                write_png(content, picture.target, picture.parameters)
            except ValueError as error:
                what = f"sent no whole picture for {picture.target.name}: {str(error)[:100]}"
                raise self.server.error(what, "look at its window") from error
            on_drawn(Drawn(picture, time.monotonic() - started))

    def _names(self, pictures: Sequence[Picture]) -> Names:
        """Find what the pictures need among what the server has. Raises WebUIError."""
        models = self._choices("CheckpointLoaderSimple", "ckpt_name")
        model = self._find(self.base.name, models, "base model", "checkpoints")
        vae = ""
        if self.base.vae:
            vae = self._find(self.base.vae, self._choices("VAELoader", "vae_name"), "VAE", "vae")
        paths = dict.fromkeys(lora.path for picture in pictures for lora in picture.loras)
        installed = self._choices("LoraLoader", "lora_name") if paths else ()
        loras = {path: self._find(path.stem, installed, "LoRA", "loras") for path in paths}
        known = {key: self._choices("KSampler", key) for key in ("sampler_name", "scheduler")}
        for picture in pictures:
            said = sampler_names(picture.sampler, picture.schedule)
            for key, asked, name in zip(known, (picture.sampler, picture.schedule), said, strict=True):
                if name not in known[key]:
                    what = f"does not have what A1111 calls {asked}; its {key} are {', '.join(known[key]) or 'none'}"
                    raise self.server.error(what, "name another in the prompt, or in samples.sampler")
        return Names(model, vae, loras)

    def _find(self, name: str, choices: Sequence[str], what: str, folder: str) -> str:
        """Find a file by its name without ending, in whatever sub-folder."""
        for choice in choices:
            if PurePosixPath(choice.replace("\\", "/")).stem == name:
                return choice
        listed = ", ".join(choices[:30]) + (", …" if len(choices) > 30 else "") if choices else "none"
        todo = f"put it into its models/{folder}, or draw with diffusers"
        raise self.server.error(f"does not have the {what} {name}; it has {listed}", todo)

    def _choices(self, node: str, field: str) -> list[str]:
        """Give what a node offers for one of its inputs, in either of the two shapes that ComfyUI has for that."""
        match self.server.ask("GET", f"/object_info/{node}"):
            case {**nodes} if node in nodes:
                match nodes[node]:
                    case {"input": {"required": {**required}}} if field in required:
                        match required[field]:
                            case [list(names), *_] | ["COMBO", {"options": list(names)}, *_]:
                                return [str(name) for name in names]
        raise self.server.error(f"does not tell the choices of {node}", "is it ComfyUI, and a version of today?")

    def _drawn(self, graph: Mapping[str, object]) -> bytes:
        """Queue a graph, wait for it, and give its picture. Raises WebUIError."""
        match self.server.ask("POST", "/prompt", {"prompt": graph}):
            case {"prompt_id": str(number), **more} if not more.get("node_errors"):
                pass
            case {"node_errors": errors} | {"error": errors}:
                raise self.server.error(f"does not take the graph: {str(errors)[:300]}", "look at its window")
            case _:
                raise self.server.error("answers /prompt with something else than ComfyUI does")
        outputs = self._wait(number)
        images = [
            image
            for node in outputs.values()
            if isinstance(node, dict)
            for image in node.get("images") or ()
            if isinstance(image, dict) and image.get("filename")
        ]
        if not images:
            raise self.server.error("finished without a picture", "look at its window")
        params = {key: str(images[0].get(key, "")) for key in ("filename", "subfolder", "type")}
        return self.server.fetch("GET", "/view", params=params)

    def _wait(self, number: str) -> dict[str, Any]:
        deadline = time.monotonic() + self.within
        while time.monotonic() < deadline:
            match self.server.ask("GET", f"/history/{number}"):
                case {**history} if isinstance(entry := history.get(number), dict):
                    if why := _failure(entry.get("status")):
                        raise self.server.error(f"could not draw it: {why}", "look at its window")
                    outputs = entry.get("outputs")
                    return outputs if isinstance(outputs, dict) else {}
            time.sleep(_PAUSE)
        raise self.server.error(f"did not draw it within {self.within:.0f} s", "look at its window")


def _failure(status: object) -> str:
    """Give what an execution that failed says; empty for one that did not."""
    if not isinstance(status, dict) or status.get("status_str") != "error":
        return ""
    for message in status.get("messages") or ():
        match message:
            case ["execution_error", {"exception_message": why, **more}]:
                return f"{str(more.get('node_type', ''))[:50]}: {str(why).strip()[:300]}"
            case ["execution_interrupted", *_]:
                return "it was interrupted there"
    return "it says no more than that"
