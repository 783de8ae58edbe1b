"""reproduce(): a run again from its record alone, in a folder of its own, held against the first."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import toml

from kohya_wrap import base_models, dataset
from kohya_wrap.base_models.named import TINY_RANDOM
from kohya_wrap.dataset.demo import BUILTIN
from kohya_wrap.dataset.folder import is_picture
from kohya_wrap.dataset.wanted import Wanted
from kohya_wrap.errors import BaseModelError, DatasetError, OutputError
from kohya_wrap.events import FETCHING, Event, Notice, Progress
from kohya_wrap.files import output_error, write_whole
from kohya_wrap.pipeline import OnEvent, RunResult, plan, run
from kohya_wrap.planning import Plan
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import FileEntry
from kohya_wrap.record.parts import changed_files
from kohya_wrap.results.compare import Difference, compare
from kohya_wrap.results.lora_file import read_lora
from kohya_wrap.results.same import TensorDifference, tensor_difference
from kohya_wrap.sd_scripts.pitfalls import setup_of

_PLACES = frozenset({"setup.optional_custom_training_model_url", "setup.base_model_sha256", "dataset.images"})
"""Settings that only say where the same bytes lie this time."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A repeated run. `differences`: of what went in and how it ran; `tensors`: by epoch, of what came out.

    An epoch whose first LoRA is no longer there is compared by its recorded hash: `largest` is then nan.
    """

    result: RunResult
    differences: tuple[Difference, ...]
    tensors: dict[int, TensorDifference]

    @property
    def identical(self) -> bool:
        """Whether every LoRA of the first run came out again, bit by bit."""
        return bool(self.tensors) and all(each.identical for each in self.tensors.values())


def reproduce(record: RunRecord, *, into: Path, on_event: OnEvent | None = None, offline: bool = False) -> Reproduction:
    """Repeat a run from its record in the new folder `into`, and compare what comes out.

    The files that the record names are checked by their SHA256 first; a base model that is gone is fetched again, in
    the version that it was. Raises DatasetError with every picture or caption that is gone or changed, BaseModelError
    where the base model is another one by now, OutputError where `into` is not empty, and all that `run` raises.
    """
    if record.continued and record.continued.changed:
        what = f"went on with other settings than it began with ({', '.join(record.continued.changed)})"
        raise OutputError(what, where=record.id, todo=f"reproduce {record.continued.run}, which it went on from")
    planned = replace(plan_again(record, into=into), samples=())  # pictures are no part of what is compared
    _check_folder(record, planned, on_event, offline=offline)
    result = run(planned, on_event=on_event, offline=offline)
    causes = [each for each in compare(record, result.record) if each.part != "LoRA tensors"]
    return Reproduction(
        result=result,
        differences=tuple(each for each in causes if each.name not in _PLACES),
        tensors=_tensors(record, result),
    )


def _check_folder(record: RunRecord, planned: Plan, on_event: OnEvent | None, *, offline: bool) -> None:
    """Hold a diffusers folder against the record, file by file: the hash of a single file is pinned in the preset."""
    tell = on_event or _ignore
    file = planned.located.file
    if record.base_model.sha256 or planned.located.failure or (file is not None and file.builtin):
        return
    folder = base_models.obtain(
        planned.located,
        cache=planned.cache,
        say=lambda text: tell(Notice(text)),
        on_progress=lambda done, total: tell(Progress(FETCHING, done, total)),
        offline=offline,
    ).path
    files = [entry.model_copy(update={"path": str(folder / entry.path)}) for entry in record.base_model.files]
    if problems := list(changed_files(files)):
        raise BaseModelError.of(problems, what="the run cannot be repeated: its base model is another one by now")


def plan_again(record: RunRecord, *, into: Path) -> Plan:
    """Lay out a recorded run in `into`: its preset, its pictures and captions; and plan it. Raises as `reproduce`.

    A picture that is gone, and came by a link with its hash, is fetched again by the run. The other steps of [dataset]
    are not done again: what they made is what is laid out.
    """
    if into.exists() and any(into.iterdir()):
        raise OutputError("is not empty", where=str(into), todo="give a new folder with --into")
    root = root_of(record)
    files = [entry for entry in record.dataset if not _is_drawn(record)]
    links = _links(record)
    gone = {entry.sha256: entry for entry in files if entry.sha256 in links and not Path(entry.path).exists()}
    files = [entry for entry in files if entry.sha256 not in gone]
    if problems := list(changed_files(files)):
        raise DatasetError.of(problems, what="the run cannot be repeated: what it was trained on is no longer there")
    try:
        into.mkdir(parents=True, exist_ok=True)
        for entry in files:
            _copy(Path(entry.path), root, into)
    except OSError as error:
        raise output_error(error, into) from error
    preset = into / f"{record.preset.name}.toml"
    named = [str(into / path.relative_to(root)) for path in _pictures(files) if path.is_relative_to(root)]
    images = [*(links[sha256] for sha256 in gone), *named] if gone else []
    write_whole(preset, toml.dumps(_preset(record, images=images)))
    planned = plan(preset, root=into)
    dataset.materialise(planned.dataset)
    return replace(planned, wanted=Wanted(links=planned.wanted.links))


def root_of(record: RunRecord) -> Path:
    """Give the folder in which the run's Loras/ (or lora_training/) lies. Raises OutputError where it names none."""
    above = Path(record.folder).parents
    if len(above) < 4:
        raise OutputError(f"its record names no folder of a run: {record.folder!r}", where=record.id)
    return above[3]


