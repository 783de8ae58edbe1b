"""The docstrings of a table's fields, read from its source when somebody asks for them.

pydantic can do this when a class is made; that costs every start of the program a sixth of its time.
"""

import ast
import inspect
from functools import cache

from kohya_wrap.config.base import Table


@cache
def field_docs(table: type[Table]) -> dict[str, str]:
    """Give each field's docstring on one line, by field name."""
    body = ast.parse(inspect.getsource(table)).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - the source of a class
    docs: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[statement.target.id] = " ".join(str(following.value.value).split())
    return docs


def table_types(config: type[Table]) -> dict[str, type[Table]]:
    """Give the tables of a config that have fields of their own, by name, in the order of the notebook."""
    found = {name: info.annotation for name, info in config.model_fields.items()}
    return {name: kind for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, Table)}
