"""Checkout, environment and command of each engine. To add one: its file, one line in ENGINES, its test."""

from collections.abc import Callable

from kohya_wrap.config import EngineConfig
from kohya_wrap.engines.embedded_engine import EmbeddedEngine
from kohya_wrap.engines.engine import Engine, EngineStatus
from kohya_wrap.engines.sd_scripts_engine import SdScriptsEngine
from kohya_wrap.paths import CachePaths

ENGINES: dict[str, Callable[[EngineConfig, CachePaths], Engine]] = {
    SdScriptsEngine.name: SdScriptsEngine,
    EmbeddedEngine.name: EmbeddedEngine,
}


def get_engine(config: EngineConfig, cache: CachePaths) -> Engine:
    """Make the engine that the preset names."""
    return ENGINES[config.name](config, cache)


__all__ = ["ENGINES", "Engine", "EngineStatus", "get_engine"]
