"""Servers of web UIs that draw: to add one, its module, a line here, and its test."""

from collections.abc import Callable, Mapping

from kohya_wrap.engines.drawing.types import Drawer
from kohya_wrap.results.samples.text import Base
from kohya_wrap.results.webui.a1111 import WebUIDrawer, webui_server
from kohya_wrap.results.webui.comfyui import ComfyUIDrawer, comfyui_server

SERVERS: dict[str, Callable[[Mapping[str, str], Base], Drawer]] = {
    "webui": lambda env, base: WebUIDrawer(webui_server(env), base),
    "comfyui": lambda env, base: ComfyUIDrawer(comfyui_server(env), base),
}
"""What `samples.draw_with` names, beside "diffusers": a drawer from the environment's variables and the base model."""
