"""What servers answer: hosts of models, a download's first bytes, web UIs. Bytes come in where a socket would be."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
import requests
import urllib3
from fuzzing import A1111, DEEP, TARGETS, Target, folder_with
from huggingface_hub.hf_api import ModelInfo

from kohya_wrap import KohyaWrapError
from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.hosts import read_link
from kohya_wrap.base_models.hosts.host import Choice
from kohya_wrap.base_models.peek import with_first_bytes
from kohya_wrap.base_models.web import get_json
from kohya_wrap.engines.drawing.types import Picture
from kohya_wrap.paths import CachePaths
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui.a1111 import installed, lora_folder, webui_server
from kohya_wrap.results.webui.a1111_drawer import WebUIDrawer
from kohya_wrap.results.webui.comfyui import comfyui_server
from kohya_wrap.results.webui.comfyui_drawer import ComfyUIDrawer

_ACCESS = Access(CachePaths(Path("/nowhere")), patience=0)
_STATUSES = (200, 200, 200, 200, 404, 401, 451, 400)
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(answer: Callable[[str], Answer]) -> Iterator[None]:
    """Let every request be answered by status, headers and body for a path, without a network."""
    usual = requests.Session.get_adapter
    requests.Session.get_adapter = lambda *_, **__: _Adapter(answer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        requests.Session.get_adapter = usual  # type: ignore[method-assign]


class _Adapter(requests.adapters.HTTPAdapter):
    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self._answer = answer

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer as a socket's other end would."""
        status, headers, body = self._answer(urlsplit(str(request.url)).path)
        raw = urllib3.HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)
        return self.build_response(request, raw)

    def close(self) -> None:
        """Hold nothing."""


def civitai(data: bytes) -> None:
    """Take an answer as each of the API's: a model with versions, one version, one found by its hash."""
    with answering(lambda _: (_STATUSES[len(data) % len(_STATUSES)], {}, data)):
        for text in ("https://civitai.com/models/1", "https://civitai.com/models/1?modelVersionId=2", "6ce0161689"):
            with suppress(KohyaWrapError):
                read_link(text).resolve(_ACCESS, Choice(details=True))


def hugging_face(data: bytes) -> None:
    """Take an answer as a repository's; its JSON goes to huggingface_hub's own type."""
    usual = huggingface_hub.HfApi.repo_info
    model: Any = ModelInfo
    huggingface_hub.HfApi.repo_info = lambda *_, **__: model(**json.loads(data))  # type: ignore[method-assign]
    try:
        for text in ("user/repo", "https://huggingface.co/user/repo/blob/main/a.safetensors"):
            with suppress(KohyaWrapError):
                read_link(text).resolve(_ACCESS, Choice(details=True))
    finally:
        huggingface_hub.HfApi.repo_info = usual  # type: ignore[method-assign]


def http(data: bytes) -> None:
    """Take a status, headers and a body as a download's beginning, and as an API's answer."""
    head, _, body = data.partition(b"\n\n")
    status, *lines = head.decode("latin-1").splitlines() or [""]
    pairs = (line.partition(":") for line in lines)
    headers = {key.strip(): value.strip() for key, _, value in pairs if key.strip()}
    number = int(status) if status in {"200", "206", "416", "301", "403", "404", "429", "500", "503"} else 200
    with answering(lambda _: (number, headers, body)):
        link = read_link("https://example.org/a.safetensors")
        with suppress(KohyaWrapError):
            get_json("https://example.org/a", token=_ACCESS.civitai_token, access=_ACCESS)
        with_first_bytes(link, link.resolve(_ACCESS, Choice()), _ACCESS)


def link(data: bytes) -> None:
    """Read a link, without asking anybody."""
    found = read_link(data.decode("utf-8", "replace"))
    assert found.shown
    assert "/" not in found.name or found.host != "direct"


def web_ui(data: bytes) -> None:
    """Answer every question of a drawing by the JSON for its path, or by the bytes themselves; on both kinds."""
    with folder_with("given.json", data) as file:
        said = _by_path(data)
        status = _STATUSES[len(data) % len(_STATUSES)]

        def answer(path: str) -> Answer:
            return (200, {}, said[path]) if path in said else (200 if said else status, {}, data)

        target = file.parent / "inner" / "a.png"
        picture = Picture(target, "fox", "", 1, 1, 7.0, "Euler a", "Automatic", 8, 8, 1, parameters=A1111)
        web, comfy, base = webui_server({}), comfyui_server({}), Base("base", "ab" * 32)
        with answering(answer):
            for ask in (
                lambda: installed(web),
                lambda: lora_folder(web),
                lambda: WebUIDrawer(web, base).draw([picture], on_drawn=lambda _: None),
                lambda: ComfyUIDrawer(comfy, base, within=1e-6).draw([picture], on_drawn=lambda _: None),
            ):
                with suppress(KohyaWrapError):
                    ask()


