"""sd-scripts' own argument parser and dataset sanitizer take every golden pair."""

import json
import subprocess
from pathlib import Path

import pytest
from helpers_sd_scripts import GOLDEN, SHAPES, make_job

from kohya_wrap.families import FAMILIES

pytestmark = pytest.mark.sd_scripts

# The engine's setup_parser and read_config_from_file, then its sanitizer, on each pair given on the command line.
PROGRAM = """
import importlib, json, sys
from library import config_util, sdxl_train_util, train_util

answers = {}
for script, training, dataset in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3]):
    parser = importlib.import_module(script).setup_parser()
    known = set(vars(parser.parse_args([])))
    sys.argv[1:] = ["--config_file", training, "--dataset_config", dataset]
    args = train_util.read_config_from_file(parser.parse_args(), parser)
    if script.startswith("sdxl"):
        sdxl_train_util.verify_sdxl_training_args(args)
    sanitizer = config_util.ConfigSanitizer(True, True, args.masked_loss, True)
    generator = config_util.BlueprintGenerator(sanitizer)
    blueprint = generator.generate(config_util.load_user_config(dataset), args)
    answers[training] = {
        "unknown": sorted(set(vars(args)) - known),
        "args": {key: value for key, value in vars(args).items() if isinstance(value, (str, int, float, list))},
        "image_dirs": [s.params.image_dir for d in blueprint.dataset_group.datasets for s in d.subsets],
    }
print("ANSWER" + json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(engine_python: Path, sd_scripts_checkout: Path) -> dict[str, dict[str, object]]:
    """What the engine read of each golden pair, in one process: importing it takes seconds."""
    pairs = []
    for name, shape in SHAPES.items():
        pairs.append(FAMILIES[shape.family].script.removesuffix(".py"))
        pairs += [str(GOLDEN / f"{name}.{kind}.toml") for kind in ("training", "dataset")]
    done = subprocess.run(
        (str(engine_python), "-c", PROGRAM, *pairs),
        cwd=sd_scripts_checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    read: dict[str, dict[str, object]] = json.loads(done.stdout.rpartition("ANSWER")[2])
    return {Path(path).name.removesuffix(".training.toml"): answer for path, answer in read.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_knows_every_key(answers: dict[str, dict[str, object]], name: str) -> None:
    """No key of a training file is unknown to the engine, which would ignore it without a word."""
    assert answers[name]["unknown"] == (["loose"] if name == "override" else [])


def test_reads_strange_paths(answers: dict[str, dict[str, object]]) -> None:
    """The engine reads quotes, backslashes, Japanese, an emoji and a line break in paths as they were meant."""
    job = make_job(SHAPES["strange-paths"])
    args = answers["strange-paths"]["args"]
    assert isinstance(args, dict)
    assert args["pretrained_model_name_or_path"] == str(job.base_model.path)
    assert answers["strange-paths"]["image_dirs"] == [str(job.dataset.groups[0].subsets[0].image_dir)]


def test_reads_lists_and_zeros(answers: dict[str, dict[str, object]]) -> None:
    """Lists arrive as lists; 0, 0.0 and false arrive as they are."""
    args = answers["passed-through"]["args"]
    assert isinstance(args, dict)
    assert args["network_args"] == ["conv_dim=8", "conv_alpha=4", "loraplus_lr_ratio=4", "rank_dropout=0.1"]
    assert (args["noise_offset"], args["network_dropout"], args["log_config"]) == (0.0, 0, False)
