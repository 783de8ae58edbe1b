"""kohya-wrap lora install."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.output import print_rows, print_warnings
from kohya_wrap.cli.runs.find import all_records, find_run
from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.errors import BadResultError, OutputError, Problem, WebUIError
from kohya_wrap.files import sha256_file
from kohya_wrap.paths import CachePaths
from kohya_wrap.record import RunRecord
from kohya_wrap.results.install import ENDING, Installed, Installing
from kohya_wrap.results.install import install as install_lora
from kohya_wrap.results.webui import a1111, comfyui
from kohya_wrap.studio import Studio

COMFYUI_FOLDER = "KOHYA_WRAP_COMFYUI_FOLDER"
LORA_FOLDERS = ("Lora", "loras")
"""Where a WebUI and ComfyUI look for LoRAs, below models/; neither would find one that lies above."""


def install(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    lora: Annotated[
        str, typer.Argument(help="A LoRA, or a run or project: its last epoch.", metavar="FILE|RUN|PROJECT")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="A folder of LoRAs, a web UI's own, or webui or comfyui.", metavar="FOLDER|webui|comfyui"
        ),
    ],
    name: Annotated[str, typer.Option(help="Its name there (default: as it is called).")] = "",
    weight: Annotated[float, typer.Option(help="The weight it is to be used with.")] = 0.8,
    link: Annotated[bool, typer.Option("--link", help="No copy: a link, which needs no room.")] = False,  # noqa: FBT002 - a flag of the command line
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,  # noqa: FBT002 - likewise
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - likewise
    root: Root = None,
) -> None:
    """Bring a LoRA to a web UI, with a picture and the words that call it; prints what to paste into a prompt.

    KOHYA_WRAP_WEBUI_URL and KOHYA_WRAP_WEBUI_AUTH (user:password) say where a WebUI with --api is, and
    KOHYA_WRAP_COMFYUI_FOLDER where ComfyUI lies.
    """
    wanted = _wanted(lora, _folder(to), root, name=name, weight=weight, link=link)
    if to == a1111.KIND:
        _check_name(wanted)
    done = install_lora(wanted, dry_run=dry_run)
    told, problem = ("", None) if dry_run else _tell(to, done)
    print_warnings([problem] if problem else [])
    if as_json:
        new = [str(path) for path in done.new]
        said = {"lora": str(done.target), "new": new, "activation": done.activation, "tag": done.tag}
        typer.echo(json.dumps({**said, "dry_run": dry_run, "told": told}, indent=2))
        return
    verb = "would write" if dry_run else "wrote"
    rows = [(verb, str(path)) for path in done.new] or [("is there", str(done.target))]
    print_rows([*rows, *([("told", told)] if told else []), _paste(to, done, weight)])


def _paste(to: str, done: Installed, weight: float) -> tuple[str, str]:
    if to == comfyui.KIND:
        words = f'; in the prompt: "{done.activation}"' if done.activation else ""
        return "LoraLoader", f"{done.target.name}, strength {weight:g}{words}"
    return "paste", done.prompt


def _folder(to: str) -> Path:
    """Find the folder of LoRAs. Raises OutputError, WebUIError."""
    if to == a1111.KIND:
        server = a1111.webui_server(os.environ)
        found = a1111.lora_folder(server)
        if found is None:
            raise server.error("does not tell where its LoRAs are", "give --to FOLDER")
        if not found.is_dir():
            what = f"keeps its LoRAs in {found}, which is not on this machine"
            raise server.error(what, "run this there, or give --to FOLDER")
        return found
    if to == comfyui.KIND:
        home = os.environ.get(COMFYUI_FOLDER, "").strip()
        if not home:
            raise WebUIError("ComfyUI does not tell where it lies", todo=f"set {COMFYUI_FOLDER}, or give --to FOLDER")
        return Path(home).expanduser() / "models" / "loras"
    given = Path(to).expanduser()
    own = (given / "models" / name for name in LORA_FOLDERS)
    return next((folder for folder in own if folder.is_dir()), given)


def _check_name(wanted: Installing) -> None:
    """See that no LoRA in another folder of the WebUI has the name: a prompt would call either. Raises OutputError."""
    known = a1111.installed(a1111.webui_server(os.environ))
    other = known.get(wanted.target.stem)
    if other is not None and other.resolve() != wanted.target.resolve():
        what = f"the WebUI has another LoRA of the name {wanted.target.stem}"
        raise OutputError(what, where=str(other), todo="give --name ANOTHER")


def _tell(to: str, done: Installed) -> tuple[str, Problem | None]:
    """Have a running server look for new LoRAs; give who was told, and what is wrong with that."""
    name = done.target.stem
    try:
        if to == a1111.KIND or (to != comfyui.KIND and os.environ.get(a1111.ADDRESS_VARIABLE)):
            server = a1111.webui_server(os.environ)
            a1111.refresh(server)
            seen = name in a1111.installed(server)
        elif to == comfyui.KIND:
            server = comfyui.comfyui_server(os.environ)
            seen = any(Path(each.replace("\\", "/")).stem == name for each in comfyui.installed(server))
        else:
            return "", None
    except WebUIError as error:
        return "", Problem(error.where, f"it is installed, but {error.what}", "a server that is started finds it")
    if not seen:
        what = f"{server.title} does not list {name}"
        return "", Problem(server.address, what, f"see that {done.target.parent} is a folder of its LoRAs")
    return f"{server.title} at {server.address}", None


def _wanted(lora: str, folder: Path, root: Path | None, *, name: str, weight: float, link: bool) -> Installing:
    path = Path(lora).expanduser()
    if path.suffix == ENDING or path.is_file():
        return Installing(path, folder, name, weight, link)
    record = _record(lora, root)
    last = max(record.loras, key=lambda each: each.epoch)
    source, base = Path(last.path), record.base_model
    if source.is_file() and sha256_file(source) != last.sha256:
        raise BadResultError(
            "is no longer what the run left", where=last.path, todo="give the file itself, if it is right"
        )
    studio = Studio(record, SamplesConfig(), CachePaths.from_environment())
    trained_on = f"trained on {Path(base.path).stem}{f' ({base.sha256[:10]})' if base.sha256 else ''}"
    return Installing(
        source,
        folder,
        name,
        weight,
        link,
        activation=studio.activation_tag,
        preview=_preview(record, last.epoch, weight) or studio.training_picture,
        description=f"{record.project}: epoch {last.epoch}, {last.steps} steps, {trained_on}",
        notes=f"kohya_wrap run {record.id}; SHA256 {last.sha256}; AutoV3 {last.tensors_sha256[:12]}",
    )


def _record(run: str, root: Path | None) -> RunRecord:
    """Find a run: of a project the newest that left a LoRA. Raises OutputError, BadResultError."""
    mine = [each for _, each in all_records(root) if isinstance(each, RunRecord) and each.project == run and each.loras]
    record = mine[-1] if mine else find_run(run, root)
    if not record.loras:
        raise BadResultError("the run left no LoRA", where=record.id, todo="name another run, or a file")
    return record


def _preview(record: RunRecord, epoch: int, weight: float) -> Path | None:
    """Give the epoch's test picture whose weight is nearest to the one it is to be used with, else a grid."""
    drawn = [each for each in record.samples.pictures if each.epoch == epoch and each.weight and _there(each.path)]
    if drawn:
        return Path(min(drawn, key=lambda each: (abs(each.weight - weight), each.prompt)).path)
    return next((Path(path) for path in record.samples.grids if _there(path)), None)


def _there(path: str) -> bool:
    return Path(path).is_file()