def _by_path(data: bytes) -> dict[str, bytes]:
    """Give a body for each path; a picture is bytes that are no JSON."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    bodies = {key: json.dumps(value).encode() for key, value in said.items()} if isinstance(said, dict) else {}
    return {**bodies, "/view": TARGETS["picture"].seeds[0]} if bodies else {}


_HASHES = {"SHA256": "AB" * 32, "AutoV2": "ABABABABAB"}
_FILE = {
    "id": 7,
    "name": "a.safetensors",
    "type": "Model",
    "sizeKB": 2.5,
    "hashes": _HASHES,
    "metadata": {"format": "SafeTensor", "size": "pruned", "fp": "fp16"},
    "virusScanResult": "Success",
}
_VERSION = {
    "id": 2,
    "modelId": 1,
    "name": "v1",
    "baseModel": "SD 1.5",
    "publishedAt": "2023-04-01T00:00:00.000Z",
    "earlyAccessEndsAt": None,
    "usageControl": "Download",
    "files": [_FILE, {**_FILE, "id": 8}],
    "model": {"name": "Fox", "type": "Checkpoint", "mode": None},
}
_MODEL = {
    "id": 1,
    "name": "Fox",
    "type": "Checkpoint",
    "mode": None,
    "allowNoCredit": True,
    "allowDerivatives": False,
    "allowCommercialUse": ["Image"],
    "allowDifferentLicense": False,
    "modelVersions": [_VERSION],
}
_CIVITAI = tuple(json.dumps(each).encode() for each in ({**_MODEL, **_VERSION}, _VERSION, {"error": "Not found"}))
_SIBLING = {"rfilename": "a.safetensors", "size": 10, "blobId": "0" * 40, "lfs": {"sha256": "0" * 64, "size": 10}}
_REPO = json.dumps(
    {
        "id": "user/repo",
        "sha": "a" * 40,
        "private": False,
        "gated": False,
        "tags": [],
        "downloads": 0,
        "cardData": {"license": "mit"},
        "lastModified": "2023-04-01T00:00:00.000Z",
        "siblings": [_SIBLING, {"rfilename": "model_index.json", "size": 3}, {"rfilename": "unet/a.safetensors"}],
    }
).encode()
_HTTP = (
    b"206\nContent-Range: bytes 0-99/1000\nETag: x\nRetry-After: Fri, 13 Nov 2026 10:00:00 +0100\nContent-Length: 100\n"
    b"Content-Type: application/octet-stream\n\n" + TARGETS["safetensors"].seeds[0],
    b"503\nRetry-After: 1\nContent-Type: application/json; charset=x\nContent-Encoding: gzip\n\n"
    + b'{"error": "busy"}',
    b"301\nLocation: https://other.example.org/b\nContent-Length: 7\n\n<html>",
    b"503\nRetry-After: \xb2\n\n" + DEEP[0],
    b"503\nRetry-After: Fri, 13 Nov 2026 10:00:00 +999999999999999\n\n",
    b"206\nContent-Length: " + b"9" * 5000 + b"\n\n" + bytes(40),
    b"206\nContent-Range: bytes 0-99/" + b"9" * 5000 + b"\n\n" + bytes(40),
)
_LINKS = (
    *(b"https://civitai.com/models/1?modelVersionId=2&token=x", b"urn:air:sd1:checkpoint:civitai:1@2", b"6ce0161689"),
    *(b"https://civitai.com/api/download/models/2?type=Model&fp=fp16", b"hf://models/user/repo@main/a.safetensors"),
    *(b"https://huggingface.co/user/repo/blob/main/a.safetensors", b"https://u:p@example.org/a.safetensors?t=1#x"),
)
_NODES: dict[str, dict[str, Any]] = {
    "CheckpointLoaderSimple": {"ckpt_name": [["base.safetensors"]]},
    "KSampler": {"sampler_name": [["euler_ancestral"]], "scheduler": ["COMBO", {"options": ["normal"]}]},
}
_OFFERED = {f"/object_info/{node}": {node: {"input": {"required": fields}}} for node, fields in _NODES.items()}
_OUTPUTS = {"9": {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}]}}
_WEB_UI = json.dumps(
    {
        **_OFFERED,
        "/sdapi/v1/cmd-flags": {"lora_dir": "/ui/models/Lora"},
        "/sdapi/v1/loras": [{"name": "fox", "path": "/ui/models/Lora/fox.safetensors", "metadata": {}}],
        "/sdapi/v1/sd-models": [{"title": "base", "model_name": "base", "filename": "/b/base.ckpt", "sha256": None}],
        "/sdapi/v1/samplers": [{"name": "Euler a"}],
        "/sdapi/v1/schedulers": [{"label": "Automatic"}],
        "/sdapi/v1/txt2img": {"images": [base64.b64encode(TARGETS["picture"].seeds[0]).decode()]},
        "/prompt": {"prompt_id": "1", "node_errors": {}},
        "/history/1": {"1": {"status": {"status_str": "success", "messages": []}, "outputs": _OUTPUTS}},
        "/queue": {"queue_running": [[0, "1"]]},
    }
).encode()
_SAID = json.dumps({"detail": [{"loc": ["a", 0], "msg": "x"}], "node_errors": {"3": {"errors": [{"message": "x"}]}}})
ANSWERS = {
    "civitai": Target(civitai, (*_CIVITAI, *DEEP), json=_CIVITAI[0]),
    "hugging-face": Target(hugging_face, (_REPO, *DEEP), json=_REPO),
    "http": Target(http, _HTTP),
    "link": Target(link, _LINKS),
    "web-ui": Target(web_ui, (_WEB_UI, _SAID.encode(), *DEEP, *TARGETS["picture"].seeds), json=_WEB_UI),
}
