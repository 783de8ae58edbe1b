"""Servers of web UIs that draw: to add one, its module, a line here, and its test."""

from collections.abc import Callable, Collection, Mapping

from kohya_wrap.engines.drawing.types import Drawer
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui.a1111 import webui_server
from kohya_wrap.results.webui.a1111_drawer import WebUIDrawer
from kohya_wrap.results.webui.comfyui import comfyui_server
from kohya_wrap.results.webui.comfyui_drawer import ComfyUIDrawer

Make = Callable[[Mapping[str, str], Base, Collection[str]], Drawer]

SERVERS: dict[str, Make] = {
    "webui": lambda env, base, _: WebUIDrawer(webui_server(env), base),
    "comfyui": lambda env, base, embeddings: ComfyUIDrawer(comfyui_server(env), base, embeddings=embeddings),
}
"""What `samples.draw_with` names, beside "diffusers": a drawer of the environment's variables, base, embeddings."""
