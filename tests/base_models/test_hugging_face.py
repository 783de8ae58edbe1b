"""What Hugging Face says about a link, and getting it through huggingface_hub, against a local server."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_server import Answer, ApiServer
from hugging_face_routes import COMMIT, TOKEN, HuggingFace
from model_files import SD15, safetensors_bytes

from kohya_wrap.base_models.access import Access, Secret
from kohya_wrap.base_models.errors import (
    GatedRepositoryError,
    HashMismatchError,
    NoNetworkError,
    NotFoundError,
    PickleRefusedError,
    RegionBlockedError,
    ServerError,
    TokenRefusedError,
    TooManyRequestsError,
)
from kohya_wrap.base_models.hosts import read_link, repo_files
from kohya_wrap.base_models.hosts.host import Choice, HubSource, Resolved
from kohya_wrap.errors import BaseModelError
from kohya_wrap.paths import CachePaths

MODEL = safetensors_bytes(SD15)
FILE_LINK = "https://huggingface.co/user/repo/blob/main/models/base-fp16.safetensors"
CONFIG = json.dumps({"cross_attention_dim": 768}).encode()
FOLDER = {
    "model_index.json": b"{}",
    "unet/config.json": CONFIG,
    "unet/diffusion_pytorch_model.safetensors": MODEL,
    "unet/diffusion_pytorch_model.fp16.safetensors": b"variant",
    "unet/diffusion_pytorch_model.bin": b"pickle",
    "vae/config.json": b"{}",
    "vae/diffusion_pytorch_model.safetensors": b"vae-weights",
    "text_encoder/config.json": b"{}",
    "text_encoder/model.safetensors": b"text-weights",
    "safety_checker/config.json": b"{}",
    "safety_checker/model.safetensors": b"checker",
    "tokenizer/vocab.json": b"{}",
    "scheduler/scheduler_config.json": b"{}",
    "README.md": b"# model",
}


@dataclass(frozen=True)
class Place:
    """The site and its storage, as two servers."""

    server: ApiServer
    storage: ApiServer

    def open(self, files: dict[str, bytes] | None = None, **changes: object) -> None:
        """Put a repository there."""
        repo = HuggingFace("user/repo", files or {"models/base-fp16.safetensors": MODEL}, storage=self.storage.url)
        repo = dataclasses.replace(repo, **changes)  # type: ignore[arg-type]
        self.server.routes.append(repo)
        self.storage.routes.append(repo.storage_route)


@pytest.fixture
def place() -> Iterator[Place]:
    """An empty site; a test puts its repository there."""
    with ApiServer().running() as server, ApiServer().running() as storage:
        yield Place(server, storage)


def access(place: Place, tmp_path: Path, token: str = "") -> Access:
    return Access(CachePaths(tmp_path), hugging_face=place.server.url, hugging_face_token=Secret(token), patience=0)


def resolve(place: Place, tmp_path: Path, link: str, choice: Choice | None = None, token: str = "") -> Resolved:
    return read_link(link).resolve(access(place, tmp_path, token), choice or Choice())


def fetch(place: Place, tmp_path: Path, link: str, token: str = "") -> Path:
    found = read_link(link)
    asker = access(place, tmp_path, token)
    source = found.source(found.resolve(asker, Choice()), asker)
    assert isinstance(source, HubSource)
    return source.fetch(tmp_path / "staging", None)


def test_a_file_is_resolved_with_one_request(place: Place, tmp_path: Path) -> None:
    """Size, SHA256 and commit come from one HEAD."""
    place.open()
    found = resolve(place, tmp_path, FILE_LINK)
    assert (found.chosen.name, found.chosen.size, found.chosen.precision) == (
        "base-fp16.safetensors",
        len(MODEL),
        "fp16",
    )
    assert len(found.chosen.sha256) == 64
    assert [asked.method for asked in place.server.asked] == ["HEAD"]


def test_the_pinned_link_names_the_commit(place: Place, tmp_path: Path) -> None:
    """A branch moves, a commit does not."""
    place.open()
    assert resolve(place, tmp_path, FILE_LINK).pinned_link.endswith(f"/resolve/{COMMIT}/models/base-fp16.safetensors")


def test_a_file_is_fetched_and_verified(place: Place, tmp_path: Path) -> None:
    """huggingface_hub brings the bytes, we check the SHA256."""
    place.open()
    assert fetch(place, tmp_path, FILE_LINK).read_bytes() == MODEL


def test_progress_is_reported_in_bytes(place: Place, tmp_path: Path) -> None:
    """The last report is the whole file."""
    place.open()
    found = read_link(FILE_LINK)
    asker = access(place, tmp_path)
    source = found.source(found.resolve(asker, Choice()), asker)
    assert isinstance(source, HubSource)
    seen: list[tuple[int, int]] = []
    source.fetch(tmp_path / "staging", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(MODEL), len(MODEL))


def test_a_damaged_file_is_refused_with_both_hashes(place: Place, tmp_path: Path) -> None:
    """huggingface_hub checks the size only; one changed byte is noticed here."""
    place.open(damaged=frozenset({"models/base-fp16.safetensors"}))
    with pytest.raises(HashMismatchError, match=r"its hash is .* says"):
        fetch(place, tmp_path, FILE_LINK)
    assert not list((tmp_path / "staging").rglob("*.safetensors"))


def test_a_token_is_sent_to_the_host_and_not_to_its_storage(place: Place, tmp_path: Path) -> None:
    """The signed address of the bytes is asked without it."""
    place.open(private=True)
    fetch(place, tmp_path, FILE_LINK, token=TOKEN)
    assert {asked.token for asked in place.server.asked} == {TOKEN}
    assert [asked.headers.get("authorization", "") for asked in place.storage.asked] == [""]


def test_a_diffusers_repository_is_fetched_as_a_folder(place: Place, tmp_path: Path) -> None:
    """Only what sd-scripts reads is fetched: no variants, no pickles, no safety checker."""
    place.open(FOLDER)
    folder = fetch(place, tmp_path, "user/repo")
    got = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts}
    assert got == {
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/vocab.json",
        "scheduler/scheduler_config.json",
    }


def test_a_diffusers_folder_below_a_repository_is_fetched(place: Place, tmp_path: Path) -> None:
    """A tree link names a folder."""
    place.open({f"sub/dir/{path}": content for path, content in FOLDER.items()})
    folder = fetch(place, tmp_path, "https://huggingface.co/user/repo/tree/main/sub/dir")
    assert (folder / "model_index.json").is_file()


def test_a_damaged_file_of_a_folder_is_refused(place: Place, tmp_path: Path) -> None:
    """Each file of a folder is verified."""
    place.open(FOLDER, damaged=frozenset({"vae/diffusion_pytorch_model.safetensors"}))
    with pytest.raises(HashMismatchError):
        fetch(place, tmp_path, "user/repo")


def test_a_diffusers_repository_of_pickles_is_refused(place: Place, tmp_path: Path) -> None:
    """Weights that are there as .bin only are not fetched at all."""
    files = {path: content for path, content in FOLDER.items() if not path.startswith("unet/diffusion")}
    place.open({**files, "unet/diffusion_pytorch_model.bin": b"pickle"})
    with pytest.raises(PickleRefusedError, match="the unet of user/repo"):
        resolve(place, tmp_path, "user/repo")


def test_a_repository_of_single_files_offers_a_choice(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """safetensors before pickle, pruned before full; the others are named; small files are no base models."""
    monkeypatch.setattr(repo_files, "SMALLEST_CHECKPOINT", 100)
    files = {
        "m-full.safetensors": bytes(300),
        "m-pruned-fp16.ckpt": bytes(150),
        "m-pruned-fp16.safetensors": bytes(150),
        "m.vae.safetensors": bytes(50),
    }
    place.open(files)
    found = resolve(place, tmp_path, "user/repo")
    assert found.chosen.name == "m-pruned-fp16.safetensors"
    assert "of 3 files" in found.notes[0]


def test_the_licence_is_told(place: Place, tmp_path: Path) -> None:
    """`model resolve` shows the repository's licence."""
    place.open()
    assert resolve(place, tmp_path, FILE_LINK, Choice(details=True)).licence == ("creativeml-openrail-m",)


