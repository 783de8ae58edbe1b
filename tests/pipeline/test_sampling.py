"""Test pictures of a recorded run: what is drawn, what is not drawn twice, and what goes wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from helpers_samples import Painter, make_run, paint, write_lora
from PIL import Image

from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.errors import (
    DiskFullError,
    DrawingError,
    InterruptedRunError,
    KohyaWrapError,
    OutputError,
    ProjectBusyError,
    WebUIError,
)
from kohya_wrap.events import DRAWING, Event, Progress, RunWarning
from kohya_wrap.files import sha256_file
from kohya_wrap.paths import ProjectPaths, RunPaths
from kohya_wrap.record import RunRecord, read_record
from kohya_wrap.results.parameters import read_parameters
from kohya_wrap.results.samples.places import lora_folders
from kohya_wrap.sampling import Samples, after_training, draw, note_in_record, set_up
from kohya_wrap.studio import Studio

EACH = 2 * 3 + 1
"""Pictures of one prompt: weights 0.5 and 1 for three epochs, and weight 0 once."""


def nobody(event: Event) -> None:
    """Listen to nothing."""


def names(samples: Samples) -> set[str]:
    return {path.name for path in samples.pictures}


def with_samples(studio: Studio, **changes: object) -> Studio:
    return replace(studio, samples=studio.samples.model_copy(update=changes))


def recorded(studio: Studio) -> RunRecord:
    return read_record(studio.paths.record)


def test_one_load_for_all_pictures_and_weight_0_once(tmp_path: Path) -> None:
    """Three epochs, three weights: one call of the drawer with seven pictures."""
    painter = Painter()
    samples = draw(set_up(make_run(tmp_path)), tell=nobody, drawer=painter)
    assert [len(asked) for asked in painter.asked] == [EACH]
    assert names(samples) == {
        "tiger_w0_p1.png",
        *(f"tiger-{epoch:02d}_w{weight}_p1.png" for epoch in (1, 2, 3) for weight in ("0.5", "1")),
    }
    assert [path.name for path in samples.grids] == ["grid.png"]
    assert (samples.missing, samples.failure) == (0, None)


def test_pictures_of_one_lora_follow_each_other(tmp_path: Path) -> None:
    """Two prompts, two weights: each LoRA is loaded by the drawer once, not once per prompt."""
    painter = Painter()
    draw(set_up(with_samples(make_run(tmp_path), prompts=("a", "b"))), tell=nobody, drawer=painter)
    order = [picture.loras[0].name if picture.loras else "" for picture in painter.asked[0]]
    assert order == sorted(order)


def test_what_is_there_is_not_drawn_again(tmp_path: Path) -> None:
    """A second time the drawer is not asked at all; with one picture gone, for that one."""
    studio = make_run(tmp_path)
    draw(set_up(studio), tell=nobody, drawer=Painter())
    painter = Painter()
    draw(set_up(studio), tell=nobody, drawer=painter)
    assert painter.asked == []
    (studio.paths.samples / "tiger-02_w1_p1.png").unlink()
    draw(set_up(studio), tell=nobody, drawer=painter)
    assert [[picture.target.name for picture in asked] for asked in painter.asked] == [["tiger-02_w1_p1.png"]]


@pytest.mark.parametrize(
    "change",
    [
        lambda studio: with_samples(studio, sample_seed=7),
        lambda studio: with_samples(studio, steps=21),
        lambda studio: with_samples(studio, sampler="DDIM"),
        lambda studio: with_samples(studio, width=128),
        lambda studio: with_samples(studio, negative_prompt="blurry"),
        lambda studio: with_samples(studio, sample_clip_skip=2),
        lambda studio: replace(
            studio,
            record=studio.record.with_(base_model=studio.record.base_model.model_copy(update={"sha256": "0" * 64})),
        ),
    ],
)
def test_another_setting_is_another_picture(tmp_path: Path, change: Callable[[Studio], Studio]) -> None:
    """Whatever changes a picture makes it a new one, beside the old one."""
    studio = make_run(tmp_path)
    draw(set_up(studio), tell=nobody, drawer=Painter())
    easel = set_up(change(studio))
    assert len(easel.todo) == EACH
    assert not [picture.target for picture in easel.todo if picture.target.exists()]


def test_a_newer_wrapper_does_not_draw_again(tmp_path: Path) -> None:
    """The version in a picture's parameters changes nothing in it."""
    studio = make_run(tmp_path)
    studio.paths.samples.mkdir()
    for picture in set_up(studio).todo:
        paint(replace(picture, parameters=picture.parameters.replace("kohya_wrap 0", "kohya_wrap 99")))
    assert set_up(studio).todo == ()


