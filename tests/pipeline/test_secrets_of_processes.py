"""No token is in the list of processes, nor handed on to a process that has no use for it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers_faults import WAIT, Broken, broken

__all__ = ["broken"]

SECRETS = {
    "CIVITAI_API_TOKEN": "civitai-0123456789abcdef",
    "HF_TOKEN": "hf_0123456789abcdefghij",
    "KOHYA_WRAP_WEBUI_AUTH": "me:webui-0123456789",
    "GELBOORU_API_KEY": "gelbooru-0123456789abcdef",
}


def test_a_training_s_processes_know_no_token(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it trains: in no command line, of the wrapper neither, and in no environment below it."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    broken.fault(WAIT, at_step=6)
    with broken.training() as training:
        wrapper = psutil.Process(training.wrapper.pid)
        below = wrapper.children(recursive=True)
        assert len(below) >= 2, "launcher and trainer"
        seen = "\n".join(" ".join(each.cmdline()) for each in (wrapper, *below))
        known = "\n".join(f"{name}={value}" for each in below for name, value in each.environ().items())
        written = (broken.run_folder / "run.json").read_text(encoding="utf-8")
        broken.fault("")
        training.wrapper.terminate()
        training.end()
    for value in SECRETS.values():
        assert value not in seen
        assert value not in known
        assert value not in written


def test_a_link_s_token_is_in_no_other_command_line(tmp_path: Path) -> None:
    """What a person types is in their own process; nothing that it starts repeats it."""
    token = SECRETS["CIVITAI_API_TOKEN"]
    link = f"http://127.0.0.1:9/m.safetensors?token={token}"
    env = {**os.environ, **SECRETS, "KOHYA_WRAP_HOME": str(tmp_path)}
    command = [str(Path(sys.executable).with_name("kohya-wrap")), "model", "get", link]
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    below: set[str] = set()
    while child.poll() is None:
        try:
            below |= {" ".join(each.cmdline()) for each in psutil.Process(child.pid).children(recursive=True)}
        except psutil.Error:
            continue
        time.sleep(0.01)
    assert child.returncode != 0
    assert not [line for line in below if token in line]
