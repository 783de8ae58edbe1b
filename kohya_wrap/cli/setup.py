"""kohya-wrap setup: fetch sd-scripts, build the engine's environment."""

from typing import Annotated, Literal

import typer

from kohya_wrap.config import EngineConfig
from kohya_wrap.engines import get_engine
from kohya_wrap.paths import CachePaths

EngineName = Annotated[
    Literal["sd-scripts", "embedded"],
    typer.Option("--engine", help="Which engine to set up (both share one environment)."),
]


def setup(engine: EngineName = "sd-scripts") -> None:
    """Fetch sd-scripts at its pinned commit and build the environment it runs in. Safe to repeat."""
    ready = get_engine(EngineConfig(name=engine), CachePaths.from_environment()).setup(typer.echo)
    typer.echo(f"{engine} is ready: commit {ready.commit[:12]}, {ready.python}")
