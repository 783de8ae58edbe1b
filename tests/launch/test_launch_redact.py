"""What is shown and recorded of a command."""

import shlex
from pathlib import Path

import pytest

from kohya_wrap.launch import LaunchPlan
from kohya_wrap.launch.redact import HIDDEN, is_secret_name, recorded_argv, recorded_env, shown


def plan(*argv: str, secrets: frozenset[str] = frozenset(), **env: str) -> LaunchPlan:
    return LaunchPlan(argv, env, Path("/"), secrets)


def test_a_named_secret_is_hidden_wherever_its_value_stands() -> None:
    """A token is hidden in the environment and inside arguments."""
    given = plan("fetch", "https://host/file?key=abc123", secrets=frozenset({"SITE_KEY"}), SITE_KEY="abc123")
    assert recorded_env(given) == {"SITE_KEY": HIDDEN}
    assert shown(given) == f"fetch 'https://host/file?key={HIDDEN}'"


@pytest.mark.parametrize("argv", [("--wandb_api_key", "s3cret"), ("--wandb_api_key=s3cret",), ("--hf-token", "s3cret")])
def test_an_option_with_a_secret_s_name_is_hidden(argv: tuple[str, ...]) -> None:
    """Options of sd-scripts that carry secrets are hidden without being listed."""
    assert "s3cret" not in shown(plan("train", *argv))


def test_variables_with_a_secret_s_name_are_hidden() -> None:
    """A variable that nobody declared secret, but that is called so, is hidden."""
    assert recorded_env(plan("x", HF_TOKEN="s3cret", LANG="C")) == {"HF_TOKEN": HIDDEN, "LANG": "C"}


def test_a_password_in_an_address_is_hidden() -> None:
    """A proxy is recorded, who uses it is not."""
    assert recorded_env(plan("x", HTTPS_PROXY="http://me:pw@proxy:3128")) == {
        "HTTPS_PROXY": f"http://{HIDDEN}@proxy:3128"
    }


@pytest.mark.parametrize("name", ["keep_tokens", "--max_token_length", "TOKENIZERS_PARALLELISM", "XDG_CACHE_HOME"])
def test_ordinary_names_are_no_secrets(name: str) -> None:
    """Options about tokens of text are shown."""
    assert not is_secret_name(name)


def test_the_shown_command_can_be_typed() -> None:
    """A shell takes the shown line apart into the same arguments."""
    given = plan("/opt/my python", "it's.py", 'a"b', "学習", "$HOME", "")
    assert tuple(shlex.split(shown(given))) == given.argv
    assert recorded_argv(given) == given.argv
