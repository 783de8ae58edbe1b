"""One HTML file about a run that stands alone: it opens from disk, asks no network, and escapes all it shows."""

import base64
import io
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.config import TrainConfig
from kohya_wrap.errors import OutputError
from kohya_wrap.files import write_whole
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import FileEntry
from kohya_wrap.results.compare import flat
from kohya_wrap.results.curves import draw, read_curve

SHOWN_PICTURES = 48
SHOWN_TAGS = 40
_THUMBNAIL = 256
"""Pixels of a thumbnail's longer side."""
_GRID = (1600, 8000)
"""Width and height of a grid at most."""
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A training picture: its name, its caption's beginning, and itself as a data URL ("" when it is gone)."""

    name: str
    caption: str
    picture: str


def write_report(record: RunRecord, out: Path, *, grids: Sequence[Path] = ()) -> Path:
    """Write the report of a run to `out`; `grids`: others than those that the record names. Raises OutputError."""
    write_whole(out, report(record, grids=grids))
    return out


def report(record: RunRecord, *, grids: Sequence[Path] = ()) -> str:
    """Give the report as HTML. What is no longer there (pictures, losses) is left out."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - 0.1 s to import

    loader = PackageLoader("kohya_wrap.results", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    pictures = [entry for entry in record.dataset if entry.path.lower().endswith(_PICTURES)]
    return environment.get_template("report.html.j2").render(
        record=record,
        facts=list(_facts(record)),
        curves=_curves(record),
        grids=list(_grids(grids or [Path(path) for path in record.samples.grids])),
        thumbnails=[_thumbnail(entry, _extension(record)) for entry in pictures[:SHOWN_PICTURES]],
        more=max(0, len(pictures) - SHOWN_PICTURES),
        tags=top_tags(record.dataset, _extension(record)),
        settings=changed_settings(record.preset.resolved),
        machine=[(key, value) for key, value in flat(record.hardware).items() if len(value) < 80],
        commands=_commands(record),
    )


def _facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    counts, losses = record.counts, record.losses
    settings = flat(record.preset.resolved)
    minutes, seconds = divmod(round(record.seconds), 60)
    yield (
        f"{counts.epochs} epochs of {counts.batches_per_epoch}",
        f"{counts.done_steps} of {counts.planned_steps} steps",
    )
    yield "time", f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    if losses.mean is not None and losses.last is not None:
        yield "mean and last loss", f"{losses.mean:.4f}, {losses.last:.4f}"
    yield "pictures with repeats", str(counts.train_images)
    network = f"{settings.get('structure.lora_type', '')}, rank {settings.get('structure.network_dim', '')}"
    yield f"alpha {settings.get('structure.network_alpha', '')}", network
    yield "base model", Path(record.base_model.path).name
    if record.outcome.peak_memory:
        yield "most memory", f"{record.outcome.peak_memory / 1e9:.1f} GB"


def _curves(record: RunRecord) -> str:
    try:
        curve = read_curve(record)
    except OutputError:
        return ""
    image = io.BytesIO()
    draw([curve]).savefig(image, format="svg")
    return _data_url(image.getvalue(), "svg+xml")


def _grids(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Give name and data URL of each grid that is there, small enough to be looked at in a page."""
    for path in paths:
        if picture := _small(path, _GRID):
            yield path.name, picture


def _data_url(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _extension(record: RunRecord) -> str:
    processing = record.preset.resolved.get("processing")
    return str(processing.get("caption_extension", "")) if isinstance(processing, Mapping) else ""


def _thumbnail(entry: FileEntry, extension: str) -> Thumbnail:
    path = Path(entry.path)
    picture = _small(path, (_THUMBNAIL, _THUMBNAIL))
    return Thumbnail(path.name, _caption(path, extension)[:160] if picture else "", picture)


def _small(path: Path, box: tuple[int, int]) -> str:
    """Give a picture that fits a box as a data URL, "" for one that is gone or cannot be read."""
    from PIL import Image  # noqa: PLC0415 - only a report needs it

    image = io.BytesIO()
    try:
        with Image.open(path) as picture:
            picture.draft("RGB", box)
            picture.thumbnail(box)
            picture.convert("RGB").save(image, "JPEG", quality=82)
    except (OSError, Image.DecompressionBombError):
        return ""
    return _data_url(image.getvalue(), "jpeg")


def _caption(picture: Path, extension: str) -> str:
    if not extension:
        return ""
    try:
        return picture.with_suffix(extension).read_text(encoding="utf-8-sig", errors="replace").strip()
    except OSError:
        return ""


def top_tags(files: Sequence[FileEntry], extension: str) -> list[tuple[str, int]]:
    """Count the tags of the captions that are still there, most used first."""
    counted: Counter[str] = Counter()
    for entry in files:
        if extension and entry.path.endswith(extension):
            counted.update({tag for tag in map(str.strip, _caption(Path(entry.path), extension).split(",")) if tag})
    return counted.most_common(SHOWN_TAGS)


def changed_settings(resolved: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """List key, value and default of every setting that is not at its default."""
    setup = resolved.get("setup")
    name = setup.get("project_name", "x") if isinstance(setup, Mapping) else "x"
    defaults = flat(TrainConfig.model_validate({"setup": {"project_name": name}}).model_dump(mode="json"))
    values = flat(resolved)
    keys = dict.fromkeys((*values, *defaults))
    return [(key, values.get(key, ""), defaults.get(key, "")) for key in keys if values.get(key) != defaults.get(key)]


def _commands(record: RunRecord) -> list[str]:
    given = [f"--set {shlex.quote(override)}" for override in record.preset.overrides]
    return [
        f"# from {record.preset.path}, with kohya_wrap {record.wrapper_version}",
        " ".join(("kohya-wrap train", shlex.quote(record.preset.name), *given)),
        "# or from the record alone, with a check that the same comes out:",
        f"kohya-wrap runs reproduce {shlex.quote(record.id)}",
    ]