def test_a_picture_reads_back_as_it_was_ordered(tmp_path: Path) -> None:
    """Model, LoRA and their hashes, seed, sampler and schedule, size: through png-info's own reader."""
    settings = "Steps: 9, Sampler: DPM++ 2M Karras, Seed: 5, Size: 64x128"
    text = f"a wolf <lora:tiger:0.7>, blue eyes\nNegative prompt: bad\n{settings}"
    studio = with_samples(make_run(tmp_path), prompts=(text,), weights=(0.5,))
    draw(set_up(studio), tell=nobody, drawer=Painter())
    said = read_parameters(studio.paths.samples / "tiger-03_w0.5_p1.png")
    assert (said.prompt, said.negative_prompt) == ("a wolf <lora:tiger-03:0.5>, blue eyes", "bad")
    assert (said.steps, said.sampler, said.schedule, said.seed, said.size) == (9, "DPM++ 2M", "Karras", 5, (64, 128))
    assert said.model is not None
    assert (said.model.name, said.model.hash) == ("kemono", studio.record.base_model.sha256[:10])
    (lora,) = said.loras
    assert (lora.name, lora.hash) == ("tiger-03", studio.record.loras[2].tensors_sha256[:12])


def test_the_drawer_gets_prompts_without_tags(tmp_path: Path) -> None:
    """LoRAs go to it as files with weights; a prompt's own weight of the run's LoRA gives way to the grid's."""
    studio = with_samples(make_run(tmp_path), prompts=("a wolf <lora:tiger-02:0.7>",), weights=(0.25,), epochs="last")
    (picture,) = set_up(studio).todo
    assert "<" not in picture.prompt
    assert [(lora.name, lora.weight) for lora in picture.loras] == [("tiger-03", 0.25)]


def test_the_tag_of_the_run_is_put_in_its_place(tmp_path: Path) -> None:
    """{activation_tag} is what the run was trained with."""
    studio = with_samples(make_run(tmp_path), prompts=("a {activation_tag}",), weights=(0,))
    preset = studio.record.preset.model_copy(update={"resolved": {"dataset": {"activation_tag": "my wolf"}}})
    (picture,) = set_up(replace(studio, record=studio.record.with_(preset=preset))).todo
    assert picture.prompt == "a my wolf"


def test_another_lora_of_a_prompt_is_found(tmp_path: Path) -> None:
    """In another project's output, by its name; it is drawn at weight 0 of the run's own, too."""
    studio = with_samples(make_run(tmp_path), prompts=("a wolf <lora:style:0.6> <lora:gone:1>",), epochs="last")
    write_lora(tmp_path / "Loras" / "other" / "output" / "style.safetensors", 9)
    easel = set_up(studio)
    assert [[lora.name for lora in picture.loras] for picture in easel.todo] == [
        ["style"],
        ["tiger-03", "style"],
        ["tiger-03", "style"],
    ]
    assert "<lora:style:0.6>" in easel.todo[0].parameters
    assert "gone" not in easel.todo[0].parameters
    (problem,) = easel.problems
    assert (problem.where, problem.severity) == ("<lora:gone>", "warning")


def test_a_folder_given_goes_first(tmp_path: Path) -> None:
    """A LoRA of the same name in --lora-dir is taken before that of a project."""
    studio = with_samples(make_run(tmp_path), prompts=("<lora:style:1> x",), weights=(0,), epochs="last")
    write_lora(tmp_path / "Loras" / "other" / "output" / "style.safetensors", 9)
    write_lora(tmp_path / "mine" / "style.safetensors", 8)
    (picture,) = set_up(studio, lora_folders=[tmp_path / "mine"]).todo
    assert picture.loras[0].path == tmp_path / "mine" / "style.safetensors"


def test_an_embedding_is_found_by_its_name(tmp_path: Path) -> None:
    """Beside Loras, or in a folder of the preset, which goes first; its hash is written as A1111 does."""
    studio = with_samples(make_run(tmp_path), negative_prompt="(easynegative:0.8), mine2", weights=(0,), epochs="last")
    for folder in ("embeddings", "my"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "EasyNegative.safetensors").write_bytes(folder.encode())
        (tmp_path / folder / "mine.pt").write_bytes(b"not named: mine2 is another word")
    assert {name: each.path.parent.name for name, each in set_up(studio).embeddings.items()} == {
        "EasyNegative": "embeddings"
    }
    easel = set_up(with_samples(studio, embedding_folders=("my",)))
    path = tmp_path / "my" / "EasyNegative.safetensors"
    assert {name: each.path for name, each in easel.embeddings.items()} == {"EasyNegative": path}
    assert f'TI hashes: "EasyNegative: {sha256_file(path)[:12]}"' in easel.todo[0].parameters
    assert easel.problems == ()


