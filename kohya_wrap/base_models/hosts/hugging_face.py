"""Hugging Face: a file, a folder or a repository, through huggingface_hub."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.choose import choose, describe
from kohya_wrap.base_models.errors import GatedRepositoryError, NotFoundError
from kohya_wrap.base_models.hosts.host import (
    Choice,
    HubSource,
    Link,
    OnProgress,
    RemoteFile,
    Resolved,
    Source,
)
from kohya_wrap.base_models.hosts.hub import (
    Repo,
    RepoFile,
    ask_file,
    ask_repo,
    fetch_file,
    fetch_files,
    file_source,
)
from kohya_wrap.base_models.hosts.hub_errors import WHERE_TOKENS_ARE_MADE
from kohya_wrap.base_models.hosts.hugging_face_link import HuggingFaceName, read_hugging_face
from kohya_wrap.base_models.hosts.repo_files import as_folder, as_remote, diffusers_files, single_files
from kohya_wrap.errors import BaseModelError


@dataclass(frozen=True, slots=True)
class HuggingFaceLink:
    """A link to something on Hugging Face."""

    named: HuggingFaceName

    @property
    def host(self) -> str:
        """The host's name."""
        return "huggingface"

    @property
    def shown(self) -> str:
        """The link in one spelling."""
        return self.named.shown

    @property
    def name(self) -> str:
        """The file's or the repository's name."""
        return self.named.file_name

    @property
    def sha256(self) -> str:
        """A link of Hugging Face never says it."""
        return ""

    @property
    def sha256_start(self) -> str:
        """Nor a part of it."""
        return ""

    @property
    def is_exact(self) -> bool:
        """Nothing but a token is hidden."""
        return True

    def resolve(self, access: Access, choice: Choice) -> Resolved:
        """Ask for one file with one request, for a repository with its list of files."""
        if self.named.is_file and not choice.details:
            file, commit = ask_file(self.named, access)
            remote = as_remote(file)
            return self._resolved((remote,), remote, commit, choice)
        repo = ask_repo(self.named, access)
        files = self._files(repo, choice)
        chosen = _chosen(files, choice, self.shown)
        notes: tuple[str, ...] = ()
        if len(files) > 1:
            others = "; ".join(describe(file) for file in files if file is not chosen)
            notes = (f"of {len(files)} files {describe(chosen)} is taken; the others: {others}",)
        licence = (repo.licence,) if repo.licence else ()
        resolved = self._resolved(files, chosen, repo.commit, choice)
        return dataclasses.replace(
            resolved, notes=notes, licence=licence, login_needed=repo.gated, blocked=_blocked(repo, access)
        )

    def _files(self, repo: Repo, choice: Choice) -> tuple[RemoteFile, ...]:
        if self.named.is_file:
            found = tuple(as_remote(file) for file in repo.files if file.path == self.named.path)
            if not found:
                raise NotFoundError(f"{self.named.repo} has no {self.named.path}", where=self.shown)
            return found
        folder = diffusers_files(repo, self.named.path, role=choice.role)
        singles = single_files(repo, self.named.path, role=choice.role)
        return ((as_folder(repo, folder, self.named.path),) if folder else ()) + singles

    def _resolved(self, files: tuple[RemoteFile, ...], chosen: RemoteFile, commit: str, choice: Choice) -> Resolved:
        is_folder = chosen.format == "diffusers"
        path = chosen.id.rstrip("/") if is_folder else chosen.id
        at = dataclasses.replace(self.named, revision=commit, path=path, is_file=not is_folder)
        return Resolved(
            source=self.shown,
            host=self.host,
            name=chosen.name,
            version=commit[:12],
            kind="VAE" if choice.role == "VAE" else "",
            base="",
            files=files,
            chosen=chosen,
            page=f"https://huggingface.co/{self.named.repo}",
            direct=at.shown,
            pinned_link=at.shown,
        )

    def source(self, resolved: Resolved, access: Access) -> Source:
        """Give what huggingface_hub fetches: the chosen file, or every file of the chosen folder, at one commit."""
        at = read_hugging_face(resolved.pinned_link) or self.named
        if resolved.chosen.format != "diffusers":
            chosen = resolved.chosen
            file = RepoFile(chosen.id, chosen.size, chosen.sha256, chosen.hashes.get("git", ""))

            def fetch_one(folder: Path, on_progress: OnProgress | None) -> Path:
                return fetch_file(at, file, folder, access, on_progress=on_progress)

            return HubSource(fetch_one, is_folder=False, web=file_source(at, access))

        def fetch_all(folder: Path, on_progress: OnProgress | None) -> Path:
            role = "VAE" if resolved.kind == "VAE" else "base model"
            files = diffusers_files(ask_repo(at, access), at.path, role=role)
            return fetch_files(at, files, folder, access, on_progress=on_progress) / at.path

        return HubSource(fetch_all, is_folder=True)


class HuggingFace:
    """The host."""

    name = "huggingface"

    def read(self, text: str) -> Link | None:
        """Understand a link, a repository's id, or hf://."""
        named = read_hugging_face(text)
        return HuggingFaceLink(named) if named else None


def _chosen(files: tuple[RemoteFile, ...], choice: Choice, where: str) -> RemoteFile:
    """A diffusers folder is taken before single files: it is what the repository itself is."""
    folder = next((file for file in files if file.format == "diffusers"), None)
    return folder if folder and not choice.file else choose(files, choice, where=where)


def _blocked(repo: Repo, access: Access) -> BaseModelError | None:
    if not repo.gated or access.hugging_face_token:
        return None
    todo = f"open huggingface.co/{repo.name.repo} in a browser, accept the terms, {WHERE_TOKENS_ARE_MADE}"
    return GatedRepositoryError(
        f"{repo.name.repo} is gated: its terms must be accepted first", where=repo.name.shown, todo=todo
    )
