"""dedupe by a tagger's embeddings: what a model sees in two pictures, not how their pixels lie."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tagger_model import write_tagger

from kohya_wrap.dataset.history import DatasetPlace, place_of
from kohya_wrap.dataset.taggers import open_taggers
from kohya_wrap.dataset.verbs.dedupe import dedupe, tagger_embed

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


def no_fetch(repo: str, file: str) -> Path:
    raise AssertionError(f"{repo} {file} was asked for")


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A red stripe to the left, one to the right, and one that is blue: no two hashes are near each other."""
    folder = tmp_path / "Loras/p/dataset"
    folder.mkdir(parents=True)
    for name, colour, at in (("a.png", (250, 20, 20), 0), ("b.png", (250, 20, 20), 24), ("c.png", (20, 20, 250), 12)):
        image = Image.new("RGB", (96, 96), (90, 90, 90))
        image.paste(colour, (at, 0, at + 72, 96))
        image.save(folder / name)
    return place_of("p", root=tmp_path)


@pytest.mark.parametrize("embedding", [True, False], ids=["its second output", "its probabilities"])
def test_pictures_of_one_thing_are_alike(place: DatasetPlace, tmp_path: Path, *, embedding: bool) -> None:
    """By what the model gives, which hashes do not see; the blue one is something else."""
    assert dedupe(place, dry_run=True).groups == ()
    (tagger,) = open_taggers(str(write_tagger(tmp_path / "tagger", embedding=embedding)), no_fetch)
    (group,) = dedupe(place, embed=tagger_embed(tagger), dry_run=True).groups
    assert {group.kept.name, *(spare.path.name for spare in group.spares)} == {"a.png", "b.png"}


def test_the_embedding_is_the_model_s_own(place: DatasetPlace, tmp_path: Path) -> None:
    """Row by row in the order of the pictures: of this model the mean of blue, green, red."""
    (tagger,) = open_taggers(str(write_tagger(tmp_path / "tagger", embedding=True)), no_fetch)
    reported: list[tuple[int, int]] = []
    embed = tagger_embed(tagger, report=lambda label, done, total: reported.append((done, total)))
    rows = embed(place.pictures())
    assert rows.shape == (3, 3)
    assert rows[0][2] > rows[0][0]
    assert rows[2][0] > rows[2][2]
    np.testing.assert_allclose(rows[0], rows[1], atol=6)
    assert reported[-1] == (3, 3)


def test_by_the_command_line(place: DatasetPlace, tmp_path: Path) -> None:
    """Which model on what, and what it found; two models at once are refused."""
    write_tagger(tmp_path / "tagger", embedding=True)
    root = str(place.folder.parents[2])
    command = [COMMAND, "dataset", "dedupe", "p", "--root", root, "--dry-run", "--tagger"]
    said = subprocess.run([*command, str(tmp_path / "tagger")], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "tagger on CPU" in said.stdout
    assert "1 group of alike ones" in said.stdout
    said = subprocess.run([*command, "x", "--embeddings", "e.npz"], capture_output=True, text=True, check=False)
    assert said.returncode == 11
