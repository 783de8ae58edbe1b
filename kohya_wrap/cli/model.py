"""kohya-wrap model: resolve, get, list, verify, remove, where."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.base_models import manage
from kohya_wrap.base_models.choose import describe
from kohya_wrap.base_models.hosts.host import Choice, RemoteFile, Resolved
from kohya_wrap.base_models.store import Store
from kohya_wrap.cli.download_bar import download_bar
from kohya_wrap.cli.options import Root
from kohya_wrap.cli.output import print_rows, size_text
from kohya_wrap.paths import CachePaths

model_app = typer.Typer(
    name="model", help="Find, fetch and keep base models.", no_args_is_help=True, add_completion=False
)

LinkText = Annotated[
    str,
    typer.Argument(
        help="A link of Civitai or Hugging Face, an https link, an AIR name, a hash, a repository's id, a name of "
        "setup.training_model, or a picture.",
        metavar="LINK",
    ),
]
FileId = Annotated[str, typer.Option("--file", help="Take this file (id or name) where a link has several.")]
AsVae = Annotated[bool, typer.Option("--vae", help="It is wanted as a VAE, not as a base model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Named = Annotated[str, typer.Argument(help="Name, link, or the beginning of the SHA256.", metavar="MODEL")]


@model_app.command()
def resolve(
    link: LinkText,
    file: FileId = "",
    vae: AsVae = False,  # noqa: FBT002 - a flag of the command line
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
    root: Root = None,
) -> None:
    """Print what LINK is, and fetch nothing."""
    here, cache = (root or Path()).absolute(), CachePaths.from_environment()
    if local := manage.look_at_local(link, root=here, cache=cache):
        _print_kept(local, as_json=as_json)
        return
    choice = Choice(role="VAE" if vae else "any", file=file)
    found = manage.resolve_link(link, root=here, cache=cache, choice=choice)
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2, ensure_ascii=False))
    else:
        print_rows(_rows(found))
    if found.blocked is not None:
        raise found.blocked


@model_app.command()
def get(
    link: LinkText,
    file: FileId = "",
    vae: AsVae = False,  # noqa: FBT002 - a flag of the command line
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
    root: Root = None,
) -> None:
    """Fetch LINK into the store, verified; what is there already is not fetched again."""
    here, cache = (root or Path()).absolute(), CachePaths.from_environment()
    choice = Choice(role="VAE" if vae else "any", file=file)
    with download_bar() as show:
        kept = manage.get_link(link, root=here, cache=cache, choice=choice, say=_say, on_progress=show)
    _print_kept(kept, as_json=as_json)


@model_app.command("list")
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """List what is in the store."""
    cache = CachePaths.from_environment()
    kept = manage.list_kept(cache)
    if as_json:
        typer.echo(json.dumps([_kept_json(one) for one in kept], indent=2, ensure_ascii=False))
        return
    if not kept:
        _say("the store is empty; `kohya-wrap model get LINK` fetches into it")
    for one in kept:
        typer.echo(
            f"{one.sha256[:12]:<12}  {size_text(one.size):>9}  {one.what:<22}  {one.name}  {one.source}".rstrip()
        )
    store = Store(cache)
    count, size = store.unfinished()
    if count:
        which = "1 unfinished download holds" if count == 1 else f"{count} unfinished downloads hold"
        _say(f"{which} {size_text(size)} in {store.partial}: the same `model get` goes on with it, or delete it there")


@model_app.command()
def verify() -> None:
    """Read everything in the store again and compare its hash."""
    count = manage.verify_kept(CachePaths.from_environment(), _say)
    typer.echo(f"{count} {'model' if count == 1 else 'models'}, all as fetched")


@model_app.command()
def remove(model: Named) -> None:
    """Remove MODEL from the store."""
    cache = CachePaths.from_environment()
    kept = manage.find_kept(model, root=Path().absolute(), cache=cache)
    manage.remove_kept(kept, cache)
    typer.echo(f"removed {kept.name}, {size_text(kept.size)}")


@model_app.command()
def where(
    model: Annotated[str, typer.Argument(help="Name, link or hash; empty: the store itself.", metavar="MODEL")] = "",
) -> None:
    """Print the path of MODEL, or of the store."""
    cache = CachePaths.from_environment()
    typer.echo(manage.find_kept(model, root=Path().absolute(), cache=cache).path if model else cache.models)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _print_kept(kept: manage.Kept, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_kept_json(kept), indent=2, ensure_ascii=False))
        return
    words = f"{kept.what}, {kept.precision}" if kept.precision else kept.what
    rows = [("name", kept.name), ("is", words), ("size", size_text(kept.size)), ("SHA256", kept.sha256)]
    rows += [("from", kept.source), ("pin", kept.pinned), ("path", str(kept.path))]
    print_rows([(label, text) for label, text in rows if text])


def _kept_json(kept: manage.Kept) -> dict[str, object]:
    return {**dataclasses.asdict(kept), "path": str(kept.path)}


def _rows(found: Resolved) -> list[tuple[str, str]]:
    chosen = found.chosen
    login = {True: "needed", False: "not needed", None: ""}[found.login_needed]
    rows = [("name", found.name), ("version", found.version), ("host", found.host)]
    rows += [("is", " ".join(word for word in (found.kind, found.base) if word))]
    rows += [("family", found.family if found.family != "unknown" else ""), ("file", describe(chosen))]
    rows += [(kind, digest) for kind, digest in chosen.hashes.items()]
    rows += [("licence", text) for text in found.licence] + [("login", login)]
    rows += [("note", text) for text in found.notes]
    rows += [("page", found.page), ("direct", found.direct), ("pin", found.pinned_link)]
    return [(label, text) for label, text in rows if text]


def _as_json(found: Resolved) -> dict[str, object]:
    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found) if field.name != "key"}
    return {
        **fields,
        "files": [_file_json(file) for file in found.files],
        "chosen": _file_json(found.chosen),
        "blocked": str(found.blocked) if found.blocked else None,
    }


def _file_json(file: RemoteFile) -> dict[str, object]:
    return {**dataclasses.asdict(file), "hashes": dict(file.hashes)}
