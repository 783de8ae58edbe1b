"""options.json and the tables about it."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers_sd_scripts import PROJECT_ROOT, SHARED

from kohya_wrap.config import TrainConfig
from kohya_wrap.sd_scripts.generate_options import OPTIONS_FILE, render
from kohya_wrap.sd_scripts.option_owners import DATASET_FILE, FIELDS, OURS, PATH_OPTIONS
from kohya_wrap.sd_scripts.options import is_option, nearest_option, options, options_commit
from kohya_wrap.sd_scripts.pitfalls import PITFALLS


@pytest.mark.parametrize(("script", "count"), [("train_network", 193), ("sdxl_train_network", 196)])
def test_agrees_with_the_measured_parser(script: str, count: int) -> None:
    """Names, types, choices and defaults are those of the engine's parser, read from the parser itself."""
    facts = SHARED / "facts" / f"sd-scripts-args-{script}.json"
    if not facts.is_file():
        pytest.skip(f"{facts} is not there")
    measured = {entry["name"]: entry for entry in json.loads(facts.read_text())}
    read = {name: option for name, option in options().items() if f"{script}.py" in option.scripts}
    assert read.keys() == measured.keys()
    assert len(read) == count
    for name, option in read.items():
        entry = measured[name]
        assert (option.type, option.many, option.default) == (entry["type"], bool(entry["nargs"]), entry["default"])
        assert option.choices == tuple(choice for choice in entry["choices"] or () if choice is not None)


def test_is_of_the_pinned_commit() -> None:
    """options.json was generated from the commit that vendor/sd-scripts.toml pins."""
    pin = PROJECT_ROOT / "vendor" / "sd-scripts.toml"
    assert options_commit() in pin.read_text()


@pytest.mark.sd_scripts
def test_is_what_the_checkout_gives(sd_scripts_checkout: Path) -> None:
    """`make options` on the pinned checkout would change nothing."""
    assert render(sd_scripts_checkout) == OPTIONS_FILE.read_text()


def test_loads_in_ten_milliseconds() -> None:
    """Reading options.json takes less than 10 ms (best of five; `check demo` has half a second in all)."""
    program = (
        "import time; from kohya_wrap.sd_scripts import options as o\n"
        "def once():\n  o._document.cache_clear(); o.options.cache_clear()\n"
        "  t = time.perf_counter(); o.options(); return time.perf_counter() - t\n"
        "print(min(once() for _ in range(5)))"
    )
    done = subprocess.run((sys.executable, "-c", program), check=True, capture_output=True, text=True)
    assert float(done.stdout) < 0.010


@pytest.mark.parametrize("given", ["noise_ofset", "noise-offset", "Noise_Offset", "--noise_offset"])
def test_finds_the_right_name(given: str) -> None:
    """A misspelt, hyphenated, capitalised or dashed name leads to the right one."""
    assert nearest_option(given) == "noise_offset"


def test_far_names_have_no_neighbour() -> None:
    """Nonsense is not answered with a guess."""
    assert nearest_option("qqqqqqqq") == ""


def test_knows_the_script() -> None:
    """An SDXL-only option is none of train_network.py."""
    assert not is_option("cache_text_encoder_outputs")
    assert is_option("cache_text_encoder_outputs", "sdxl_train_network.py")


def test_every_owner_is_a_field() -> None:
    """Each option that a field sets names a field that exists."""
    for field in FIELDS.values():
        table, _, key = field.partition(".")
        annotation = TrainConfig.model_fields[table].annotation
        assert annotation is not None
        assert key in annotation.model_fields


def test_the_tables_speak_of_real_options() -> None:
    """FIELDS, OURS and the pitfalls hold options of the engine only; DATASET_FILE has the dataset file's own too."""
    assert all(is_option(name) for name in (*FIELDS, *OURS, *PATH_OPTIONS))
    assert all(is_option(pitfall.option, "sdxl_train_network.py") for pitfall in PITFALLS)
    assert not FIELDS.keys() & OURS.keys()
    assert not DATASET_FILE.keys() & (FIELDS.keys() | OURS.keys())


def test_what_the_files_contain_is_owned(golden_keys: set[str]) -> None:
    """Every option that a training file of ours can contain cannot be given a second time under [sd_scripts]."""
    free = (
        golden_keys
        - FIELDS.keys()
        - OURS.keys()
        - {"network_args", "prior_loss_weight", "sample_every_n_epochs"}
        - {"v_parameterization", "scale_v_pred_loss_like_noise_pred", "zero_terminal_snr", "no_half_vae"}
        - PATH_OPTIONS
    )
    assert free == set()


@pytest.fixture
def golden_keys() -> set[str]:
    """The keys of all golden training files that the wrapper itself wrote."""
    keys: set[str] = set()
    for path in Path(PROJECT_ROOT / "tests" / "golden").glob("*.training.toml"):
        if path.name.startswith("override"):
            continue
        for name, section in tomllib.loads(path.read_text()).items():
            keys |= set() if name == "sd_scripts" else set(section)
    return keys