def test_embeddings_that_are_not_there_are_said(tmp_path: Path) -> None:
    """Those that the parameters list, and those that everybody knows; a word that holds such a name is none."""
    settings = "Steps: 5, Sampler: Euler, TI hashes: odd: abcdef012345"
    text = f"a\nNegative prompt: (EasyNegative:0.8),bad-image-v2, EasyNegatives\n{settings}"
    problems = set_up(with_samples(make_run(tmp_path), prompts=(text,))).problems
    assert [problem.where for problem in problems] == [
        "embedding odd",
        "embedding EasyNegative",
        "embedding bad-image-v2",
    ]
    assert {problem.severity for problem in problems} == {"warning"}


def test_the_folders_of_a_project_by_category(tmp_path: Path) -> None:
    """lora_training/output/NAME: a LoRA of another project is found there, too."""
    project = ProjectPaths(tmp_path, "tiger", "category")
    for name in ("tiger", "style"):
        (project.main / "output" / name).mkdir(parents=True)
    samples = SamplesConfig(lora_folders=("mine", "/theirs"))
    assert lora_folders(project, samples) == (
        tmp_path / "mine",
        Path("/theirs"),
        *(project.main / "output" / name for name in ("tiger", "style")),
    )
    record = RunPaths(project.runs / "1", Path())
    studio = make_run(tmp_path / "other")
    assert replace(studio, record=studio.record.with_(folder=str(record.folder))).project == project


@pytest.mark.parametrize("name", ["../../kemono", "a/b", ".."])
def test_a_prompt_cannot_name_a_path(tmp_path: Path, name: str) -> None:
    """A name with folders in it finds nothing."""
    studio = with_samples(make_run(tmp_path), prompts=(f"<lora:{name}:1> x",))
    assert [problem.where for problem in set_up(studio).problems] == [f"<lora:{name}>"]


def test_epochs_that_are_not_there_are_said(tmp_path: Path) -> None:
    """One never saved, one gone, one changed since: three reasons, and the fourth is drawn."""
    studio = with_samples(make_run(tmp_path, epochs=4), epochs=(1, 2, 3, 7), weights=(1,))
    output = tmp_path / "Loras" / "tiger" / "output"
    (output / "tiger-01.safetensors").unlink()
    write_lora(output / "tiger-02.safetensors", 77)
    easel = set_up(studio)
    assert [picture.target.name for picture in easel.todo] == ["tiger-03_w1_p1.png"]
    assert [problem.what for problem in easel.problems] == [
        "tiger-01.safetensors is no longer there",
        "tiger-02.safetensors is no longer what the run left",
        "the run kept no LoRA of epoch 7",
    ]


@pytest.mark.parametrize(
    "error", [DrawingError("no paint"), WebUIError("no server"), DiskFullError("full"), OutputError("read-only")]
)
def test_a_failure_keeps_what_is_drawn_and_makes_the_grid(tmp_path: Path, error: KohyaWrapError) -> None:
    """Three of seven are there; the grid shows them, and why the others are missing."""
    samples = draw(set_up(make_run(tmp_path)), tell=nobody, drawer=Painter(fails_at=4, error=error))
    assert samples.failure is error
    assert (len(samples.pictures), samples.missing) == (3, EACH - 3)
    with Image.open(samples.grids[0]) as grid:
        grid.load()


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    """What is drawn stays; the next call draws the rest."""
    studio = make_run(tmp_path)
    with pytest.raises(InterruptedRunError, match=f"3 of {EACH} pictures are drawn, and kept"):
        draw(set_up(studio), tell=nobody, drawer=Painter(fails_at=4, error=KeyboardInterrupt()))
    painter = Painter()
    samples = draw(set_up(studio), tell=nobody, drawer=painter)
    assert (len(painter.asked[0]), len(samples.pictures)) == (EACH - 3, EACH)


def test_the_base_alone_has_one_row(tmp_path: Path) -> None:
    """Weight 0 and nothing else: one picture, whatever the epochs."""
    easel = set_up(with_samples(make_run(tmp_path), weights=(0.0,)))
    assert [len(block.rows) for block in easel.blocks] == [1]
    assert len(easel.todo) == 1


def test_progress_is_told(tmp_path: Path) -> None:
    """From 0 to the number that is missing."""
    events: list[Event] = []
    draw(set_up(make_run(tmp_path)), tell=events.append, drawer=Painter())
    bars = [event for event in events if isinstance(event, Progress) and event.label == DRAWING]
    assert [bar.done for bar in bars] == list(range(EACH + 1))
    assert {bar.total for bar in bars} == {EACH}


