"""run.json is written whole, read back equal, and never claims that a dead run is running."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kohya_wrap.errors import BadResultError, OutputError
from kohya_wrap.record.model import (
    BaseModelEntry,
    EngineEntry,
    PresetEntry,
    ProcessEntry,
    RunRecord,
    error_entry,
    find_records,
    now,
    read_record,
    write_record,
)


def record(folder: Path, **changes: object) -> RunRecord:
    made = RunRecord(
        id=folder.name,
        project="tiger",
        folder=str(folder),
        wrapper_version="1",
        started=now(),
        seed=0,
        process=ProcessEntry.current(),
        preset=PresetEntry(name="demo", path="presets/demo.toml", resolved={"setup": {"project_name": "虎"}}),
        engine=EngineEntry(name="embedded", commit="1", python="python"),
        base_model=BaseModelEntry(path="base", format="diffusers", family="sd15"),
    )
    return made.with_(**changes)


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Nothing is lost on the way through JSON; a seed of 0 stays 0."""
    written = record(tmp_path, warnings=("a", "b"))
    write_record(written, tmp_path / "run.json")
    assert read_record(tmp_path / "run.json") == written


def test_a_running_process_reads_as_running(tmp_path: Path) -> None:
    """While this process lives, its open record is running."""
    write_record(record(tmp_path), tmp_path / "run.json")
    assert read_record(tmp_path / "run.json").status == "running"


def test_a_process_that_died_reads_as_crashed(tmp_path: Path) -> None:
    """A real process that ended without closing its record has crashed."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    created = psutil.Process(child.pid).create_time()
    process = ProcessEntry(pid=child.pid, created=created, host=ProcessEntry.current().host)
    write_record(record(tmp_path, process=process), tmp_path / "run.json")
    assert read_record(tmp_path / "run.json").status == "running"
    child.kill()
    child.wait()
    assert read_record(tmp_path / "run.json").status == "crashed"


def test_a_pid_that_was_given_away_is_not_the_run(tmp_path: Path) -> None:
    """The same pid with another start time is another process."""
    process = ProcessEntry(pid=os.getpid(), created=1.0, host=ProcessEntry.current().host)
    write_record(record(tmp_path, process=process), tmp_path / "run.json")
    assert read_record(tmp_path / "run.json").status == "crashed"


def test_another_hosts_run_is_taken_at_its_word(tmp_path: Path) -> None:
    """On a shared disk nobody here can know whether a process elsewhere lives."""
    process = ProcessEntry(pid=1, created=1.0, host="another-host")
    write_record(record(tmp_path, process=process), tmp_path / "run.json")
    assert read_record(tmp_path / "run.json").status == "running"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 1}', "\ud800"])
def test_other_json_is_no_record(tmp_path: Path, content: str) -> None:
    """Half a file, another shape and bytes that are no text are refused with the path."""
    path = tmp_path / "run.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(OutputError, match="is not a run record"):
        read_record(path)


def test_a_later_versions_extra_fields_are_ignored(tmp_path: Path) -> None:
    """A record written by a newer kohya_wrap can still be listed."""
    path = tmp_path / "run.json"
    write_record(record(tmp_path), path)
    path.write_text(path.read_text().replace('"format": 1,', '"format": 1, "new": {"a": 1},', 1))
    assert read_record(path).id == tmp_path.name


def test_an_earlier_versions_record_has_no_pictures(tmp_path: Path) -> None:
    """run.json of before there were test pictures reads with none."""
    content = json.loads(record(tmp_path).model_dump_json())
    del content["samples"]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_record(path).samples.pictures == ()


def test_runs_are_found_in_both_layouts_oldest_first(tmp_path: Path) -> None:
    """By project and by category, and a broken record does not hide the others."""
    places = ["Loras/tiger/runs/20260102-1", "lora_training/runs/wolf/20260101-1", "Loras/tiger/runs/20260103-1"]
    for place in places:
        folder = tmp_path / place
        folder.mkdir(parents=True)
        write_record(record(folder), folder / "run.json")
    (tmp_path / places[2] / "run.json").write_text("{")
    found = list(find_records(tmp_path))
    assert [folder.name for folder, _ in found] == ["20260101-1", "20260102-1", "20260103-1"]
    assert [isinstance(each, RunRecord) for _, each in found] == [True, True, False]


def test_an_error_is_recorded_as_it_was_shown() -> None:
    """Class, exit code, message and every problem; a foreign error has exit code 1."""
    entry = error_entry(BadResultError("is cut short", where="a", todo="b"))
    assert (entry.kind, entry.exit_code, entry.message) == ("BadResultError", 31, "a: is cut short → b")
    assert error_entry(ValueError()).message == "ValueError"


def test_times_have_a_zone() -> None:
    """Two times can be told apart across time zones."""
    assert now().endswith("+00:00")
