"""kohya-wrap png-info: how a picture was made."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kohya_wrap.cli.output import print_rows, printable
from kohya_wrap.errors import DatasetError, Problem
from kohya_wrap.results.parameters import Parameters, Resource, parse_text, read_parameters


def png_info(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Pictures (PNG, JPEG, WebP, AVIF, GIF) or text files; - reads pasted text.", metavar="FILE…"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show prompt, negative prompt, settings, model and LoRAs that pictures were made with."""
    found: list[tuple[str, Parameters]] = []
    problems: list[Problem] = []
    for file in files:
        try:
            found.append((file, _read(file)))
        except DatasetError as error:
            problems += error.problems
    if as_json:
        # ASCII: a half surrogate pair, which JSON in a picture can hold, cannot be written as UTF-8.
        typer.echo(json.dumps([_json(file, parameters) for file, parameters in found], indent=2, allow_nan=False))
    else:
        for index, (file, parameters) in enumerate(found):
            _print(file, parameters, first=index == 0)
    if problems:
        raise DatasetError.of(problems)


def _read(file: str) -> Parameters:
    if file != "-":
        return read_parameters(Path(file))
    parameters = parse_text(sys.stdin.read(), carrier="pasted text")
    if not parameters.raw.strip():
        raise DatasetError("holds no generation parameters", where="pasted text", todo="paste a prompt, then Ctrl-D")
    return parameters


def _print(file: str, parameters: Parameters, *, first: bool) -> None:
    typer.echo("" if first else "\n", nl=False)
    rows = [("picture", file), ("from", f"{parameters.source} ({parameters.carrier})")]
    rows += _text_rows("prompt", parameters.prompt) + _text_rows("negative", parameters.negative_prompt)
    for index, (key, value) in enumerate(parameters.settings.items()):
        rows += [("settings" if index == 0 else "", f"{key}: {value}")]
    rows += [(resource.kind, _resource_text(resource)) for resource in parameters.resources]
    print_rows([(label, printable(text)) for label, text in rows])


def _text_rows(label: str, text: str) -> list[tuple[str, str]]:
    return [(label if index == 0 else "", line) for index, line in enumerate(text.split("\n"))] if text else []


def _resource_text(resource: Resource) -> str:
    parts = [resource.name or "(no name)"]
    parts += [f"weight {resource.weight:g}"] if resource.weight is not None else []
    parts += [f"hash {resource.hash}"] if resource.hash else []
    parts += [f"Civitai version {resource.version_id}"] if resource.version_id else []
    return "  ".join(parts)


def _json(file: str, parameters: Parameters) -> dict[str, Any]:
    return {
        "file": file,
        "source": parameters.source,
        "carrier": parameters.carrier,
        "prompt": parameters.prompt,
        "negative_prompt": parameters.negative_prompt,
        "settings": dict(parameters.settings),
        "model": _resource_json(parameters.model) if parameters.model else None,
        "vae": _resource_json(parameters.vae) if parameters.vae else None,
        "loras": [_resource_json(resource) for resource in parameters.loras],
        "embeddings": [_resource_json(resource) for resource in parameters.embeddings],
        "other": [
            {"kind": resource.kind, **_resource_json(resource)}
            for resource in parameters.resources
            if resource.kind in {"hypernetwork", "upscaler", "other"}
        ],
        "raw": parameters.raw,
    }


def _resource_json(resource: Resource) -> dict[str, Any]:
    return {
        "name": resource.name,
        "hash": resource.hash,
        "weight": resource.weight,
        "civitai_version_id": resource.version_id or None,
    }
