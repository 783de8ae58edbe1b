"""What a record names and this machine no longer has is fetched again, where the record knows from where."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers_samples import make_run
from PIL import Image

from kohya_wrap.errors import DatasetError, KohyaWrapError
from kohya_wrap.paths import CachePaths
from kohya_wrap.preparing import Steps, do_steps
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import FileEntry
from kohya_wrap.reproducing import plan_again


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Give an address, and the folder that lies behind it with a picture."""
    folder = tmp_path / "served"
    folder.mkdir()
    Image.effect_noise((70, 70), 50).convert("RGB").save(folder / "linked.png")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/linked.png", folder / "linked.png"
    server.shutdown()
    server.server_close()
    thread.join()


def entry(path: Path, content: bytes | None = None) -> FileEntry:
    content = path.read_bytes() if content is None else content
    return FileEntry(path=str(path), sha256=hashlib.sha256(content).hexdigest(), size=len(content))


@pytest.fixture
def record(tmp_path: Path, served: tuple[str, Path]) -> RunRecord:
    """A run on two pictures with captions; the one that came by a link is gone, the tagger would caption any other."""
    url, file = served
    made = make_run(tmp_path / "first").record
    folder = tmp_path / "first/Loras/tiger/dataset"
    for path in folder.iterdir():
        path.unlink()
    Image.effect_noise((60, 80), 30).convert("RGB").save(folder / "own.png")
    for name in ("own", "linked"):
        (folder / f"{name}.txt").write_text("lakto_tiger, fur", encoding="utf-8")
    content = file.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    stated = {
        "setup": {"project_name": "tiger", "training_model": "Tiny random"},
        "engine": {"name": "embedded"},
        "processing": {"resolution": 64},
        "dataset": {
            "images": [f"{url}#sha256={sha256}"],
            "activation_tag": "lakto_tiger",
            "tagger": "both",
            "expand": True,
        },
    }
    files = [entry(folder / name) for name in ("own.png", "own.txt", "linked.txt")]
    return made.with_(
        preset=made.preset.model_copy(update={"stated": stated}),
        dataset=(*files, entry(folder / "linked.png", content)),
    )


def fetch(record: RunRecord, into: Path, cache: Path) -> list[str]:
    """Do what the run would do first; give what it says."""
    planned = plan_again(record, into=into)
    planned.findings.raise_errors()
    said: list[str] = []
    steps = Steps(planned.config, planned.project, CachePaths(cache), said.append, lambda done, total: None)
    do_steps(planned.wanted, planned.dataset, steps)
    return said


def test_a_picture_that_is_gone_comes_by_its_link(record: RunRecord, served: tuple[str, Path], tmp_path: Path) -> None:
    """Verified by the hash behind it; captions are the run's own, and no step is done a second time."""
    said = fetch(record, tmp_path / "again", tmp_path / "cache")
    folder = tmp_path / "again/Loras/tiger/dataset"
    assert (folder / "linked.png").read_bytes() == served[1].read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["linked.png", "linked.txt", "own.png", "own.txt"]
    assert (folder / "linked.txt").read_text(encoding="utf-8") == "lakto_tiger, fur"
    assert said == [f"Fetching {served[0]}"]


def test_one_without_a_link_is_named(record: RunRecord, tmp_path: Path) -> None:
    """It cannot be had again; nothing is begun."""
    Path(record.dataset[0].path).unlink()
    with pytest.raises(DatasetError, match=r"own\.png"):
        plan_again(record, into=tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_another_picture_behind_the_link_is_refused(
    record: RunRecord, served: tuple[str, Path], tmp_path: Path
) -> None:
    """By its hash, which the record has."""
    served[1].write_bytes(b"another")
    with pytest.raises(KohyaWrapError, match="SHA256"):
        fetch(record, tmp_path / "again", tmp_path / "cache")
    assert not (tmp_path / "again/Loras/tiger/dataset/linked.png").exists()


def test_a_base_model_that_is_gone_is_looked_for_by_its_link(record: RunRecord, tmp_path: Path) -> None:
    """The plan keeps the preset's link and pins the hash that was trained on."""
    stated = {**record.preset.stated, "engine": {}, "setup": {"project_name": "tiger"}}
    stated["setup"] = {
        "project_name": "tiger",
        "optional_custom_training_model_url": "https://example.org/m.safetensors",
    }
    Path(record.base_model.path).unlink()
    again = record.with_(preset=record.preset.model_copy(update={"stated": stated}))
    planned = plan_again(again, into=tmp_path / "again")
    assert planned.config.setup.optional_custom_training_model_url == "https://example.org/m.safetensors"
    assert planned.config.setup.base_model_sha256 == record.base_model.sha256
