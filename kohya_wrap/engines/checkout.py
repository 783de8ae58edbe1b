"""sd-scripts at its pinned commit: fetched whole or not at all, verified, never edited."""

import os
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from kohya_wrap.engines.engine import Say
from kohya_wrap.engines.git import Git
from kohya_wrap.engines.locks import waiting_lock
from kohya_wrap.errors import EngineError
from kohya_wrap.paths import CachePaths, package_data

ENTRY = "train_network.py"
# No LoRA training reads these two, and they are most of the download.
PATTERNS = ("/*", "!/bitsandbytes_windows/", "!/configs/qwen3_06b/")
OWN_INSTALL = "or set engine.sd_scripts_dir to an existing sd-scripts folder"


@dataclass(frozen=True, slots=True)
class Pin:
    """Which sd-scripts is meant: `commit` in 40 hex digits."""

    repository: str
    commit: str
    version: str


def read_pin(vendor: Path | None = None) -> Pin:
    """Read vendor/sd-scripts.toml."""
    table = tomllib.loads(((vendor or package_data("vendor")) / "sd-scripts.toml").read_text(encoding="utf-8"))
    return Pin(repository=table["repository"], commit=table["commit"], version=table["version"])


def checkout_folder(pin: Pin, cache: CachePaths, vendor: Path | None = None) -> Path:
    """Give the folder that holds the checkout: vendor/sd-scripts of a clone, else one per commit in the user's cache.

    An installed package has its vendor files inside itself, where nothing is written.
    """
    home = vendor or package_data("vendor")
    ours = home / "sd-scripts"
    installed = home.parent.name == "_shipped"
    if not installed and (os.access(home, os.W_OK) or head_commit(ours) == pin.commit):
        return ours
    return cache.home / "sd-scripts" / pin.commit


def head_commit(folder: Path) -> str:
    """Give the commit that is checked out in `folder`, without starting git; empty where that cannot be told."""
    git = folder / ".git"
    with suppress(OSError, UnicodeDecodeError):
        if git.is_file():
            git = (folder / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()).resolve()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        return _resolve(git, head.removeprefix("ref: "))
    return ""


def _resolve(git: Path, ref: str) -> str:
    if (git / ref).is_file():
        return (git / ref).read_text(encoding="utf-8").strip()
    packed = git / "packed-refs"
    for line in packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else ():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return ""


def is_ready(folder: Path, pin: Pin) -> bool:
    """Whether `folder` holds the pinned commit, as far as can be seen without starting git."""
    return head_commit(folder) == pin.commit and (folder / ENTRY).is_file()


def ensure_checkout(folder: Path, pin: Pin, *, say: Say, environ: Mapping[str, str] | None = None) -> Path:
    """Have the pinned commit in `folder`: fetch it where it is not, verify it in any case.

    Safe to repeat, to interrupt and to run twice at once. A checkout of another commit is replaced if nobody has
    changed it. Raises EngineError.
    """
    variables = os.environ if environ is None else environ
    if shutil.which("git", path=variables.get("PATH")) is None:
        raise EngineError("git is not installed, and sd-scripts is fetched with it", todo=f"install git, {OWN_INSTALL}")
    git = Git(variables)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with waiting_lock(FileLock(folder.with_name(f"{folder.name}.lock")), "sd-scripts", say):
        _sweep(folder)
        if folder.exists() and git.commit(folder) == pin.commit:
            _refuse_changes(git, folder)
        else:
            _replace(git, folder, pin, say=say, url=variables.get("SD_SCRIPTS_URL") or pin.repository)
    return folder


def _replace(git: Git, folder: Path, pin: Pin, *, say: Say, url: str) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / ".git").exists():
            raise EngineError(
                "is not a git checkout, so it is not touched", where=str(folder), todo=f"move it away, {OWN_INSTALL}"
            )
        _refuse_changes(git, folder)
    say(f"Fetching sd-scripts {pin.version} ({pin.commit[:12]}) from {url}")
    fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        _fetch(git, fresh, pin, url)
        fresh.chmod(0o755)
        if folder.exists():
            folder.replace(fresh.with_suffix(".old"))
        fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(fresh.with_suffix(".old"), ignore_errors=True)


def _fetch(git: Git, fresh: Path, pin: Pin, url: str) -> None:
    git("init", "--quiet", cwd=fresh)
    git("remote", "add", "origin", url, cwd=fresh)
    git("sparse-checkout", "set", "--no-cone", *PATTERNS, cwd=fresh)
    try:
        git("fetch", "--quiet", "--depth", "1", "--filter=blob:none", "origin", pin.commit, cwd=fresh)
        git("checkout", "--quiet", "--detach", "FETCH_HEAD", cwd=fresh)
    except EngineError as error:
        raise _fetch_error(error, pin, url) from error
    if git.commit(fresh) != pin.commit or not (fresh / ENTRY).is_file():
        raise EngineError(
            f"what came is not commit {pin.commit[:12]} of sd-scripts",
            where=url,
            todo=f"check SD_SCRIPTS_URL, {OWN_INSTALL}",
        )


def _fetch_error(error: EngineError, pin: Pin, url: str) -> EngineError:
    said = error.what.lower()
    if "not our ref" in said or "couldn't find remote ref" in said or "upload-pack" in said:
        return EngineError(
            f"the repository does not have commit {pin.commit[:12]}: {error.what}",
            where=url,
            todo=f"point SD_SCRIPTS_URL to a full mirror of {pin.repository}, {OWN_INSTALL}",
        )
    return EngineError(
        f"sd-scripts could not be fetched: {error.what}",
        where=url,
        todo=f"check the network and run it again, point SD_SCRIPTS_URL to a mirror or a local clone, {OWN_INSTALL}",
    )


def _refuse_changes(git: Git, folder: Path) -> None:
    if changes := git("status", "--porcelain", cwd=folder).splitlines():
        raise EngineError(
            f"has been changed ({changes[0].strip()}{f' and {len(changes) - 1} more' if len(changes) > 1 else ''}), "
            "and a run record that names a commit would be wrong",
            where=str(folder),
            todo="undo the changes or delete the folder; to run your own version, set engine.sd_scripts_dir to it",
        )


def _sweep(folder: Path) -> None:
    """Remove what an interrupted fetch left; the caller holds the lock, so nobody is using it."""
    for pattern in (f"{folder.name}.*.part", f"{folder.name}.*.old"):
        for left in folder.parent.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)
