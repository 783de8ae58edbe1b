"""Shared by the tests of the config room: configs from tables, and their problems by place."""

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.rules import check
from kohya_wrap.errors import Problem


def config_of(tables: dict[str, dict[str, object]] | None = None) -> TrainConfig:
    given = {name: dict(table) for name, table in (tables or {}).items()}
    given.setdefault("setup", {}).setdefault("project_name", "test")
    return TrainConfig.model_validate(given)


def problems_of(tables: dict[str, dict[str, object]], where: str) -> list[Problem]:
    return [problem for problem in check(config_of(tables)) if problem.where == where]
