"""Civitai: ask its API what is behind a link, choose a file, and get the signed address that leads to the bytes."""

from dataclasses import dataclass
from itertools import chain

from kohya_wrap.base_models.access import Access, Secret
from kohya_wrap.base_models.choose import choose, describe
from kohya_wrap.base_models.errors import (
    ArchivedError,
    NotFoundError,
    PickleRefusedError,
)
from kohya_wrap.base_models.hosts.civitai_api import Mini, Model, Named, Version, read
from kohya_wrap.base_models.hosts.civitai_download import download_address, downloads_disabled, signed_address
from kohya_wrap.base_models.hosts.civitai_link import CivitaiName, read_civitai
from kohya_wrap.base_models.hosts.host import Choice, Link, RemoteFile, Resolved, Source, WebSource
from kohya_wrap.base_models.web import get_json
from kohya_wrap.errors import BaseModelError

_FAMILIES = (("SD 1", "sd15"), ("SD 2", "sd2"), ("SDXL", "sdxl"), ("Pony", "sdxl"), ("Illustrious", "sdxl"))


@dataclass(frozen=True, slots=True)
class CivitaiLink:
    """A link to a model on Civitai."""

    named: CivitaiName

    @property
    def host(self) -> str:
        """The host's name."""
        return "civitai"

    @property
    def shown(self) -> str:
        """One spelling for each thing, without the token."""
        return self.named.shown

    @property
    def name(self) -> str:
        """A name for messages."""
        return self.named.shown.removeprefix("https://")

    @property
    def sha256(self) -> str:
        """The hash, when the link is a whole SHA256."""
        return self.named.hash if len(self.named.hash) == 64 else ""

    @property
    def sha256_start(self) -> str:
        """A hash of ten digits (AutoV2, a web UI's "Model hash") is the beginning of the SHA256."""
        return self.named.hash if len(self.named.hash) in {10, 64} else ""

    @property
    def is_exact(self) -> bool:
        """Nothing but a token is hidden."""
        return True

    def resolve(self, access: Access, choice: Choice) -> Resolved:
        """Ask Civitai; the host that the link names is asked first, and the other when that one does not know it."""
        token = self.named.token or access.civitai_token
        site, version, model, notes = _find(self.named, access, token)
        files = tuple(file.as_remote() for file in version.files)
        about = model or version.model
        blocked = _blocked(version, about, self.shown)
        if blocked is None or files:
            chosen = choose(_wished(files, self.named), _with_file(choice, files, self.named), where=self.shown)
        else:
            chosen = RemoteFile("")
        model_id = str(version.model_id or self.named.model)
        pinned = CivitaiName(model_id, str(version.id), chosen.id, red=site != access.civitai)
        if choice.details and model is None and version.model_id:
            model = _ask_model(site, str(version.model_id), access, token)
        return Resolved(
            source=self.shown,
            host=self.host,
            name=about.name,
            version=version.name,
            kind=about.type,
            base=version.base_model,
            family=family_of(version.base_model),
            files=files,
            chosen=chosen,
            page=f"{site}/models/{model_id}?modelVersionId={version.id}",
            direct=download_address(site, str(version.id), chosen.id),
            pinned_link=pinned.shown,
            login_needed=_login_needed(site, version, access, token) if choice.details else None,
            notes=(*notes, *_notes(files, chosen, version)),
            licence=model.permissions() if model else (),
            blocked=blocked or _dangerous(version, chosen, self.shown),
        )

    def source(self, resolved: Resolved, access: Access) -> Source:
        """Ask Civitai for the signed address of its storage; the token stays with Civitai."""
        token = self.named.token or access.civitai_token
        address = signed_address(resolved.direct, token=token, access=access)
        if address == resolved.direct:  # a mirror that serves the bytes itself
            headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
            return WebSource(lambda: resolved.direct, headers)
        fresh = chain([address], iter(lambda: signed_address(resolved.direct, token=token, access=access), None))
        return WebSource(lambda: next(fresh))


class Civitai:
    """The host."""

    name = "civitai"

    def read(self, text: str) -> Link | None:
        """Understand a link to a model on Civitai, an AIR name, or a bare hash."""
        named = read_civitai(text)
        return CivitaiLink(named) if named else None


def family_of(base: str) -> str:
    """Give the family that a baseModel of Civitai ("SD 1.5", "Pony", …) belongs to, or "unknown"."""
    if base in {"Pony V7"}:
        return "unknown"
    names = (*_FAMILIES, ("NoobAI", "sdxl"))
    return next((family for start, family in names if base.startswith(start)), "unknown")