def _pictures(files: Sequence[FileEntry]) -> list[Path]:
    return [path for entry in files if is_picture(path := Path(entry.path))]


def _links(record: RunRecord) -> dict[str, str]:
    """Give the links of dataset.images by the hash that each names."""
    table = record.preset.stated.get("dataset")
    images = table.get("images", ()) if isinstance(table, Mapping) else ()
    texts = [images] if isinstance(images, str) else images if isinstance(images, list | tuple) else ()
    parted = [str(text).partition("#sha256=") for text in texts]
    return {sha256.lower(): f"{url}{mark}{sha256}" for url, mark, sha256 in parted if mark and "://" in url}


def _is_drawn(record: RunRecord) -> bool:
    return BUILTIN in (record.preset.stated.get("dataset") or {}).get("images", "")  # type: ignore[attr-defined]  # a table


def _copy(path: Path, root: Path, into: Path) -> None:
    """Copy a file to the same place below `into` that it has below `root`; one that lies elsewhere is used there."""
    if not path.is_relative_to(root):
        return
    target = into / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def _preset(record: RunRecord, *, images: list[str]) -> dict[str, object]:
    """Give the preset as it was stated, overrides and all, with places that hold in another folder."""
    tables: dict[str, dict[str, object]] = {
        name: dict(table) for name, table in record.preset.stated.items() if isinstance(table, dict)
    }
    setup = tables.setdefault("setup", {})
    base, was = record.base_model, setup_of(record.preset.resolved)
    here = Path(base.path).exists()
    if setup.get("training_model") != TINY_RANDOM and (here or base.pinned):
        setup["optional_custom_training_model_url"] = base.path if here else base.pinned
        setup["custom_model_is_sdxl"] = was.family == "sdxl"  # which the name of a model may have said
        setup["custom_model_is_vpred"] = was.family == "sdxl" and was.predicts_v
    if base.sha256:
        setup["base_model_sha256"] = base.sha256
    if not _is_drawn(record):
        tables.setdefault("dataset", {})["images"] = images
    root = root_of(record)
    for table, key in (("setup", "vae"), ("training", "continue_from_lora"), ("extras", "override_config_file")):
        given = tables.get(table, {}).get(key)
        if isinstance(given, str) and given and (root / given).exists():
            tables[table][key] = str(root / given)
    return {**tables}


def _tensors(record: RunRecord, result: RunResult) -> dict[int, TensorDifference]:
    again = {lora.epoch: lora for lora in result.loras}
    found: dict[int, TensorDifference] = {}
    for first in record.loras:
        second = again.get(first.epoch)
        if second is None:
            found[first.epoch] = TensorDifference(missing=(first.path,))
        elif second.tensors_sha256 == first.tensors_sha256:
            found[first.epoch] = TensorDifference()
        elif Path(first.path).is_file():
            found[first.epoch] = tensor_difference(read_lora(Path(first.path)), read_lora(second.path))
        else:
            found[first.epoch] = TensorDifference(largest=float("nan"), where=first.path)
    return found


def _ignore(event: Event) -> None:
    """Stand in for a caller who does not listen."""
