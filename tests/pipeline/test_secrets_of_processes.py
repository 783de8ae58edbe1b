"""No token is in the list of processes, nor handed on to a process that has no use for it."""

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