def test_a_gated_repository_says_what_to_do(place: Place, tmp_path: Path) -> None:
    """Terms to accept and a token to make, with both addresses."""
    place.open(gated=True)
    with pytest.raises(GatedRepositoryError, match=r"huggingface\.co/user/repo .* HF_TOKEN"):
        resolve(place, tmp_path, FILE_LINK)


def test_a_gated_repository_opens_with_a_token(place: Place, tmp_path: Path) -> None:
    """The same link works once the token is there."""
    place.open(gated=True)
    assert resolve(place, tmp_path, FILE_LINK, token=TOKEN).chosen.size == len(MODEL)


def test_a_refused_token_is_told_from_a_missing_repository(place: Place, tmp_path: Path) -> None:
    """A wrong token is named as such, and not shown."""
    place.open()
    with pytest.raises(TokenRefusedError) as caught:
        resolve(place, tmp_path, "user/repo", token="hf_wrongwrongwrong")
    assert "hf_wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://huggingface.co/user/repo/blob/main/other.safetensors", "has no other.safetensors"),
        ("https://huggingface.co/user/repo/blob/v9/models/base-fp16.safetensors", "has no revision v9"),
        ("nobody/nothing", "knows no nobody/nothing"),
    ],
)
def test_what_is_not_there_is_said(link: str, words: str, place: Place, tmp_path: Path) -> None:
    """A missing file, revision or repository is told apart."""
    place.open()
    with pytest.raises(NotFoundError, match=words):
        resolve(place, tmp_path, link)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(429, b"", {"Retry-After": "300"}), TooManyRequestsError),
        (Answer(451, b""), RegionBlockedError),
        (Answer(500, b""), ServerError),
        (Answer(200, b"<html>a proxy's page</html>"), ServerError),
    ],
)
def test_a_failing_host_is_one_clear_error(
    answer: Answer, error: type[BaseModelError], place: Place, tmp_path: Path
) -> None:
    """Nothing of huggingface_hub's own exceptions escapes."""
    place.open(fail=answer)
    with pytest.raises(error):
        fetch(place, tmp_path, FILE_LINK)


def test_a_host_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    """No network is one sentence."""
    with ApiServer().running() as gone:
        pass
    with pytest.raises(NoNetworkError, match="cannot be reached"):
        resolve(Place(gone, gone), tmp_path, FILE_LINK)
