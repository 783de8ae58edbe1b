"""The tokenizer files of sd-scripts, fetched once and whole."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from hugging_face_routes import HuggingFace
from world import World

from kohya_wrap.base_models import tokenizers
from kohya_wrap.base_models.errors import HashMismatchError, NotFoundError, OfflineError
from kohya_wrap.base_models.hosts.hugging_face_link import HuggingFaceName
from kohya_wrap.base_models.tokenizers import find_tokenizers, obtain_tokenizers
from kohya_wrap.families import FAMILIES, Family

FAMILY = Family("test", "Test", "train.py", 64, 512, tokenizers=("u_tok",))
WORDS = ["<|startoftext|>", "<|endoftext|>", "!</w>", "a</w>", "t", "i", "ti"]
CONTENT = {
    "vocab.json": json.dumps({word: index for index, word in enumerate(WORDS)}).encode(),
    "merges.txt": b"#version: 0.2\nt i\n",
    "special_tokens_map.json": json.dumps(
        {"bos_token": WORDS[0], "eos_token": WORDS[1], "pad_token": WORDS[1], "unk_token": WORDS[1]}
    ).encode(),
    "tokenizer_config.json": json.dumps({"model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}).encode(),
}


@pytest.fixture
def repo(world: World, monkeypatch: pytest.MonkeyPatch) -> HuggingFace:
    """A repository with a tokenizer, which the test's family needs."""
    monkeypatch.setitem(tokenizers.SOURCES, "u_tok", HuggingFaceName("u/tok", path="sub"))
    files = {f"sub/{name}": content for name, content in CONTENT.items()}
    repo = HuggingFace("u/tok", files, storage=world.storage.url)
    world.hub.routes.append(repo)
    return repo


def obtain(world: World, *, offline: bool = False) -> Path:
    return obtain_tokenizers(FAMILY, cache=world.cache, say=lambda _: None, offline=offline)


def test_every_family_has_a_source() -> None:
    """Each tokenizer that a family names can be fetched."""
    assert {name for family in FAMILIES.values() for name in family.tokenizers} <= set(tokenizers.SOURCES)


def test_a_tokenizer_is_fetched_once(world: World, repo: HuggingFace) -> None:
    """The folder has the files and nothing else; afterwards nobody is asked."""
    assert find_tokenizers(FAMILY, cache=world.cache) is None
    home = obtain(world)
    got = {str(path.relative_to(home / "u_tok")): path.read_bytes() for path in (home / "u_tok").rglob("*")}
    assert got == CONTENT
    before = world.requests
    assert obtain(world, offline=True) == home == find_tokenizers(FAMILY, cache=world.cache)
    assert world.requests == before


def test_offline_without_a_tokenizer_says_how_to_give_it(world: World, repo: HuggingFace) -> None:
    """The folder and the names of the files are said."""
    with pytest.raises(OfflineError, match=r"vocab\.json.*u_tok"):
        obtain(world, offline=True)
    assert world.requests == 0


def test_a_half_fetched_tokenizer_is_not_taken_for_one(world: World, repo: HuggingFace) -> None:
    """sd-scripts takes any existing folder for whole, so it appears only when it is."""
    repo.files = {path: content for path, content in repo.files.items() if "merges" not in path}
    with pytest.raises(NotFoundError, match="or put its"):
        obtain(world)
    assert not (world.cache.home / "tokenizers" / "u_tok").exists()
    repo.files = {f"sub/{name}": content for name, content in CONTENT.items()}
    assert obtain(world).is_dir()


def test_a_damaged_tokenizer_file_is_refused(world: World, repo: HuggingFace) -> None:
    """Small files are verified by git's hash."""
    repo.damaged = frozenset({"sub/vocab.json"})
    with pytest.raises(HashMismatchError):
        obtain(world)


@pytest.mark.engine
def test_the_engines_tokenizer_class_reads_the_folder(world: World, repo: HuggingFace, engine_python: Path) -> None:
    """transformers loads what was fetched, without the network."""
    folder = obtain(world) / "u_tok"
    code = (
        "import sys; from transformers import CLIPTokenizer; "
        "print(CLIPTokenizer.from_pretrained(sys.argv[1])('a ti')['input_ids'])"
    )
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        (str(engine_python), "-c", code, str(folder)), env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith("[0, 3")
