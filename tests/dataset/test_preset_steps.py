"""Steps that stand in a preset: done once for each picture, seen in the plan, never on the user's own files."""

import functools
import hashlib
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from tagger_model import write_tagger

from kohya_wrap import plan
from kohya_wrap.base_models.errors import HashMismatchError, OfflineError
from kohya_wrap.dataset.history import place_of, read_steps, undo
from kohya_wrap.paths import CachePaths
from kohya_wrap.planning import Plan
from kohya_wrap.preparing import Steps, do_steps

PRESET = """
[setup]
project_name = "tiger"
training_model = "Tiny random"
[engine]
name = "embedded"
[processing]
resolution = 64
[dataset]
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is Python's
        """Say nothing."""


@dataclass
class Project:
    """A folder with a preset, a picture to fetch, and a tagger."""

    root: Path
    url: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def dataset(self) -> Path:
        """Where the pictures are trained."""
        return self.root / "Loras/tiger/dataset"

    def plan(self, table: str) -> Plan:
        """Plan with these lines in [dataset]."""
        (self.root / "p.toml").write_text(PRESET + table, encoding="utf-8")
        return plan(self.root / "p.toml", root=self.root, cache=CachePaths(self.root / "cache"))

    def steps(self, table: str, *, offline: bool = False) -> Plan:
        """Do what the plan wants, and plan again."""
        planned = self.plan(table)
        steps = Steps(planned.config, planned.project, planned.cache, self.said.append, lambda *_: None, offline)
        do_steps(planned.wanted, planned.dataset, steps)
        return self.plan(table)

    def captions(self) -> dict[str, str]:
        """Give every caption by name."""
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(self.dataset.glob("*.txt"))}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A red picture on a local server, and the same as a file, with a tagger of a few words."""
    (tmp_path / "web").mkdir()
    (tmp_path / "mine").mkdir()
    Image.new("RGB", (96, 96), "red").save(tmp_path / "web/red.png")
    Image.new("RGB", (96, 96), "blue").save(tmp_path / "mine/blue.png")
    write_tagger(tmp_path / "tagger")
    handler = functools.partial(Quiet, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Project(tmp_path, f"http://127.0.0.1:{server.server_port}/red.png")
        server.shutdown()


def tagging(project: Project) -> str:
    return f'tagger = "{project.root / "tagger"}"\nactivation_tag = "lakto_tiger"\n'


def test_a_link_is_fetched_tagged_and_given_its_activation_tag(project: Project) -> None:
    """Nothing by hand: picture, caption, activation tag first; afterwards nothing is wanted, the counts are known."""
    sha256 = hashlib.sha256((project.root / "web/red.png").read_bytes()).hexdigest()
    table = f'images = "{project.url}#sha256={sha256}"\n' + tagging(project)
    before = project.plan(table)
    assert before.findings.errors() == ()
    assert [line.split()[0] for line in before.wanted.lines(before.config.dataset)] == ["fetch", "tag", "curate"]
    after = project.steps(table)
    assert project.captions()["red.txt"].split(", ")[:2] == ["lakto_tiger", "red hair"]
    assert not after.wanted
    assert after.findings.all() == ()
    assert after.steps.total_steps == 50


def test_planning_fetches_nothing(project: Project) -> None:
    """The plan says what it would do, and no folder appears."""
    project.plan(f'images = "{project.url}"\n' + tagging(project))
    assert not (project.root / "Loras").exists()


def test_a_picture_of_another_hash_is_not_taken(project: Project) -> None:
    """What was served is not what the preset names: nothing gets the name."""
    with pytest.raises(HashMismatchError):
        project.steps(f'images = "{project.url}#sha256={"0" * 64}"\n')
    assert list(project.dataset.iterdir()) == []


def test_offline_says_what_is_missing(project: Project) -> None:
    """With the way to give it by hand."""
    with pytest.raises(OfflineError, match="put the picture into"):
        project.steps(f'images = "{project.url}"\n', offline=True)


def test_a_caption_that_is_there_is_not_tagged_over(project: Project) -> None:
    """The tagger writes only what is missing; the activation tag comes first all the same."""
    (project.root / "mine/blue.txt").write_text("my own words, lakto_tiger", encoding="utf-8")
    project.steps('images = "mine"\n' + tagging(project))
    assert project.captions() == {"blue.txt": "lakto_tiger, my own words"}


def test_the_users_own_files_stay_as_they_are(project: Project) -> None:
    """Steps work on the project's copies."""
    (project.root / "mine/blue.txt").write_text("b, a", encoding="utf-8")
    before = {path: path.read_bytes() for path in (project.root / "mine").iterdir()}
    project.steps('images = "mine"\nsort_alphabetically = true\nexpand = true\n')
    assert {path: path.read_bytes() for path in (project.root / "mine").iterdir()} == before
    assert project.captions()["blue.txt"] == "a, b"


def test_a_step_is_done_once_for_a_picture(project: Project) -> None:
    """A caption edited by hand afterwards stays edited, and is no contradiction to its source."""
    (project.root / "mine/blue.txt").write_text("b, a", encoding="utf-8")
    table = 'images = "mine"\nsort_alphabetically = true\n'
    project.steps(table)
    (project.dataset / "blue.txt").write_text("z, y, x", encoding="utf-8")
    assert not project.plan(table).wanted
    assert project.plan(table).findings.all() == ()
    assert project.captions()["blue.txt"] == "z, y, x"


def test_a_new_picture_and_another_wish_are_done(project: Project) -> None:
    """Only the new picture, and all of them when the preset asks for something else."""
    table = 'images = "mine"\nremove_tags = ["a"]\n'
    (project.root / "mine/blue.txt").write_text("a, b", encoding="utf-8")
    project.steps(table)
    Image.new("RGB", (96, 96), "green").save(project.root / "mine/green.png")
    (project.root / "mine/green.txt").write_text("a, c", encoding="utf-8")
    assert project.plan(table).wanted.curate == ("green.png",)
    project.steps(table)
    assert project.captions() == {"blue.txt": "b", "green.txt": "c"}
    assert project.plan('images = "mine"\nremove_tags = ["b"]\n').wanted.curate == ("blue.png", "green.png")


def test_expand_makes_the_tutorials_four(project: Project) -> None:
    """The picture, its mirror image, its face and the face's mirror image; made once; captions curated, too."""
    (project.root / "mine/blue.txt").write_text("lakto_tiger, standing", encoding="utf-8")
    table = (
        'images = "mine"\nexpand = true\ncrop_box = "0,0,48,48"\ncrop_drops = ["standing"]\n'
        'activation_tag = "lakto_tiger"\nremove_duplicates = true\n'
    )
    after = project.steps(table)
    assert sorted(path.name for path in project.dataset.glob("*.png")) == [
        *("blue-face-flip.png", "blue-face.png", "blue-flip.png", "blue.png"),
    ]
    assert project.captions()["blue-face.txt"] == "lakto_tiger"
    assert not after.wanted
    assert "not-named" not in {problem.code for problem in after.findings.all()}


def test_every_step_can_be_undone(project: Project) -> None:
    """They are steps of the dataset's history like those that were typed."""
    table = f'images = "{project.url}"\n' + tagging(project)
    project.steps(table)
    place = place_of("tiger", root=project.root)
    assert [step.verb for step in read_steps(place.history)] == ["add", "tag", "curate"]
    for _ in range(3):
        undo(place)
    assert list(project.dataset.iterdir()) == []


@pytest.mark.parametrize(
    ("images", "what"),
    [
        ("https://host.example/page.html", "no link to a picture"),
        ("ftp://host.example/a.png", "no link to a picture"),
        ("https://host.example/a.png#sha256=12", "no #sha256="),
        ("https://host.example/a.png#frag", "no #sha256="),
    ],
)
def test_a_link_that_is_none_is_said_at_once(project: Project, images: str, what: str) -> None:
    """Before anything is fetched."""
    (problem,) = [p for p in project.plan(f'images = "{images}"\n').findings.errors() if p.code == "source-link"]
    assert what in problem.what


def test_an_archive_is_unpacked_once(project: Project) -> None:
    """extras.zip fills the dataset folder; the next plan wants nothing of it."""
    (project.root / "mine/blue.txt").write_text("lakto_tiger", encoding="utf-8")
    shutil.make_archive(str(project.root / "pictures"), "zip", project.root / "mine")
    table = '[extras]\nzip = "pictures.zip"\n'
    before = project.plan(table)
    assert before.findings.errors() == ()
    assert [line.split()[0] for line in before.wanted.lines(before.config.dataset)] == ["unpack"]
    after = project.steps(table)
    assert sorted(path.name for path in project.dataset.iterdir()) == ["blue.png", "blue.txt"]
    assert not after.wanted
    assert len(after.dataset.pictures) == 1


def test_an_archive_that_is_not_there_is_said(project: Project) -> None:
    """With the other findings, before anything is written."""
    assert "extras.zip" in {problem.where for problem in project.plan('[extras]\nzip = "none.zip"\n').findings.errors()}


def test_captions_are_adjusted_for_weights(project: Project) -> None:
    """training.adjust_tags with weighted_captions: brackets escaped, the activation tag weighted, once; and back."""
    (project.root / "mine/blue.txt").write_text("lakto_tiger, tail (cat)", encoding="utf-8")
    weighted = "[training]\nadjust_tags = true\nweighted_captions = true\nactivation_tag_weight = 1.1\n"
    project.steps('images = "mine"\n' + weighted)
    assert project.captions()["blue.txt"] == "(lakto_tiger:1.1), tail \\(cat\\)"
    assert not project.plan('images = "mine"\n' + weighted).wanted
    project.steps('images = "mine"\n[training]\nadjust_tags = true\n')
    assert project.captions()["blue.txt"] == "lakto_tiger, tail (cat)"


@pytest.mark.engine
def test_a_sentence_in_the_taggers_place(project: Project, engine_python: Path) -> None:
    """By a model of random numbers; activation tag first, once, and the tagger has nothing left to do."""
    script = Path(__file__).resolve().parents[1] / "engines" / "make_blip.py"
    subprocess.run([str(engine_python), str(script), str(project.root / "blip")], check=True, capture_output=True)
    usual = CachePaths.from_environment().home / "environments"
    (project.root / "cache").mkdir()
    (project.root / "cache/environments").symlink_to(usual)
    table = f'images = "mine"\ncaptioner = "{project.root / "blip"}"\n' + tagging(project)
    before = project.plan(table)
    assert [line.split()[0] for line in before.wanted.lines(before.config.dataset)] == ["write", "curate"]
    after = project.steps(table)
    first, sentence = project.captions()["blue.txt"].strip().split(", ")
    assert first == "lakto_tiger"
    assert len(sentence.split()) >= 2
    assert not after.wanted
