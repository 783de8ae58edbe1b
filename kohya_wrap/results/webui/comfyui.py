"""ComfyUI: where it is, and what it has. Source: its server.py, and /object_info, which tells what a node takes."""

from collections.abc import Mapping

from kohya_wrap.results.webui.server import Server

KIND = "comfyui"
ADDRESS, ADDRESS_VARIABLE = "http://127.0.0.1:8188", "KOHYA_WRAP_COMFYUI_URL"


def comfyui_server(env: Mapping[str, str]) -> Server:
    """Read where the server is from the environment. ComfyUI has no password of its own."""
    address = env.get(ADDRESS_VARIABLE, "").strip() or ADDRESS
    return Server.at("ComfyUI", address, ADDRESS_VARIABLE, "its window says at which address it listens")


def installed(server: Server) -> list[str]:
    """Give the names of a server's LoRAs, with their folders. Raises WebUIError."""
    return offered(server, "LoraLoader", "lora_name")


def offered(server: Server, node: str, field: str) -> list[str]:
    """Give what a node offers for one of its inputs, in either of the two shapes that ComfyUI has for that."""
    match server.ask("GET", f"/object_info/{node}"):
        case {**nodes} if node in nodes:
            match nodes[node]:
                case {"input": {"required": {**required}}} if field in required:
                    match required[field]:
                        case [list(names), *_] | ["COMBO", {"options": list(names)}, *_]:
                            return [str(name) for name in names]
    raise server.error(f"does not tell the choices of {node}", "is it ComfyUI, and a version of today?")
