"""The text grammar of A1111, its forks and Civitai: every edge case known of it, read and written again."""

import dataclasses
import random
import time

import pytest

from kohya_wrap.results.parameters import Parameters, parse_text, to_text, webui_fields

MODERN = (
    "a (red:1.2) fox <lora:foxes:0.8>\nsecond line\n"
    "Negative prompt: blurry,\nugly\n"
    "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 0, Size: 512x768, "
    "Model hash: 167e5bcb37, Model: crosskemono25, VAE hash: 735e4c3a44, VAE: kl-f8.safetensors, Clip skip: 2, "
    'ENSD: 31337, Hires prompt: "a fox, sharp: very", Lora hashes: "foxes: 0123456789ab, wolves: ba9876543210", '
    'TI hashes: "EasyNegative: c74b4e810b03", Version: v1.9.4'
)


def unsaid(parameters: Parameters) -> Parameters:
    """The same parameters without where they came from, so that writing cannot lean on the raw text."""
    return dataclasses.replace(parameters, raw="", carrier="text")


def test_prompt_negative_and_settings_are_told_apart() -> None:
    """Both prompts keep their lines; settings keep their order and their text."""
    parameters = parse_text(MODERN)
    assert parameters.prompt == "a (red:1.2) fox <lora:foxes:0.8>\nsecond line"
    assert parameters.negative_prompt == "blurry,\nugly"
    assert list(parameters.settings)[:5] == ["Steps", "Sampler", "Schedule type", "CFG scale", "Seed"]
    assert (parameters.steps, parameters.seed, parameters.cfg_scale) == (20, 0, 7.5)
    assert parameters.size == (512, 768)
    assert parameters.clip_skip == 2


def test_quoted_values_keep_commas_and_colons() -> None:
    """A JSON-quoted value is one value, however many commas it holds."""
    settings = parse_text(MODERN).settings
    assert settings["Hires prompt"] == "a fox, sharp: very"
    assert settings["Lora hashes"] == "foxes: 0123456789ab, wolves: ba9876543210"
    assert settings["Version"] == "v1.9.4"


