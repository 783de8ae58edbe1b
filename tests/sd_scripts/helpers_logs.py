"""Recorded logs: the project's own in tests/logs, and those shared beside the project where they are there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_sd_scripts import PROJECT_ROOT, SHARED

from kohya_wrap.events import Event
from kohya_wrap.launch.types import OutputLine
from kohya_wrap.sd_scripts.log_parser import LogParser

OWN = PROJECT_ROOT / "tests" / "logs" / "48d368f"
SHARED_LOGS = SHARED / "data" / "logs" / "48d368f"

_PIECE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")


def split(text: str, stream: str = "stderr") -> Iterator[OutputLine]:
    """Split what a process wrote as the launch room does: at line feeds and carriage returns."""
    for piece in _PIECE.findall(text):
        transient = piece.endswith("\r")
        yield OutputLine("stdout" if stream == "stdout" else "stderr", piece.rstrip("\r\n"), 0.0, transient)


def own(name: str) -> list[OutputLine]:
    """Give a log of tests/logs: its stdout, then its stderr."""
    return [
        line
        for stream in ("stdout", "stderr")
        for line in split((OWN / f"{name}.{stream}.txt").read_bytes().decode(), stream)
    ]


def shared(name: str) -> list[OutputLine]:
    """Give a shared log, or skip."""
    folder = SHARED_LOGS / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    files = sorted(folder.glob("std*"), reverse=True)
    return [line for file in files for line in split(file.read_bytes().decode(), file.name)]


def parse(lines: list[OutputLine]) -> list[Event]:
    """Give all events of a run's lines."""
    parser = LogParser()
    return [event for line in lines for event in parser.feed(line)] + parser.close()


def tail(lines: list[OutputLine]) -> list[str]:
    """Give what the pipeline keeps for a diagnosis: lines that are not overwritten, the last 400."""
    return [line.text for line in lines if not line.transient and line.text.strip()][-400:]


def exit_code(folder: Path) -> int:
    """Give the exit code recorded beside a shared log."""
    return int((folder / "exit-code").read_text())
