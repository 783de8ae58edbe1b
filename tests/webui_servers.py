"""An A1111 WebUI and a ComfyUI on this machine, as facts about their APIs tell; they draw one colour."""

import base64
import io
import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image, PngImagePlugin


@dataclass
class Reply:
    """What is sent back; `seconds` are slept first."""

    status: int = 200
    body: bytes = b"null"
    seconds: float = 0.0


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    body: Any
    basic: str
    query: dict[str, str] = field(default_factory=dict)


def as_json(value: object, status: int = 200) -> Reply:
    """Give a reply in JSON."""
    return Reply(status, json.dumps(value).encode())


def png(size: tuple[int, int], **texts: str) -> bytes:
    """Give a PNG with texts."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    file = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


Routes = dict[str, Callable[[Asked], Reply]]


class FakeUI(ThreadingHTTPServer):
    """A server whose usual answers are `routes`; `wrong` can give another one first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self.wrong: Callable[[Asked], Reply | None] = lambda asked: None
        self.routes: Routes = {}

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def bodies(self, path: str) -> list[Any]:
        """Give what was sent to a path."""
        return [asked.body for asked in self.asked if asked.path == path]


class _Handler(BaseHTTPRequestHandler):
    server: FakeUI

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        parts = urlsplit(self.path)
        basic = b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        asked = Asked(method, parts.path, body, basic, query)
        self.server.asked.append(asked)
        route = next((self.server.routes[path] for path in self.server.routes if parts.path.startswith(path)), None)
        reply = self.server.wrong(asked) or (route(asked) if route else as_json({"detail": "Not Found"}, 404))
        time.sleep(reply.seconds)
        try:
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            return  # the client did not wait


@contextmanager
def serving(routes: Routes) -> Iterator[FakeUI]:
    """Run a server while the block runs."""
    server = FakeUI()
    server.routes = routes
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


SHA256 = "167e5bcb37" + "0" * 54


def webui_routes(loras: list[dict[str, object]] | None = None) -> Routes:
    """Give the answers of a WebUI of today with one model."""

    def draw(asked: Asked) -> Reply:
        content = png(
            (asked.body["width"], asked.body["height"]),
            parameters=f"{asked.body['prompt']}\nSteps: 20, Seed: 7, CFG scale: 7",
        )
        return as_json({"images": [base64.b64encode(content).decode()], "parameters": {}, "info": "{}"})

    model = {"title": "anime/crosskemono.safetensors [167e5bcb37]", "model_name": "anime_crosskemono"}
    return {
        "/sdapi/v1/sd-models": lambda asked: as_json([{**model, "hash": SHA256[:10], "sha256": SHA256}]),
        "/sdapi/v1/samplers": lambda asked: as_json([{"name": "Euler a"}, {"name": "DPM++ 2M"}]),
        "/sdapi/v1/schedulers": lambda asked: as_json([{"name": "karras", "label": "Karras"}]),
        "/sdapi/v1/sd-vae": lambda asked: as_json([{"model_name": "kl-f8.safetensors"}]),
        "/sdapi/v1/refresh-checkpoints": lambda asked: Reply(),
        "/sdapi/v1/refresh-loras": lambda asked: Reply(),
        "/sdapi/v1/loras": lambda asked: as_json(loras or []),
        "/sdapi/v1/txt2img": draw,
        "/sdapi/v1/interrupt": lambda asked: as_json({}),
    }


def comfyui_routes() -> Routes:
    """Give the answers of a ComfyUI with one model, one LoRA; a picture is done when it is asked for a third time."""
    polls: list[str] = []

    def choices(asked: Asked) -> Reply:
        node = asked.path.rpartition("/")[2]
        required: dict[str, object] = {
            "CheckpointLoaderSimple": {"ckpt_name": [["other.ckpt", "anime\\crosskemono.safetensors"], {}]},
            "LoraLoader": {"lora_name": ["COMBO", {"options": ["mine/tiger-10.safetensors"]}]},
            "KSampler": {"sampler_name": [["euler_ancestral", "dpmpp_2m"]], "scheduler": [["normal", "karras"]]},
            "VAELoader": {"vae_name": [["kl-f8.safetensors"]]},
        }
        return as_json({node: {"input": {"required": required[node]}}} if node in required else {})

    def history(asked: Asked) -> Reply:
        polls.append(asked.path)
        if len(polls) % 3:
            return as_json({})
        image = {"filename": "kohya_wrap_00001_.png", "subfolder": "sub", "type": "output"}
        done = {"status_str": "success", "completed": True, "messages": []}
        return as_json({asked.path.rpartition("/")[2]: {"outputs": {"saved": {"images": [image]}}, "status": done}})

    return {
        "/object_info/": choices,
        "/prompt": lambda asked: as_json({"prompt_id": "p1", "number": 1, "node_errors": {}}),
        "/history/": history,
        "/view": lambda asked: Reply(body=png((64, 64), prompt='{"1": {}}')),
        "/queue": lambda asked: as_json({"queue_running": [[1, "p1", {}]], "queue_pending": []}),
        "/interrupt": lambda asked: Reply(body=b""),
    }
