"""Pin a preset to the exact file that its link leads to today: version, file and SHA256, written into the preset."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.errors import NotAModelError
from kohya_wrap.base_models.fetch import fetch
from kohya_wrap.base_models.hosts import read_link
from kohya_wrap.base_models.hosts.host import Choice
from kohya_wrap.base_models.local import local_path
from kohya_wrap.base_models.manage import link_of
from kohya_wrap.base_models.named import NAMED, TINY_RANDOM
from kohya_wrap.base_models.picture import is_picture
from kohya_wrap.base_models.store import Store
from kohya_wrap.config import SetupConfig
from kohya_wrap.files import write_whole
from kohya_wrap.paths import CachePaths


@dataclass(frozen=True, slots=True)
class Pin:
    """What is written into [setup]: a hash (none for a folder), an exact link (None: it stays), one of the VAE."""

    sha256: str
    link: str | None = None
    vae: str | None = None
    notes: tuple[str, ...] = ()

    def fields(self) -> dict[str, str]:
        """Give the keys of [setup] that change."""
        pairs = {"optional_custom_training_model_url": self.link, "base_model_sha256": self.sha256, "vae": self.vae}
        return {key: value for key, value in pairs.items() if value}

    @property
    def drops_hash(self) -> bool:
        """Whether a hash that the preset states must go: a folder has none."""
        return not self.sha256


def find_pin(setup: SetupConfig, *, root: Path, cache: CachePaths, say: Callable[[str], None]) -> Pin:
    """Ask what the preset's link leads to today; a file is fetched only where its host gives no SHA256."""
    vae = _exact(setup.vae, "VAE", root, cache) if setup.vae else None
    text = setup.optional_custom_training_model_url
    if not text and setup.training_model == TINY_RANDOM:
        raise NotAModelError("the toy base has no file to pin", where="setup.training_model", todo="leave it as it is")
    named = NAMED[setup.training_model]
    if not text and named.sha256:
        return Pin(named.sha256, vae=vae)
    path = local_path(text, root) if text else None
    if path is not None and not is_picture(path):
        return Pin(_hash_of(path, cache), vae=vae)
    link, access = link_of(text or named.link, root=root), Access.from_environment(cache)
    resolved = link.resolve(access, Choice())
    if resolved.blocked is not None:
        raise resolved.blocked
    sha256 = resolved.chosen.sha256
    if not sha256 and resolved.chosen.format != "diffusers":
        say(f"{resolved.host} gives no SHA256 for {resolved.chosen.name}: it is fetched to find out")
        sha256 = Store(cache).remembered_sha256(fetch(link, resolved, access))
    exact = resolved.pinned_link if text and link.is_exact else None  # else the link holds what may not be written down
    return Pin(sha256, exact, vae, resolved.notes)


def write_pin(preset: Path, pin: Pin) -> None:
    """Write `pin` into [setup] of the TOML file `preset`; its comments and its order stay. Raises OutputError."""
    import tomlkit  # noqa: PLC0415 - slow to import, and only this verb edits presets

    document = tomlkit.parse(preset.read_text(encoding="utf-8"))
    if "setup" not in document:
        document["setup"] = tomlkit.table()
    table = document["setup"]
    if not isinstance(table, tomlkit.items.Table):
        raise NotAModelError("setup is not a table", where=str(preset), todo="write it as [setup]")
    for key, value in pin.fields().items():
        table[key] = value
    if pin.drops_hash:
        table.pop("base_model_sha256", None)
    write_whole(preset, tomlkit.dumps(document))


def _exact(text: str, role: str, root: Path, cache: CachePaths) -> str | None:
    if local_path(text, root) is not None:
        return None
    return read_link(text).resolve(Access.from_environment(cache), Choice(role=role)).pinned_link


def _hash_of(path: Path, cache: CachePaths) -> str:
    if path.is_file():
        return Store(cache).remembered_sha256(path)
    what = "a folder has no hash to pin" if path.is_dir() else "there is no such file"
    raise NotAModelError(what, where=str(path), todo="give a link or a .safetensors file")
