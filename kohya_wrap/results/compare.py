"""What differs between two runs: settings, pictures, base model, versions, machine, losses, results."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import FileEntry


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: where it belongs, its name, and what each run has ("" for nothing)."""

    part: str
    name: str
    first: str
    second: str


def compare(first: RunRecord, second: RunRecord) -> tuple[Difference, ...]:
    """List all that differs between two runs, causes before effects; ids, times and folders are left out."""
    return tuple(_differences(first, second))


def _differences(first: RunRecord, second: RunRecord) -> Iterator[Difference]:
    yield from _by_key("settings", flat(first.preset.resolved), flat(second.preset.resolved))
    yield from _files(first.dataset, second.dataset)
    yield from _by_key("base model", _base(first), _base(second))
    yield from _by_key("engine", _engine(first), _engine(second))
    yield from _by_key("machine", flat(first.hardware), flat(second.hardware))
    yield from _by_key("choices", flat(first.choices), flat(second.choices))
    yield from _by_key("result", _result(first), _result(second))
    yield from _loras(first, second)


def flat(tables: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Give nested tables as "table.key" -> text."""
    found: dict[str, str] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        elif value not in (None, "", (), [], {}):
            found[f"{prefix}{key}"] = value if isinstance(value, str) else repr(value)
    return found


def _by_key(part: str, first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys((*first, *second)):
        values = first.get(name, ""), second.get(name, "")
        if values[0] != values[1]:
            yield Difference(part, name, *values)


def _files(first: tuple[FileEntry, ...], second: tuple[FileEntry, ...]) -> Iterator[Difference]:
    names = [{entry.path.rpartition("/")[2]: entry.sha256[:10] for entry in entries} for entries in (first, second)]
    yield from _by_key("dataset", *names)


def _base(record: RunRecord) -> dict[str, str]:
    base = record.base_model
    files = {f"file {entry.path}": entry.sha256[:10] for entry in base.files}
    return {"family": base.family, "sha256": base.sha256[:10], **({} if base.sha256 else files)}


def _engine(record: RunRecord) -> dict[str, str]:
    engine = record.engine
    return {"name": engine.name, "commit": engine.commit, "kohya_wrap": record.wrapper_version, **engine.versions}


def _result(record: RunRecord) -> dict[str, str]:
    losses = record.losses
    return {
        "status": record.status,
        "steps": str(record.counts.done_steps),
        "mean loss": "" if losses.mean is None else f"{losses.mean:.6g}",
        "last loss": "" if losses.last is None else f"{losses.last:.6g}",
    }


def _loras(first: RunRecord, second: RunRecord) -> Iterator[Difference]:
    by_epoch = [{f"epoch {lora.epoch}": lora.tensors_sha256[:10] for lora in run.loras} for run in (first, second)]
    yield from _by_key("LoRA tensors", *by_epoch)