@pytest.mark.parametrize(
    ("line", "is_settings"),
    [
        ("Steps: 20, Sampler: Euler a", False),
        ("Steps: 20, Sampler: Euler a, Seed: 1", True),
        ("ab: 1, cd: 2, ef: 3", True),
    ],
)
def test_a_last_line_needs_three_pairs_to_be_settings(line: str, is_settings: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """With fewer it is prompt text, as in the WebUI."""
    parameters = parse_text(f"a fox\n{line}")
    assert bool(parameters.settings) is is_settings
    assert (line in parameters.prompt) is not is_settings


def test_a_line_with_pairs_that_is_not_last_is_prompt() -> None:
    """Only the end of the text can hold settings."""
    parameters = parse_text("one: 1, two: 2, three: 3\na fox\nSteps: 20, Seed: 3, Size: 8x8")
    assert parameters.prompt == "one: 1, two: 2, three: 3\na fox"


@pytest.mark.parametrize("text", ["Negative prompt: bad", "   Negative prompt: bad   "])
def test_a_negative_prompt_can_stand_alone(text: str) -> None:
    """No prompt before it and no settings after it are needed."""
    parameters = parse_text(text)
    assert (parameters.prompt, parameters.negative_prompt, dict(parameters.settings)) == ("", "bad", {})


def test_a_second_negative_line_is_text() -> None:
    """The first line that starts with the words switches; one that follows is kept as it is."""
    parameters = parse_text("a\nNegative prompt: b\nNegative prompt: c")
    assert parameters.negative_prompt == "b\nNegative prompt: c"


def test_negative_prompt_inside_a_line_is_prompt() -> None:
    """The words switch only where a line starts with them."""
    assert parse_text("a sign saying Negative prompt: x\nSteps: 1, Seed: 2, Size: 8x8").negative_prompt == ""


def test_a_broken_quoted_value_stays_raw() -> None:
    r"""JSON knows no \x: the value is left as it was written, quotes and all."""
    assert parse_text('p\nSteps: 1, Seed: 2, Odd: "a\\x, b"').settings["Odd"] == '"a\\x, b"'


def test_escapes_in_quoted_values() -> None:
    """Backslashes, quotes, line breaks and other scripts come back."""
    value = 'say "hi",\n\\ 日本'
    text = to_text(Parameters("p", settings={"Steps": "1", "Seed": "2", "Note": value}))
    assert parse_text(text).settings["Note"] == value


def test_values_are_never_numbers() -> None:
    """A hash that looks like a number, even an infinite one, stays a text."""
    settings = parse_text("p\nSteps: 1, Model hash: 1234567890, VAE hash: 45e1234567, Seed: 007").settings
    assert (settings["Model hash"], settings["VAE hash"], settings["Seed"]) == ("1234567890", "45e1234567", "007")


def test_the_webui_s_view_splits_sizes_and_fills_defaults() -> None:
    """WxH gives Key-1 and Key-2; what is not said has the WebUI's default."""
    fields = webui_fields(parse_text("p\nSteps: 1, Seed: 2, Size: 512x768, Mask size: 64x32"))
    assert (fields["Size-1"], fields["Size-2"], fields["Mask size-2"]) == ("512", "768", "32")
    assert (fields["Clip skip"], fields["RNG"], fields["Schedule type"]) == ("1", "GPU", "Automatic")


@pytest.mark.parametrize(
    ("line", "sampler", "schedule"),
    [
        ("Sampler: DPM++ 2M Karras", "DPM++ 2M", "Karras"),
        ("Sampler: DPM++ 2M, Schedule type: Karras", "DPM++ 2M", "Karras"),
        ("Sampler: DPM++ 2M SDE Exponential", "DPM++ 2M SDE", "Exponential"),
        ("Sampler: Euler a", "Euler a", "Automatic"),
    ],
)
def test_old_sampler_names_hold_the_schedule(line: str, sampler: str, schedule: str) -> None:
    """2023 wrote sampler and schedule in one name."""
    parameters = parse_text(f"p\nSteps: 1, Seed: 2, {line}")
    assert (parameters.sampler, parameters.schedule) == (sampler, schedule)


CIVITAI = (
    "p\nNegative prompt: n\nSteps: 30, Sampler: Euler, Seed: 5, Created Date: 2024-05-01T10:20:30.1234Z, "
    'Hashes: {"model": "167e5bcb37", "lora:fox": "aabbccddeeff", "deep": {"a": [1, {"b": "},"}]}}, '
    'Civitai resources: [{"type":"checkpoint","modelVersionId":47368,"modelName":"Crosskemono"},'
    '{"type":"lora","weight":0.7,"modelVersionId":123,"modelName":"Foxes"}], '
    'Civitai metadata: {"remixOfId": 1}, Tail: x'
)


def test_unquoted_json_with_nested_braces_is_one_value() -> None:
    """Civitai writes Hashes, resources and metadata as bare JSON; what follows is read on."""
    settings = parse_text(CIVITAI).settings
    assert settings["Hashes"].endswith('{"b": "},"}]}}')
    assert settings["Civitai metadata"] == '{"remixOfId": 1}'
    assert settings["Tail"] == "x"


def test_iso_dates_hold_colons() -> None:
    """A colon in an unquoted value starts no key."""
    assert parse_text(CIVITAI).settings["Created Date"] == "2024-05-01T10:20:30.1234Z"


def test_lines_after_the_settings_line_belong_to_it() -> None:
    """The block begins where a line starts with Steps, whatever follows."""
    parameters = parse_text("p\nSteps: 1, Seed: 2, Size: 8x8\nWildcard: y\nMore: z")
    assert parameters.prompt == "p"
    assert (parameters.settings["Wildcard"], parameters.settings["More"]) == ("y", "z")


def test_templates_after_the_settings_are_values_of_their_own() -> None:
    """Dynamic prompts' templates, with commas, weights and lines, end where the next key begins."""
    text = (
        "p\nSteps: 1, Seed: 2, Size: 8x8\nTemplate: a {cat|dog}, (blue:1.2),\nsecond line\n"
        "Negative Template: bad, (worse:1.3), Version: v1.6.0"
    )
    settings = parse_text(text).settings
    assert settings["Template"] == "a {cat|dog}, (blue:1.2),\nsecond line"
    assert settings["Negative Template"] == "bad, (worse:1.3)"
    assert settings["Version"] == "v1.6.0"


def test_a_template_full_of_pairs_is_not_the_settings_line() -> None:
    """Its line may be the last one and hold three pairs: the settings are still those that start with Steps."""
    parameters = parse_text("p\nSteps: 1, Seed: 2, Size: 8x8\nTemplate: aa: 1, bb: 2, cc: 3, dd: 4")
    assert (parameters.prompt, parameters.seed) == ("p", 2)


def test_junk_keys_are_left_out() -> None:
    """Resources and Hashed prompt are mistakes of an old extension."""
    text = (
        'p\nSteps: 1, Seed: 2, Size: 8x8, Resources: [{"a": 1}], Hashed prompt: abc, Hashed Negative prompt: d, Tail: x'
    )
    assert list(parse_text(text).settings) == ["Steps", "Seed", "Size", "Tail"]


@pytest.mark.parametrize(
    "text",
    [
        "a cat. Negative prompt: dog, wet Steps: 20, Sampler: Euler a, Seed: 7, Size: 64x64",
        "a cat. Negative prompt: dog, wet. Steps: 20, Seed: 7",
        "a cat.\nNegative prompt: dog, wet, Steps: 20, Sampler: Euler a, Seed: 7",
    ],
)
def test_jammed_text_is_taken_apart(text: str) -> None:
    """Text that lost its line breaks on the way is still told apart."""
    parameters = parse_text(text)
    assert parameters.prompt == "a cat."
    assert parameters.negative_prompt.rstrip(".") == "dog, wet"
    assert (parameters.steps, parameters.seed) == (20, 7)


@pytest.mark.parametrize("head", ["Parameters: ", "parameters\n\n", "\ufeff", "\n\n  "])
def test_what_stands_before_the_prompt_is_cut(head: str) -> None:
    """A label, a byte order mark and blank lines are no prompt."""
    assert parse_text(f"{head}a fox\nSteps: 1, Seed: 2, Size: 8x8").prompt == "a fox"


def test_a_trailing_comma_adds_nothing() -> None:
    """The last value ends at the comma."""
    assert dict(parse_text("p\nSteps: 1, Seed: 2, Size: 8x8,").settings) == {"Steps": "1", "Seed": "2", "Size": "8x8"}


def test_windows_line_breaks() -> None:
    """Pasted text of Windows reads the same."""
    assert unsaid(parse_text(MODERN.replace("\n", "\r\n"))) == unsaid(parse_text(MODERN))


def test_empty_values_stay() -> None:
    """A key without a value is there, and empty."""
    assert parse_text("p\nSteps: 1, VAE: , Seed: 2").settings["VAE"] == ""


@pytest.mark.parametrize("text", ["", "   ", "\n\n", ":", "Negative prompt:", "Steps: ", ",,,", "\0"])
def test_nothing_to_read_is_no_error(text: str) -> None:
    """Any text is parameters, if only an empty prompt."""
    assert dict(parse_text(text).settings) == {}


def test_loras_of_the_prompt_get_their_hashes() -> None:
    """Tag and "Lora hashes" are one LoRA; a LoRA that only the hashes name is listed too."""
    fox, wolf = parse_text(MODERN).loras
    assert (fox.name, fox.weight, fox.hash) == ("foxes", 0.8, "0123456789ab")
    assert (wolf.name, wolf.weight, wolf.hash) == ("wolves", None, "ba9876543210")


@pytest.mark.parametrize(
    ("tag", "name", "weight"),
    [
        ("<lora:a b (v1):0.5>", "a b (v1)", 0.5),
        ("<lora:x>", "x", 1.0),
        ("<lora:x:-1>", "x", -1.0),
        ("<lora:x:0>", "x", 0.0),
        ("<lora:x:0.7:lbw=OUTD>", "x", 0.7),
        ("<lora:x:te=0.3:unet=0.6>", "x", 0.3),
        ("<lyco:y:0.4>", "y", 0.4),
        ("<LORA:z:1.5:0.2>", "z", 1.5),
    ],
)
def test_every_form_of_lora_tag(tag: str, name: str, weight: float) -> None:
    """Weights may be missing, zero, negative, named, or followed by block weights."""
    (lora,) = parse_text(f"a fox {tag}, red").loras
    assert (lora.name, lora.weight) == (name, weight)


def test_embeddings_with_hashes() -> None:
    """TI hashes name the embeddings."""
    (embedding,) = parse_text(MODERN).embeddings
    assert (embedding.name, embedding.hash) == ("EasyNegative", "c74b4e810b03")


def test_model_and_vae_with_hashes() -> None:
    """Name and hash of the base model and of the VAE."""
    parameters = parse_text(MODERN)
    assert parameters.model is not None
    assert parameters.vae is not None
    assert (parameters.model.name, parameters.model.hash) == ("crosskemono25", "167e5bcb37")
    assert (parameters.vae.name, parameters.vae.hash) == ("kl-f8.safetensors", "735e4c3a44")


def test_civitai_resources_are_resources() -> None:
    """The checkpoint joins the model hash, LoRAs come with weight and version, each once."""
    parameters = parse_text(CIVITAI)
    assert parameters.model is not None
    assert (parameters.model.hash, parameters.model.version_id) == ("167e5bcb37", 47368)
    assert [(lora.name, lora.weight, lora.hash) for lora in parameters.loras] == [
        ("fox", None, "aabbccddeeff"),
        ("Foxes", 0.7, ""),
    ]


def test_civitai_s_resource_names_tell_the_version() -> None:
    """An entry with an air name and no version id has the version after the @."""
    text = 'p\nSteps: 1, Seed: 2, Civitai resources: [{"type":"lora","air":"urn:air:sd1:lora:civitai:82098@87153"}]'
    assert [lora.version_id for lora in parse_text(text).loras] == [87153]


def test_additional_networks_are_loras() -> None:
    """The AddNet keys of 2023: name(hash) and weight."""
    text = (
        "p\nSteps: 1, Seed: 2, AddNet Enabled: True, AddNet Module 1: LoRA, "
        "AddNet Model 1: fox-10(aabbccddeeff), AddNet Weight A 1: 0.6"
    )
    (lora,) = parse_text(text).loras
    assert (lora.name, lora.hash, lora.weight) == ("fox-10", "aabbccddeeff", 0.6)


@pytest.mark.parametrize(
    ("settings", "source"),
    [
        ("Version: v1.6.0", "a1111"),
        ("Version: f2.0.1v1.10.1-previous-600-g1234", "forge"),
        ("App: SD.Next, Version: abc", "sdnext"),
        ("Civitai resources: []", "civitai"),
    ],
)
def test_forks_are_told_apart(settings: str, source: str) -> None:
    """What a program writes of itself names it."""
    assert parse_text(f"p\nSteps: 1, Seed: 2, {settings}").source == source


CASES = [
    MODERN,
    CIVITAI,
    "a fox",
    "Negative prompt: n",
    "a cat. Negative prompt: dog Steps: 20, Sampler: Euler a, Seed: 7, Size: 64x64",
    "p\nSteps: 1, Seed: 2, Size: 8x8,",
    "p\r\nNegative prompt: n\r\nSteps: 1, Seed: 2, Size: 8x8\r\n",
    "p\nSteps: 1, Seed: 2, Size: 8x8\nTemplate: a, (b:1.2),\nline\nNegative Template: c, Version: v1",
    'p\nSteps: 1, Seed: 2, Size: 8x8, Odd: "a\\x, b", Junk: {"a": , Same: 1, Same: 2',
    "Parameters: p\nSteps: 1, Seed: 2, VAE: , Size: 8x8",
    'p\nSteps: 1, Seed: 2, Array: [1, 2], Text: "[1, 2]", Brace: {, Quote: ", Blank: " a"',
]


@pytest.mark.parametrize("text", CASES)
def test_unchanged_parameters_are_written_byte_for_byte(text: str) -> None:
    """Parse and write is the identity on any text."""
    assert to_text(parse_text(text)) == text


@pytest.mark.parametrize("text", CASES)
def test_written_from_the_fields_they_say_the_same(text: str) -> None:
    """Without the raw text, writing and reading gives the same prompts, settings in order, and resources."""
    first = unsaid(parse_text(text))
    second = unsaid(parse_text(to_text(first)))
    assert second == first
    assert list(second.settings) == list(first.settings)


def test_the_writer_writes_as_the_webui_does() -> None:
    """A text of the WebUI is written from the fields alone in the very same bytes."""
    assert to_text(unsaid(parse_text(MODERN))) == MODERN


def test_changed_parameters_are_written_anew() -> None:
    """The raw text is not given back for parameters that no longer say what it says."""
    changed = dataclasses.replace(parse_text(MODERN), prompt="a wolf")
    assert to_text(changed).startswith("a wolf\nNegative prompt: blurry")


WORDS = (
    *(
        "a",
        "fox",
        "\n",
        ", ",
        ": ",
        '"',
        "\\",
        "{",
        "}",
        "[",
        "Negative prompt:",
        "Template: ",
        "Size: 8x8",
        "Seed: 1",
        " ",
    ),
    *("<lora:x:1>", "Hashes: ", '{"a": 1}', "Resources: ", "-", "日", "\r\n", "key", "Negative Template: ", "\t", "]"),
)


def test_random_texts_are_read_and_written_without_loss() -> None:
    """Three thousand texts of the grammar's own words: the same bytes, and the same fields when written from them."""
    chance = random.Random(1)  # noqa: S311 - a seeded test
    for _ in range(3000):
        words = [chance.choice(WORDS) for _ in range(chance.randint(1, 40))]
        text = "".join([*words[:20], "\nSteps: 20, Seed: 1, Size: 8x8", *words[20:]])
        first = unsaid(parse_text(text))
        assert to_text(parse_text(text)) == text
        assert unsaid(parse_text(to_text(first))) == first


MEGABYTE = 1_000_000
HOSTILE = {
    "spaces": " " * MEGABYTE,
    "line breaks": "\n" * MEGABYTE,
    "line breaks after settings": "Steps: 1, aa: 2, bb: 3\nTemplate: x" + "\n" * MEGABYTE + "y",
    "one word": "a" * MEGABYTE,
    "words": "a b " * (MEGABYTE // 4),
    "key characters": "Steps: 1, bb: 2, cc: 3, " + "a-/ " * (MEGABYTE // 4),
    "colons": "Steps: 1, bb: 2, cc: 3, " + ":" * MEGABYTE,
    "tiny keys": "Steps: 1, bb: 2, cc: 3, " + "a:" * (MEGABYTE // 2),
    "keys": "Steps: 1, " + "aa: 1, " * (MEGABYTE // 7),
    "open quotes": "Steps: 1, " + 'aa: "x, ' * (MEGABYTE // 8),
    "backslashes": 'Steps: 1, bb: 2, cc: "' + "\\" * MEGABYTE,
    "open braces": "Steps: 1, bb: 2, cc: " + "[" * MEGABYTE,
    "braces in keys": "Steps: 1, " + 'aa: {"a": [1, ' * (MEGABYTE // 14),
    "open JSON": "Steps: 1, " + 'aa: ["bb: [",' * (MEGABYTE // 13),
    "a long number": "Steps: 1, bb: 2, cc: " + "9" * MEGABYTE,
    "open tags": "<lora:" * (MEGABYTE // 6),
    "tags": "<lora:a:1>" * (MEGABYTE // 10),
    "tag of colons": "<lora:" + ":" * MEGABYTE,
    "settings lines": "Steps: 1\n" * (MEGABYTE // 9),
    "whole settings lines": "Steps: 1, Seed: 2\n" * (MEGABYTE // 18),
    "templates": "Steps: 1, bb: 2, cc: 3\n" + "Template: a, " * (MEGABYTE // 13),
    "jammed": "x Steps: 1" * (MEGABYTE // 10),
    "negative prompts": "Negative prompt: " * (MEGABYTE // 17),
    "hashes": 'Steps: 1, bb: 2, Lora hashes: "' + "a: 0123456789, " * (MEGABYTE // 15) + '"',
    "hash without colon": "Steps: 1, bb: 2, Lora hashes: " + "a" * MEGABYTE,
    "many addnets": "Steps: 1, " + "".join(f"AddNet Model {n}: ((((((((((, " for n in range(MEGABYTE // 32)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_megabyte_takes_under_a_second(text: str) -> None:
    """Reading is linear in the text, whatever it is made of; so is writing it again."""
    started = time.process_time()
    parameters = parse_text(text)
    assert time.process_time() - started < 1
    assert to_text(parameters) == text
