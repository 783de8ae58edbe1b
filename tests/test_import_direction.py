"""Rooms import only from rooms before them, nothing internal hides in a function, no room imports torch."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "kohya_wrap"
ORDER = (
    ("_version", "errors", "events", "paths"),
    ("files",),
    ("config",),
    ("families", "launch"),
    ("presets", "dataset", "base_models"),
    ("sd_scripts",),
    ("engines",),
    ("record",),
    ("results",),
    ("planning",),
    ("collecting", "entries", "studio"),
    ("recording", "sampling"),
    ("preparing", "providing", "run_files"),
    ("pipeline",),
    ("reproducing", "stepping_down"),
    ("resuming",),
    ("sharing",),
    ("__init__",),
    ("cli",),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
ENGINE_SIDE = (PACKAGE / "engines" / "embedded", PACKAGE / "engines" / "drawing" / "scripts")
ENGINE_SCRIPTS = {
    PACKAGE / "base_models" / "convert_ckpt.py",
    PACKAGE / "engines" / "captioning" / "caption_blip.py",
}
"""Scripts that run in the engine's environment: they may import torch, and nothing of this package imports them."""


def wrapper_modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not set(ENGINE_SIDE) & set(path.parents) and path not in ENGINE_SCRIPTS
    ]


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield (dotted module, line, inside a function) of every import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}" if node.module == "kohya_wrap" else node.module
                yield name, node.lineno, id(node) in hidden
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in hidden


@pytest.mark.parametrize("path", wrapper_modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_downward(path: Path) -> None:
    """No room imports a room after it, or one named together with it; no internal import hides in a function."""
    room = room_of(path)
    for name, line, hidden in imports(path):
        if not name.startswith("kohya_wrap"):
            continue
        parts = name.split(".")
        other = parts[1] if len(parts) > 1 else "__init__"
        assert not hidden, f"{path}:{line}: an internal import inside a function"
        if other == room:
            continue
        assert other in RANK, f"{path}:{line}: {name} is in no room of the design"
        assert RANK[other] < RANK[room] or (RANK[other] == RANK[room] == 0), f"{path}:{line}: {room} imports {other}"


@pytest.mark.parametrize("path", wrapper_modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_wrapper_code_imports_the_engine(path: Path) -> None:
    """torch, diffusers and their like belong to the engine's environment."""
    engine = {"torch", "torchvision", "diffusers", "transformers", "accelerate", "peft", "bitsandbytes", "xformers"}
    found = {name.partition(".")[0] for name, _, _ in imports(path)} & engine
    assert not found, f"{path} imports {found}"


def test_every_room_is_in_the_order() -> None:
    """A new room has to take its place in the order before it can be used."""
    rooms = {room_of(path) for path in wrapper_modules()}
    assert rooms <= set(RANK)