def _find(named: CivitaiName, access: Access, token: Secret) -> tuple[str, Version, Model | None, tuple[str, ...]]:
    sites = [access.civitai_red, access.civitai] if named.red else [access.civitai, access.civitai_red]
    for site in dict.fromkeys(sites):
        try:
            return (site, *_ask(site, named, access, token))
        except NotFoundError:
            continue
    what = f"neither civitai.com nor civitai.red knows {named.shown}"
    todo = "open the link in a browser: it may have been removed, or need a login; a hash must be of a published file"
    raise NotFoundError(what, where=named.shown, todo=todo)


def _ask(site: str, named: CivitaiName, access: Access, token: Secret) -> tuple[Version, Model | None, tuple[str, ...]]:
    if named.hash or named.version:
        path = f"by-hash/{named.hash}" if named.hash else named.version
        answer = get_json(f"{site}/api/v1/model-versions/{path}", token=token, access=access)
        return read(Version, answer, where=named.shown), None, ()
    model = _ask_model(site, named.model, access, token)
    if not model.model_versions:
        if model.mode:
            empty = Version(id=0, model_id=model.id, model=Named(name=model.name, type=model.type, mode=model.mode))
            return empty, model, ()
        raise NotFoundError(f"{model.name} has no published version", where=named.shown, todo="give another link")
    version = _newest(model)
    return version.model_copy(update={"model_id": model.id}), model, (_say_newest(version, model),)


def _ask_model(site: str, model: str, access: Access, token: Secret) -> Model:
    return read(Model, get_json(f"{site}/api/v1/models/{model}", token=token, access=access), where=site)


def _newest(model: Model) -> Version:
    dated = [(version.published_at, version) for version in model.model_versions if version.published_at]
    return max(dated, key=lambda pair: pair[0])[1] if dated else model.model_versions[0]


def _say_newest(version: Version, model: Model) -> str:
    others = len(model.model_versions) - 1
    date = f", published {version.published_at:%Y-%m-%d}" if version.published_at else ""
    more = f" ({others} older {'one is' if others == 1 else 'ones are'} there)" if others else ""
    return f"the link names no version: the newest published one is taken, {version.name}{date}{more}"


def _wished(files: tuple[RemoteFile, ...], named: CivitaiName) -> tuple[RemoteFile, ...]:
    """Keep the files that fit the type, format, size and fp of a download link; all of them when none does."""
    wishes = {key: value.lower() for key, value in named.wishes}

    def fits(file: RemoteFile) -> bool:
        is_now = {
            "type": file.kind.lower(),
            "format": {"safetensors": "safetensor", "pickle": "pickletensor"}.get(file.format, file.format.lower()),
            "size": {True: "pruned", False: "full", None: ""}[file.pruned],
            "fp": file.precision,
        }
        return all(is_now[key] in {value, ""} for key, value in wishes.items())

    return tuple(file for file in files if fits(file)) or files


def _with_file(choice: Choice, files: tuple[RemoteFile, ...], named: CivitaiName) -> Choice:
    """A file that the link names by id or hash is taken, unless the caller chose another."""
    hashed = (file.id for file in files if named.hash and named.hash in file.hashes.values())
    return Choice(choice.role, choice.file or named.file or next(hashed, ""), choice.details)


def _notes(files: tuple[RemoteFile, ...], chosen: RemoteFile, version: Version) -> tuple[str, ...]:
    notes = []
    if len(files) > 1:
        others = "; ".join(f"{file.id} {describe(file)}" for file in files if file is not chosen)
        notes.append(f"of {len(files)} files {describe(chosen)} is taken; the others: {others}")
    if chosen.name and not chosen.sha256:
        notes.append("Civitai gives no SHA256 for this file")
    if version.early_access_ends_at:
        notes.append(f"in early access until {version.early_access_ends_at:%Y-%m-%d}")
    return tuple(notes)


def _blocked(version: Version, about: Model | Named, where: str) -> BaseModelError | None:
    if about.mode in {"Archived", "TakenDown"}:
        how = "archived by its creator" if about.mode == "Archived" else "taken down"
        what = f"{about.name} was {how}: its files are gone"
        return ArchivedError(what, where=where, todo="give another model, or the file if you have it")
    if version.usage_control not in {"", "Download"}:
        return downloads_disabled(where)
    return None


def _dangerous(version: Version, chosen: RemoteFile, where: str) -> PickleRefusedError | None:
    file = next((file for file in version.files if str(file.id) == chosen.id), None)
    if file is None or "Danger" not in {file.pickle_scan_result, file.virus_scan_result}:
        return None
    return PickleRefusedError(f"Civitai's scan calls {file.name} dangerous", where=where, todo="give another file")


def _login_needed(site: str, version: Version, access: Access, token: Secret) -> bool | None:
    try:
        answer = get_json(f"{site}/api/v1/model-versions/mini/{version.id}", token=token, access=access)
    except BaseModelError:
        return None
    return read(Mini, answer, where=site).require_auth
