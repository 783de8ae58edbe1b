"""caption: what is written beside a picture, and what stays when captioning goes wrong."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap.dataset.captioning import FILES, BlipOptions, OnCaption, model_files
from kohya_wrap.dataset.history import DatasetPlace, place_of, undo
from kohya_wrap.dataset.verbs.caption import Captioned, CaptionOptions, caption
from kohya_wrap.errors import DatasetError


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project with three pictures; the second has a caption."""
    folder = tmp_path / "Loras/p/dataset"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        Image.new("RGB", (40, 40)).save(folder / name)
    (folder / "b.txt").write_text("lakto_tiger, mine\n", encoding="utf-8")
    return place_of("p", root=tmp_path)


def parrot(pictures: Sequence[Path], options: BlipOptions, *, on_caption: OnCaption) -> str:
    """Caption every picture by its name."""
    for path in pictures:
        on_caption(path, f"a picture named {path.stem}", "")
    return "a test"


def run(place: DatasetPlace, *, dry_run: bool = False, **changes: object) -> Captioned:
    return caption(place, replace(CaptionOptions(), **changes), captioner=parrot, dry_run=dry_run)  # type: ignore[arg-type]


def texts(place: DatasetPlace) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8").strip() for path in sorted(place.folder.rglob("*.txt"))}


def test_each_picture_gets_a_sentence(place: DatasetPlace) -> None:
    """One that is there is replaced, and the device is told."""
    done = run(place)
    assert texts(place) == {"a.txt": "a picture named a", "b.txt": "a picture named b"}
    assert (len(done.captions), done.device) == (2, "a test")


def test_sub_folders_are_asked_for(place: DatasetPlace) -> None:
    """With recursive."""
    run(place, recursive=True)
    assert texts(place)["c.txt"] == "a picture named c"


@pytest.mark.parametrize(
    ("there", "second"), [("append", "lakto_tiger, mine, a picture named b"), ("keep", "lakto_tiger, mine")]
)
def test_what_is_there_can_stay(place: DatasetPlace, there: str, second: str) -> None:
    """In front of the sentence, or alone."""
    done = run(place, there=there)
    assert texts(place) == {"a.txt": "a picture named a", "b.txt": second}
    assert done.kept == (there == "keep")


def test_the_activation_tag_comes_first(place: DatasetPlace) -> None:
    """As a prefix, once: a caption that stays begins with its own."""
    run(place, there="append", prefix="lakto_tiger")
    assert texts(place) == {"a.txt": "lakto_tiger, a picture named a", "b.txt": "lakto_tiger, mine, a picture named b"}


def test_undo_gives_captions_back(place: DatasetPlace) -> None:
    """Those that were replaced, too."""
    run(place)
    undo(place)
    assert texts(place) == {"b.txt": "lakto_tiger, mine"}


def test_a_dry_run_writes_nothing(place: DatasetPlace) -> None:
    """It captions all the same, to show what would be."""
    done = run(place, dry_run=True)
    assert len(done.captions) == 2
    assert texts(place) == {"b.txt": "lakto_tiger, mine"}


def test_an_unreadable_picture_keeps_what_it_has(place: DatasetPlace) -> None:
    """It is named, and the others are captioned."""

    def half(pictures: Sequence[Path], options: BlipOptions, *, on_caption: OnCaption) -> str:
        on_caption(pictures[0], "one", "")
        on_caption(pictures[1], "", "broken data stream")
        return "a test"

    done = caption(place, CaptionOptions(), captioner=half)
    assert texts(place) == {"a.txt": "one", "b.txt": "lakto_tiger, mine"}
    assert "broken data stream" in done.unreadable[0].what


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DatasetError("died")])
def test_what_is_written_stays_when_it_stops(place: DatasetPlace, error: BaseException) -> None:
    """Ctrl-C or a model that dies after the first picture; undo takes that one back."""

    def stopped(pictures: Sequence[Path], options: BlipOptions, *, on_caption: OnCaption) -> str:
        on_caption(pictures[0], "one", "")
        raise error

    with pytest.raises(type(error)):
        caption(place, CaptionOptions(), captioner=stopped)
    assert texts(place)["a.txt"] == "one"
    undo(place)
    assert texts(place) == {"b.txt": "lakto_tiger, mine"}


@pytest.mark.parametrize(
    "blip", [BlipOptions(caption_min=0), BlipOptions(num_beams=0), BlipOptions(caption_min=80, caption_max=20)]
)
def test_options_that_cannot_be(place: DatasetPlace, blip: BlipOptions) -> None:
    """Nothing is captioned then."""
    with pytest.raises(DatasetError):
        run(place, blip=blip)
    assert texts(place) == {"b.txt": "lakto_tiger, mine"}


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    """It is said."""
    (tmp_path / "Loras/p/dataset").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no pictures"):
        run(place_of("p", root=tmp_path))


def test_a_repository_s_files_are_fetched_by_name() -> None:
    """No pickle is among them."""
    asked: list[str] = []

    def fetch(repo: str, file: str) -> Path:
        asked.append(f"{repo} {file}")
        return Path(file)

    model_files("user/blip@v1", fetch)
    assert asked == [f"user/blip@v1 {file}" for file in FILES]
    assert not any(word in file for file in asked for word in (".bin", ".pt", ".ckpt"))


@pytest.mark.parametrize("name", ["blip", "a/b/c", "./nowhere", "/"])
def test_names_that_are_no_model(name: str) -> None:
    """Neither repository nor folder with a model."""
    with pytest.raises(DatasetError):
        model_files(name, lambda repo, file: Path(file))


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    """A folder that has nothing else is refused with that reason."""
    for file in (*FILES[:-1], "pytorch_model.bin"):
        (tmp_path / file).write_text("{}")
    with pytest.raises(DatasetError, match="pickle only"):
        model_files(str(tmp_path), lambda repo, file: Path(file))


@pytest.mark.parametrize(
    "name", ["a b, (c) [d]", "quote\"'s", "back\\slash", "new\nline", "-dash", "$HOME `x`", "\u864e \U0001f42f"]
)
def test_odd_names_and_captions(place: DatasetPlace, name: str) -> None:
    """Each gets its caption beside it; what was there stays as it is, and undo gives it back."""
    Image.new("RGB", (40, 40)).save(place.folder / f"{name}.png")
    before = 'tag, "q", (x:1.2), \\\\, \u864e \U0001f42f'
    (place.folder / f"{name}.txt").write_text(before, encoding="utf-8")
    run(place, there="append")
    assert texts(place)[f"{name}.txt"] == f"{before}, a picture named {name}"
    undo(place)
    assert texts(place)[f"{name}.txt"] == before
