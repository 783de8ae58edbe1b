"""Draws on ComfyUI: a graph goes in, and is asked after until it is done. Source: its server.py and execution.py."""

import contextlib
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kohya_wrap.engines.drawing.types import Drawn, OnDrawn, Picture
from kohya_wrap.errors import Problem, WebUIError
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui import choices
from kohya_wrap.results.webui.comfy_graph import Names, graph_of, sampler_names
from kohya_wrap.results.webui.comfyui import KIND, installed, offered
from kohya_wrap.results.webui.png import write_png
from kohya_wrap.results.webui.server import LONG, Server

_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two questions whether a picture is done: more and more, up to the second."""
_BRACKETS = re.compile(r"(?<!\\)\[[^\]\n]*\]|\bBREAK\b")
_NOT_READ = "ComfyUI does not read [brackets] and BREAK as A1111 does: they are words to it"


@dataclass(frozen=True, slots=True)
class ComfyUIDrawer:
    """Draws on a ComfyUI server, with the LoRAs that are in its folders; satisfies Drawer.

    `within`: seconds a picture may take, those before it in the queue included. `embeddings`: words of prompts that
    are embeddings, which ComfyUI wants to be told.
    """

    server: Server
    base: Base
    within: float = LONG
    embeddings: Collection[str] = ()

    def draw(self, pictures: Sequence[Picture], *, on_drawn: OnDrawn) -> None:
        """Draw all of them, in this order, each whole at its target or not at all; Ctrl-C stops the server's work too.

        Raises WebUIError before the first one where the server lacks a model, a sampler or a LoRA.
        """
        if not pictures:
            return
        names = self._names(pictures)
        graphs = [graph_of(self._with_embeddings(picture), names) for picture in pictures]
        for picture, graph in zip(pictures, graphs, strict=True):
            started = time.monotonic()
            content = self._drawn(graph)
            try:
                write_png(content, picture.target, picture.parameters, drawn_with=KIND)
            except ValueError as error:
                what = f"sent no whole picture for {picture.target.name}: {str(error)[:100]}"
                raise self.server.error(what, "look at its window") from error
            on_drawn(Drawn(picture, time.monotonic() - started, tuple(_notes(picture))))

    def _with_embeddings(self, picture: Picture) -> Picture:
        """Say of each embedding that it is one: ComfyUI knows it only as embedding:NAME."""
        if not self.embeddings:
            return picture
        known = "|".join(re.escape(name) for name in sorted(self.embeddings, key=len, reverse=True))
        words = re.compile(rf"(?<![\w:]){'(?:' + known + ')'}(?!\w)", re.IGNORECASE)
        texts = (words.sub(r"embedding:\g<0>", text) for text in (picture.prompt, picture.negative_prompt))
        prompt, negative = texts
        return replace(picture, prompt=prompt, negative_prompt=negative)

    def _names(self, pictures: Sequence[Picture]) -> Names:
        """Find what the pictures need among what the server has. Raises WebUIError."""
        models = offered(self.server, "CheckpointLoaderSimple", "ckpt_name")
        model = self._find(self.base.name, models, "base model", "checkpoints")
        vae = ""
        if self.base.vae:
            vae = self._find(self.base.vae, offered(self.server, "VAELoader", "vae_name"), "VAE", "vae")
        known = {key: offered(self.server, "KSampler", key) for key in ("sampler_name", "scheduler")}
        for picture in pictures:
            said = sampler_names(picture.sampler, picture.schedule)
            for key, asked, name in zip(known, (picture.sampler, picture.schedule), said, strict=True):
                if name not in known[key]:
                    what = f"does not have what A1111 calls {asked}; its {key} are {', '.join(known[key]) or 'none'}"
                    raise self.server.error(what, "name another in the prompt, or in samples.sampler")
        return Names(model, vae, self._loras(pictures))

    def _loras(self, pictures: Sequence[Picture]) -> dict[Path, str]:
        """Find the LoRAs on the server, all of them the same files as here. Raises WebUIError."""
        paths = choices.lora_paths(pictures)
        there = installed(self.server) if paths else []
        found = {path: self._find_lora(path, there) for path in paths}
        missing = [name for name in found.values() if isinstance(name, Problem)]
        if len(missing) == 1:
            raise self.server.error(missing[0].what, missing[0].todo)
        if missing:
            raise WebUIError.of(missing, what=f"{self.server.title} lacks {len(missing)} LoRAs")
        return {path: str(name) for path, name in found.items()}

    def _find_lora(self, path: Path, there: Sequence[str]) -> str | Problem:
        named = [name for name in there if choices.stem_of(name) == path.stem]
        mine = choices.tensor_hash(path) if named else ""
        for name in named:
            theirs = self._said_hash(name) if mine else ""
            if not mine or not theirs or mine == theirs:
                return name
        return (choices.another_installed if named else choices.not_installed)(path, KIND)

    def _said_hash(self, name: str) -> str:
        """Give the hash that a LoRA there says of its tensors; empty where the server does not tell."""
        with contextlib.suppress(WebUIError):
            match self.server.ask("GET", f"/view_metadata/loras?filename={quote(name)}"):
                case {"sshs_model_hash": str(said)}:
                    return said
        return ""

    def _find(self, name: str, names: Sequence[str], what: str, folder: str) -> str:
        """Find a file by its name without ending, in whatever sub-folder."""
        for each in names:
            if choices.stem_of(each) == name:
                return each
        todo = f"put it into its models/{folder}, or draw with diffusers"
        raise self.server.error(f"does not have the {what} {name}; it has {choices.listed(names)}", todo)

    def _drawn(self, graph: Mapping[str, object]) -> bytes:
        """Queue a graph, wait for it, and give its picture. Raises WebUIError."""
        match self.server.ask("POST", "/prompt", {"prompt": graph}):
            case {"prompt_id": str(number), **more} if not more.get("node_errors"):
                pass
            case {"node_errors": errors} | {"error": errors}:
                raise self.server.error(f"does not take the graph: {str(errors)[:300]}", "look at its window")
            case _:
                raise self.server.error("answers /prompt with something else than ComfyUI does")
        try:
            outputs = self._wait(number)
        except KeyboardInterrupt:
            with contextlib.suppress(WebUIError):
                self._drop(number)
            raise
        image = next(_images(outputs), None)
        if image is None:
            raise self.server.error("finished without a picture", "look at its window")
        params = {key: str(image.get(key, "")) for key in ("filename", "subfolder", "type")}
        return self.server.fetch("GET", "/view", params=params)

    def _wait(self, number: str) -> dict[str, Any]:
        deadline, pause = time.monotonic() + self.within, _PAUSE
        while time.monotonic() < deadline:
            match self.server.ask("GET", f"/history/{number}"):
                case {**history} if isinstance(entry := history.get(number), dict):
                    if why := _failure(entry.get("status")):
                        raise self.server.error(f"could not draw it: {why}", "look at its window")
                    outputs = entry.get("outputs")
                    return outputs if isinstance(outputs, dict) else {}
                case {**history} if number not in history:
                    time.sleep(pause)
                case _:
                    raise self.server.error("answers /history with something else than ComfyUI does")
            pause = min(2 * pause, _LONGEST_PAUSE)
        with contextlib.suppress(WebUIError):
            self._drop(number)
        raise self.server.error(f"did not draw it within {self.within:g} s", "look at its window")

    def _drop(self, number: str) -> None:
        """Take a picture out of the queue, and stop it where it is being drawn; what others draw goes on."""
        self.server.ask("POST", "/queue", {"delete": [number]})
        match self.server.ask("GET", "/queue"):
            case {"queue_running": [*running]} if not any(
                isinstance(each, list) and number in each for each in running
            ):
                return
        self.server.ask("POST", "/interrupt", {"prompt_id": number})


def _notes(picture: Picture) -> Iterator[str]:
    if _BRACKETS.search(picture.prompt) or _BRACKETS.search(picture.negative_prompt):
        yield _NOT_READ


def _images(outputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for node in outputs.values():
        match node:
            case {"images": [*images]}:
                yield from (image for image in images if isinstance(image, dict) and image.get("filename"))


def _failure(status: object) -> str:
    """Give what an execution that failed says; empty for one that did not."""
    if not isinstance(status, dict) or status.get("status_str") != "error":
        return ""
    messages = status.get("messages")
    for message in messages if isinstance(messages, list) else ():
        match message:
            case ["execution_error", {"exception_message": why, **more}]:
                return f"{str(more.get('node_type', ''))[:50]}: {str(why).strip()[:300]}"
            case ["execution_interrupted", *_]:
                return "it was interrupted there"
    return "it says no more than that"
