"""Which variables reach a command."""

import pytest

from kohya_wrap.launch.environment import STREAMING, clean_environment


def given(base: dict[str, str], **add: str) -> dict[str, str]:
    """Give what gets through beyond what is always set."""
    return {name: value for name, value in clean_environment(base, add=add).items() if name not in STREAMING}


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "LC_ALL", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "https_proxy",
     "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HF_HOME", "HF_ENDPOINT", "XDG_CACHE_HOME", "TORCH_HOME", "TMPDIR"],
)  # fmt: skip
def test_what_a_training_needs_is_inherited(name: str) -> None:
    """The way to the GPU, to the network and to caches is the user's."""
    assert given({name: "value"}) == {name: "value"}


@pytest.mark.parametrize(
    "name",
    ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "ACCELERATE_MIXED_PRECISION",
     "PS1", "LD_PRELOAD", "VIRTUAL_ENV", "TQDM_DISABLE"],
)  # fmt: skip
def test_what_would_change_a_training_is_not(name: str) -> None:
    """Nothing of the caller's shell decides what is trained."""
    assert given({name: "value"}) == {}


@pytest.mark.parametrize("name", ["HF_TOKEN", "WANDB_API_KEY", "CIVITAI_API_TOKEN", "AWS_SECRET_ACCESS_KEY"])
def test_secrets_are_not_handed_on(name: str) -> None:
    """A training needs no secret, and its children get none."""
    assert given({name: "value"}) == {}


def test_a_secret_that_is_needed_is_named() -> None:
    """Who needs one says so."""
    assert clean_environment({"HF_TOKEN": "value"}, add={}, keep=("HF_TOKEN",))["HF_TOKEN"] == "value"


def test_a_family_of_names_can_be_kept() -> None:
    """pip is to see the user's settings of pip, but for secrets."""
    base = {"PIP_INDEX_URL": "index", "PIP_CERT": "cert", "PIPE": "no", "PIP_TOKEN": "no"}
    cleaned = clean_environment(base, add={}, keep=("PIP_",))
    assert {name for name in cleaned if name.startswith("PIP")} == {"PIP_INDEX_URL", "PIP_CERT"}


def test_what_is_added_wins() -> None:
    """What is set for the command is not overruled by the caller's."""
    assert given({"CUDA_VISIBLE_DEVICES": "7"}, CUDA_VISIBLE_DEVICES="0") == {"CUDA_VISIBLE_DEVICES": "0"}


def test_output_arrives_at_once_and_unbroken() -> None:
    """Python prints without holding back, and rich has room for a whole path, whatever the terminal."""
    cleaned = clean_environment({"COLUMNS": "40", "PYTHONUNBUFFERED": ""}, add={})
    assert cleaned["PYTHONUNBUFFERED"] == "1"
    assert int(cleaned["COLUMNS"]) > 300


def test_the_order_is_always_the_same() -> None:
    """Two records of the same environment are the same text."""
    names = list(clean_environment({"PATH": "a", "HOME": "b"}, add={"A": "c"}))
    assert names == sorted(names)
