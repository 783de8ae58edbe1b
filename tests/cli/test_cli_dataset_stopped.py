"""Ctrl-C in the midst of a dataset verb, as a user sees it."""

import pytest

from kohya_wrap.cli.dataset.bar import bar


def test_what_ctrl_c_left_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Where to look and how to go back; the interrupt itself goes on, and gives its exit code."""
    with pytest.raises(KeyboardInterrupt), bar():
        raise KeyboardInterrupt
    assert "stopped; `kohya-wrap dataset history` shows" in capsys.readouterr().err
