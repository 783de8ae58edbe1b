"""Write options.json from an sd-scripts checkout: `python -m kohya_wrap.sd_scripts.generate_options CHECKOUT`.

The scripts are read with ast, never imported: no torch is needed, and nothing of the engine runs. Followed are the
add_argument calls of each script's setup_parser and of the functions it calls. Help texts are not copied.
"""

import ast
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = ("train_network.py", "sdxl_train_network.py")
OPTIONS_FILE = Path(__file__).with_name("options.json")

Option = dict[str, object]
Bindings = Mapping[str, bool]


class UnreadableParserError(ValueError):
    """The checkout declares an option in a way that this reader does not know."""


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed source file: its functions, and where the names it imports come from."""

    functions: Mapping[str, ast.FunctionDef]
    imports: Mapping[str, str]


class Reader:
    """Reads the options of a checkout's scripts; modules are parsed once."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._modules: dict[str, Module] = {}

    def options(self, script: str) -> list[Option]:
        """List the options of one script in the order of its parser. Raises UnreadableParserError."""
        return list(self._function(script, "setup_parser", {}))

    def _module(self, path: str) -> Module:
        if path not in self._modules:
            with warnings.catch_warnings():
                # Python warns of odd escapes in the engine's strings, which are none of ours.
                warnings.simplefilter("ignore", DeprecationWarning)
                warnings.simplefilter("ignore", SyntaxWarning)
                tree = ast.parse((self._checkout / path).read_text(encoding="utf-8"))
            functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
            self._modules[path] = Module(functions, dict(self._imports(tree)))
        return self._modules[path]

    def _imports(self, tree: ast.Module) -> Iterator[tuple[str, str]]:
        """Pair each name imported from the checkout with "file.py" or "file.py:name"."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.asname or alias.name, alias.name.replace(".", "/") + ".py"
            elif isinstance(node, ast.ImportFrom) and node.module:
                folder = node.module.replace(".", "/")
                for alias in node.names:
                    inside = f"{folder}/{alias.name}.py"
                    found = inside if (self._checkout / inside).is_file() else f"{folder}.py:{alias.name}"
                    yield alias.asname or alias.name, found

    def _function(self, path: str, name: str, bindings: Bindings) -> Iterator[Option]:
        function = self._module(path).functions.get(name)
        if function is None:
            raise UnreadableParserError(f"{path}: no function {name}")
        yield from self._body(path, function.body, _with_defaults(function, bindings))

    def _body(self, path: str, body: list[ast.stmt], bindings: Bindings) -> Iterator[Option]:
        for statement in body:
            if isinstance(statement, ast.If):
                yield from self._body(path, _branch(path, statement, bindings), bindings)
            elif isinstance(statement, ast.Expr | ast.Assign) and isinstance(statement.value, ast.Call):
                yield from self._call(path, statement.value)

    def _call(self, path: str, call: ast.Call) -> Iterator[Option]:
        called = ast.unparse(call.func)
        if called.endswith(".add_argument"):
            yield _option(path, call)
            return
        head, _, tail = called.partition(".")
        module = self._module(path)
        target = module.imports.get(head, "")
        if not tail and called in module.functions:
            yield from self._function(path, called, self._arguments(path, called, call))
        elif tail and (self._checkout / target).is_file():
            yield from self._function(target, tail, self._arguments(target, tail, call))
        elif not tail and ":" in target:
            file, _, name = target.partition(":")
            if (self._checkout / file).is_file():
                yield from self._function(file, name, self._arguments(file, name, call))

    def _arguments(self, path: str, name: str, call: ast.Call) -> Bindings:
        function = self._module(path).functions.get(name)
        names = [argument.arg for argument in function.args.args] if function else []
        given = list(zip(names, call.args, strict=False))
        given += [(keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg]
        return {key: bool(value.value) for key, value in given if isinstance(value, ast.Constant)}


def _with_defaults(function: ast.FunctionDef, bindings: Bindings) -> Bindings:
    defaults = function.args.defaults
    names = [argument.arg for argument in function.args.args][len(function.args.args) - len(defaults) :]
    known = {n: bool(d.value) for n, d in zip(names, defaults, strict=True) if isinstance(d, ast.Constant)}
    return known | dict(bindings)


def _branch(path: str, statement: ast.If, bindings: Bindings) -> list[ast.stmt]:
    if isinstance(statement.test, ast.Name) and statement.test.id in bindings:
        return statement.body if bindings[statement.test.id] else statement.orelse
    raise UnreadableParserError(f"{path}:{statement.lineno}: a condition that cannot be read")


def _option(path: str, call: ast.Call) -> Option:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    flags = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    long = [str(flag) for flag in flags if str(flag).startswith("--")]
    if len(long) != 1 or len(flags) != len(call.args):
        raise UnreadableParserError(f"{path}:{call.lineno}: an option without one plain --name")
    action = _constant(path, keywords.get("action"), "store")
    kind = ast.unparse(keywords["type"]).rpartition(".")[2] if "type" in keywords else "str"
    default = _constant(path, keywords.get("default"), False if action == "store_true" else None)
    return {
        "name": long[0].removeprefix("--").replace("-", "_"),
        "type": "bool" if action == "store_true" else kind,
        "action": action,
        "nargs": _constant(path, keywords.get("nargs"), None),
        "default": default,
        "choices": _constant(path, keywords.get("choices"), None),
    }


def _constant(path: str, node: ast.expr | None, default: object) -> object:
    if node is None:
        return default
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise UnreadableParserError(f"{path}:{node.lineno}: not a plain value: {ast.unparse(node)}") from error


def read_options(checkout: Path) -> list[Option]:
    """List every option once, with the scripts that take it. Raises UnreadableParserError."""
    reader = Reader(checkout)
    merged: dict[str, Option] = {}
    for script in SCRIPTS:
        for option in reader.options(script):
            known = merged.setdefault(str(option["name"]), option | {"scripts": []})
            scripts = known["scripts"]
            if isinstance(scripts, list):
                scripts.append(script)
    return list(merged.values())


def render(checkout: Path) -> str:
    """Give the text of options.json: one option a line, so that a new pin shows as a readable diff."""
    head = ("git", "-C", str(checkout), "rev-parse", "HEAD")
    commit = subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()
    lines = ",\n".join("    " + json.dumps(option) for option in read_options(checkout))
    return f'{{\n  "commit": "{commit}",\n  "options": [\n{lines}\n  ]\n}}\n'


def main(arguments: list[str]) -> int:
    """Write options.json; the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m kohya_wrap.sd_scripts.generate_options CHECKOUT\n")
        return 2
    text = render(Path(arguments[0]))
    temporary = OPTIONS_FILE.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(OPTIONS_FILE)
    count = text.count('"name"')
    sys.stdout.write(f"{OPTIONS_FILE.name}: {count} options\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
