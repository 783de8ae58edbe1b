"""Samplers and schedules by name, and what is said of names and pictures that cannot be drawn."""

from dataclasses import replace
from pathlib import Path

import pytest

from kohya_wrap.engines.drawing.checks import picture_problems, sampler_problems
from kohya_wrap.engines.drawing.scripts.names import SAMPLERS, find_sampler, find_schedule, split_sampler
from kohya_wrap.engines.drawing.types import Picture, UsedLora


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    target = tmp_path / "a.png"
    return Picture(target, "a", "", 1, 20, 7, "Euler a", "Automatic", width=512, height=720, clip_skip=1)


@pytest.mark.parametrize("name", [each.name for each in SAMPLERS])
def test_every_sampler_is_found_by_its_name(name: str) -> None:
    """Whatever its case."""
    for spelt in (name, name.lower(), name.upper()):
        found = find_sampler(spelt)
        assert found is not None
        assert found.name == name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("DPM++ 2M Karras", ("DPM++ 2M", "Karras")),
        ("dpm++ 2m sde exponential", ("dpm++ 2m sde", "Exponential")),
        ("DPM++ 2M SGM Uniform", ("DPM++ 2M", "SGM Uniform")),
        ("Euler a", ("Euler a", "Automatic")),
        ("DDIM", ("DDIM", "Automatic")),
        ("Nothing Karras", ("Nothing Karras", "Automatic")),
    ],
)
def test_a_name_of_2023_is_two_of_today(name: str, parts: tuple[str, str]) -> None:
    """The schedule at the end of a name is split off where what is left is a sampler."""
    assert split_sampler(name) == parts


def test_pndm_is_plms() -> None:
    """diffusers' name for it is understood too."""
    found = find_sampler("PNDM")
    assert found is not None
    assert found.name == "PLMS"


def test_no_schedule_is_automatic() -> None:
    """An empty name asks for the sampler's own."""
    assert find_schedule("") == "Automatic"


def test_unknown_names_are_told_with_all_that_are_known() -> None:
    """One problem for the sampler, one for the schedule, each with the list."""
    sampler, schedule = sampler_problems("Restart", "Turbo", where="samples.sampler")
    assert sampler.where == "samples.sampler"
    assert sampler.what == "no sampler is called 'Restart'"
    assert "Euler, Euler a, LMS" in sampler.todo
    assert schedule.what == "no schedule is called 'Turbo'"
    assert "Karras" in schedule.todo


def test_a_picture_that_can_be_drawn_has_no_problem(picture: Picture) -> None:
    """Nothing is said of 512x720."""
    assert picture_problems([picture]) == ()


def test_problems_of_all_pictures_are_told_at_once(picture: Picture, tmp_path: Path) -> None:
    """Size, steps, clip skip, LoRA and folder, each once however many pictures have it."""
    wrong = replace(
        picture,
        target=tmp_path / "nowhere" / "a.png",
        width=500,
        steps=0,
        clip_skip=0,
        prompt="a" * 10_001,
        loras=(UsedLora("tiger", tmp_path / "tiger.safetensors", 1.0),),
    )
    said = [str(problem) for problem in picture_problems([wrong, wrong])]
    assert said == [
        "500x720 cannot be drawn: both sides must be multiples of 8 → for one 496x720",
        "0 steps draw nothing → ask for 1 or more",
        "clip skip 0 names no layer → 1 is the last layer",
        "a prompt of 10001 characters is too long → shorten it to 10000",
        f"{tmp_path / 'tiger.safetensors'}: the LoRA tiger is not there",
        f"{tmp_path / 'nowhere'}: the folder of a picture is not there",
    ]
