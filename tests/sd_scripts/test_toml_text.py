"""What is written is read back unchanged by tomllib and by the engine's toml 0.10.2."""

import random
import tomllib

import pytest
import toml
from helpers_sd_scripts import STRANGE_NAME

from kohya_wrap.errors import PresetError
from kohya_wrap.sd_scripts.toml_text import render, write_string

TEXTS = [
    "/plain/path.safetensors",
    "/with space/a.png",
    "C:\\new\\train\\x41",
    'it\'s "quoted"',
    "'",
    '"',
    '""',
    "\\",
    "\\u0041",
    "\u3068\u3089/\u732b.png",
    "/tigers/\U0001f42f",
    "no\u00a0break",
    "line\nbreak\ttab\rreturn",
    "\x00\x1f\x7f\x85\u2028",
    "# no comment",
    "[table]",
    "a = 1",
    ",",
    "",
    " ",
    STRANGE_NAME,
]


def read_both(text: str) -> tuple[object, object]:
    return tomllib.loads(text), toml.loads(text)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_round_trip_alone(text: str) -> None:
    """Any path or name a user can have comes back from both readers."""
    tables = {"a": {"key": text, "after": 1}}
    assert read_both(render(tables)) == (tables, tables)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_round_trip_in_lists(text: str) -> None:
    """The same in a list, between entries with brackets and commas."""
    tables = {"a": {"key": ["betas=[0.9,0.999]", text, "b=1"]}}
    assert read_both(render(tables)) == (tables, tables)


def test_random_texts_round_trip() -> None:
    """2,000 texts of the characters that break one reader or the other come back; fewer than 1 in 500 are refused."""
    draw = random.Random(1)  # noqa: S311  test data
    characters = "\\\"' #[],=\n\txu041\u65e5\u00e9\U0001f600\x00\x1f\x7f/C:{}.\x08\u2028\u00a0U\x85bn"
    refused = 0
    for _ in range(2000):
        text = "".join(draw.choice(characters) for _ in range(draw.randint(0, 8)))
        try:
            written = f"k = {write_string(text)}\n"
        except PresetError:
            refused += 1
            continue
        assert read_both(written) == ({"k": text}, {"k": text})
    assert refused < 4


def test_what_cannot_be_written_is_refused() -> None:
    """Two quotes at the start and a control character later have no form that both readers agree on."""
    with pytest.raises(PresetError, match="cannot be written"):
        render({"a": {"k": '""x\n\n\U0001f600'}})


def test_a_broken_file_name_is_refused() -> None:
    """A name that is not valid Unicode is refused with the key, before the engine stumbles over it."""
    with pytest.raises(PresetError, match=r"a\.k: .*Unicode"):
        render({"a": {"k": "\udcff.png"}})


@pytest.mark.parametrize("value", [0, 0.0, False, "", [], 1e-06, 5e-4, 8, 8.0, True, -1])
def test_falsy_and_small_values_survive(value: object) -> None:
    """0, 0.0, false and empty values stay, with their types."""
    read = tomllib.loads(render({"a": {"k": value}}))["a"]["k"]
    assert read == value
    assert type(read) is type(value)


def test_lists_become_homogeneous() -> None:
    """[1, 0.5], which the engine's reader refuses, becomes [1.0, 0.5]; whole numbers among themselves stay whole."""
    assert "[ 1.0, 0.5,]" in render({"a": {"k": [1, 0.5]}})
    assert "[ 1, 2,]" in render({"a": {"k": [1, 2]}})


@pytest.mark.parametrize("value", [None, [None], {"x": None}, ["a", 1], [True, 1], object()])
def test_never_writes_none_or_mixed_lists(value: object) -> None:
    """None, alone or in a list, is an error and never the text "None"; so are mixed lists."""
    with pytest.raises(PresetError):
        render({"a": {"k": value}})


def test_nested_lists_of_tables() -> None:
    """[[datasets]] with [[datasets.subsets]] come back from both readers."""
    tables = {"datasets": [{"batch_size": 1, "subsets": [{"image_dir": "/a b"}, {"image_dir": "/c"}]}]}
    assert read_both(render(tables)) == (tables, tables)
