"""kohya-wrap lora install."""

import os
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.runs.find import find_run
from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.errors import BadResultError, WebUIError
from kohya_wrap.paths import CachePaths
from kohya_wrap.record import RunRecord
from kohya_wrap.results.install import ENDING, Installing
from kohya_wrap.results.install import install as install_lora
from kohya_wrap.results.webui.a1111 import lora_folder, refresh, webui_server
from kohya_wrap.studio import Studio, recorded_table

COMFYUI_FOLDER = "KOHYA_WRAP_COMFYUI_FOLDER"


def install(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    lora: Annotated[str, typer.Argument(help="A LoRA, or a run or project: its last epoch.", metavar="FILE|PROJECT")],
    to: Annotated[str, typer.Option("--to", help="A folder, or webui or comfyui.", metavar="FOLDER|webui|comfyui")],
    name: Annotated[str, typer.Option(help="Its name there (default: as it is called).")] = "",
    weight: Annotated[float, typer.Option(help="The weight it is to be used with.")] = 0.8,
    link: Annotated[bool, typer.Option("--link", help="A second name for the same file, where that can be.")] = False,  # noqa: FBT002 - a flag of the command line
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,  # noqa: FBT002 - likewise
    root: Root = None,
) -> None:
    """Bring a LoRA to a web UI, with a picture and the words that call it; prints what to paste into a prompt.

    KOHYA_WRAP_WEBUI_URL and KOHYA_WRAP_WEBUI_AUTH (user:password) say where a WebUI with --api is, and
    KOHYA_WRAP_COMFYUI_FOLDER where ComfyUI lies.
    """
    wanted = _wanted(lora, _folder(to), root, name=name, weight=weight, link=link)
    done = install_lora(wanted, dry_run=dry_run)
    for path in done.new:
        typer.echo(f"{'would write' if dry_run else 'wrote'} {path}")
    if not done.new:
        typer.echo(f"{done.target} is there already")
    if to == "webui" and not dry_run:
        refresh(webui_server(os.environ))
        typer.echo("the WebUI has looked for new LoRAs")
    typer.echo(f"paste: {done.prompt}")


def _folder(to: str) -> Path:
    """Find the folder of LoRAs. Raises OutputError, WebUIError."""
    if to == "webui":
        server = webui_server(os.environ)
        found = lora_folder(server)
        if found is None:
            raise server.error("does not tell where its LoRAs are", "give --to FOLDER")
        if not found.is_dir():
            what = f"keeps its LoRAs in {found}, which is not on this machine"
            raise server.error(what, "run this there, or give --to FOLDER")
        return found
    if to == "comfyui":
        home = os.environ.get(COMFYUI_FOLDER, "")
        if not home:
            raise WebUIError("ComfyUI does not tell where it lies", todo=f"set {COMFYUI_FOLDER}, or give --to FOLDER")
        return Path(home).expanduser() / "models" / "loras"
    return Path(to).expanduser()


def _wanted(lora: str, folder: Path, root: Path | None, *, name: str, weight: float, link: bool) -> Installing:
    path = Path(lora).expanduser()
    if path.suffix == ENDING or path.is_file():
        return Installing(path, folder, name, weight, link)
    record = find_run(lora, root)
    if not record.loras:
        raise BadResultError("the run left no LoRA", where=record.id, todo="name another run, or a file")
    last = max(record.loras, key=lambda each: each.epoch)
    studio = Studio(record, recorded_table(record, "samples", SamplesConfig), CachePaths.from_environment())
    return Installing(
        Path(last.path),
        folder,
        name,
        weight,
        link,
        activation=studio.activation_tag,
        preview=_preview(record, weight) or studio.training_picture,
        notes=f"{record.project}, epoch {last.epoch}, trained on {Path(record.base_model.path).stem}",
    )


def _preview(record: RunRecord, weight: float) -> Path | None:
    """Give the test picture of the last epoch whose weight is nearest to the one it is to be used with."""
    drawn = [each for each in record.samples.pictures if each.weight and Path(each.path).is_file()]
    newest = max((each.epoch for each in drawn), default=0)
    near = sorted((abs(each.weight - weight), each.path) for each in drawn if each.epoch == newest)
    return Path(near[0][1]) if near else None
