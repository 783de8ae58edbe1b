"""Stable Diffusion WebUI by AUTOMATIC1111 and its forks, started with --api: where it is, and what it has.

Source: its modules/api/api.py.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kohya_wrap.errors import WebUIError
from kohya_wrap.results.webui.server import Server

KIND = "webui"
ADDRESS, ADDRESS_VARIABLE, AUTH_VARIABLE = "http://127.0.0.1:7860", "KOHYA_WRAP_WEBUI_URL", "KOHYA_WRAP_WEBUI_AUTH"


def webui_server(env: Mapping[str, str]) -> Server:
    """Read where the server is, and its password, from the environment."""
    return Server.at(
        "the WebUI",
        env.get(ADDRESS_VARIABLE, "").strip() or ADDRESS,
        ADDRESS_VARIABLE,
        "it must have been started with --api",
        auth=env.get(AUTH_VARIABLE, ""),
        auth_variable=AUTH_VARIABLE,
    )


def lora_folder(server: Server) -> Path | None:
    """Give the folder of a server's LoRAs, where it tells. Raises WebUIError."""
    with contextlib.suppress(WebUIError):
        flags = server.ask("GET", "/sdapi/v1/cmd-flags")
        if isinstance(flags, dict) and flags.get("lora_dir"):
            return Path(str(flags["lora_dir"]))
    paths = [str(entry["path"]) for entry in entries(server.ask("GET", "/sdapi/v1/loras")) if entry.get("path")]
    folders = {parent for path in paths for parent in Path(path).parents if parent.name.lower() in {"lora", "loras"}}
    return min(folders, key=lambda path: len(path.parts)) if folders else None


def refresh(server: Server) -> None:
    """Have the server look for new LoRAs. Raises WebUIError."""
    server.ask("POST", "/sdapi/v1/refresh-loras")


def installed(server: Server) -> dict[str, Path]:
    """Give the server's LoRAs by the names that prompts use, with their paths. Raises WebUIError."""
    known = entries(server.ask("GET", "/sdapi/v1/loras"))
    return {str(entry["name"]): Path(str(entry.get("path") or "")) for entry in known if entry.get("name")}


def entries(answer: object) -> list[dict[str, Any]]:
    """Give the tables of a list; nothing of anything else."""
    return [entry for entry in answer if isinstance(entry, dict)] if isinstance(answer, list) else []


def names_of(answer: object, key: str) -> list[str]:
    """Give one text of each table of a list."""
    return [str(entry[key]) for entry in entries(answer) if entry.get(key)]