def test_two_at_once_do_not_draw_the_same(tmp_path: Path) -> None:
    """While one command holds the folder, another is refused."""
    studio = make_run(tmp_path)
    studio.paths.samples.mkdir()
    with FileLock(studio.paths.samples / ".lock"), pytest.raises(ProjectBusyError):
        draw(set_up(studio), tell=nobody, drawer=Painter())


def test_after_training_the_record_names_all(tmp_path: Path) -> None:
    """Pictures with prompt, epoch and weight, the grid, the seconds; read back from the disk."""
    studio = make_run(tmp_path)
    python = Path(studio.record.engine.python)
    samples, record = after_training(studio, tell=nobody)
    assert python.is_file()
    assert (samples.failure, len(samples.pictures)) == (None, EACH)
    assert recorded(studio) == record
    assert [(each.epoch, each.weight) for each in record.samples.pictures][:3] == [(0, 0.0), (1, 0.5), (1, 1.0)]
    assert record.samples.grids == (str(studio.paths.samples / "grid.png"),)
    assert record.samples.seconds > 0


def test_after_training_a_failure_is_a_warning(tmp_path: Path) -> None:
    """The run stays succeeded; the warning is told, recorded, and names the command."""
    studio = make_run(tmp_path)
    Path(studio.record.base_model.path).unlink()
    events: list[Event] = []
    samples, record = after_training(studio, tell=events.append)
    assert isinstance(samples.failure, DrawingError)
    assert record.status == "succeeded"
    assert f"`kohya-wrap lora grid {record.id}` draws them later" in record.warnings[-1]
    assert [event.text for event in events if isinstance(event, RunWarning)] == list(record.warnings)
    assert "no longer there" in recorded(studio).samples.error


def test_too_many_are_not_drawn_unasked(tmp_path: Path) -> None:
    """After a training 501 pictures are said, and left to the verb."""
    weights = tuple(float(weight) for weight in range(1, 168))
    samples, record = after_training(with_samples(make_run(tmp_path), weights=weights), tell=nobody)
    assert samples.pictures == ()
    assert "501 test pictures are more than 500" in record.warnings[-1]


def test_what_is_drawn_later_is_added_to_the_record(tmp_path: Path) -> None:
    """The pictures of both calls are named once each, and an error of the first is gone."""
    studio = make_run(tmp_path)
    easel = set_up(studio)
    note_in_record(easel, draw(easel, tell=nobody, drawer=Painter(fails_at=3, error=DrawingError("no paint"))))
    assert (len(recorded(studio).samples.pictures), recorded(studio).samples.error) == (2, "no paint")
    easel = set_up(replace(studio, record=recorded(studio)))
    note_in_record(easel, draw(easel, tell=nobody, drawer=Painter()))
    assert (len(recorded(studio).samples.pictures), recorded(studio).samples.error) == (EACH, "")


def test_notes_of_a_drawer_are_kept_once(tmp_path: Path) -> None:
    """A missing embedding is said of each picture, and told once."""
    painter = Painter(notes=("the embedding EasyNegative is missing",))
    samples = draw(set_up(make_run(tmp_path)), tell=nobody, drawer=painter)
    assert samples.notes == ("the embedding EasyNegative is missing",)


def test_a_base_model_that_is_another_now(tmp_path: Path) -> None:
    """A file of the same name with other bytes is refused with the hash that it should have."""
    studio = make_run(tmp_path)
    base = Path(studio.record.base_model.path)
    base.write_bytes(b"another one")
    with pytest.raises(DrawingError, match=studio.record.base_model.sha256):
        studio.base_path()


def test_a_base_model_of_the_store_is_found_by_its_hash(tmp_path: Path) -> None:
    """A base model that was moved into the store is used from there."""
    studio = make_run(tmp_path)
    base, sha256 = Path(studio.record.base_model.path), studio.record.base_model.sha256
    stored = studio.cache.models / sha256 / base.name
    stored.parent.mkdir(parents=True)
    base.rename(stored)
    assert studio.base_path() == stored


def test_without_prompt_or_lora(tmp_path: Path) -> None:
    """Each is an error that says what to do."""
    studio = make_run(tmp_path)
    with pytest.raises(DrawingError, match="there is no prompt"):
        set_up(with_samples(studio, prompts=()))
    with pytest.raises(DrawingError, match="no LoRA"):
        set_up(replace(studio, record=studio.record.with_(loras=())))


def test_a_record_of_a_newer_version(tmp_path: Path) -> None:
    """An [engine] table that this version does not know is an error of the record, not a traceback."""
    studio = make_run(tmp_path)
    preset = studio.record.preset.model_copy(update={"resolved": {"engine": {"warp": 9}}})
    with pytest.raises(OutputError, match="not understood by this version"):
        replace(studio, record=studio.record.with_(preset=preset)).drawer()
