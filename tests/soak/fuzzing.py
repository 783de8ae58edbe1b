"""Parsers of foreign bytes as functions of bytes, and inputs for them: noise, and real files with damage."""

import copy
import hashlib
import io
import itertools
import json
import os
import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from PIL import Image, PngImagePlugin

from kohya_wrap import KohyaWrapError
from kohya_wrap.base_models.header import read_header
from kohya_wrap.dataset.archives import unpack
from kohya_wrap.dataset.boorus import BOORUS, Keys
from kohya_wrap.dataset.boorus.answers import read_page
from kohya_wrap.dataset.verbs.scrape import caption_text
from kohya_wrap.dataset.verbs.scrape_search import ScrapeOptions, Search
from kohya_wrap.launch import Outcome, OutputLine
from kohya_wrap.launch.lines import LineSplitter
from kohya_wrap.presets import load
from kohya_wrap.record import RunRecord, read_record
from kohya_wrap.record.model import BaseModelEntry, EngineEntry, FileEntry, PresetEntry, ProcessEntry
from kohya_wrap.results.lora_file import not_finite, read_lora
from kohya_wrap.results.parameters.a1111 import parse_text, to_text
from kohya_wrap.results.parameters.read import read_parameters
from kohya_wrap.sd_scripts.failures import diagnose
from kohya_wrap.sd_scripts.log_parser import LogParser
from kohya_wrap.sharing import import_run

ROOT = Path(__file__).resolve().parent.parent.parent
DEEP = (b'{"a":' * 3000, b"a = " + b"[" * 3000)
"""JSON and TOML in which readers go deeper and deeper."""
FOUND = Path(__file__).parent / "found"
"""Inputs that found something, as PARSER-what: they are tried first of all, for ever."""
A1111 = (
    "lakto_tiger, (red eyes:1.2), <lora:tiger:0.8>\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7,"
    ' Seed: 1, Size: 512x512, Model hash: 6ce0161689, Model: base, Lora hashes: "tiger: 1234567890ab", Version: 1.9'
)
_COMFY = (
    '{"3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 20, "positive": ["6", 0], "model": ["3", 0]}}}'
)

set_hypothesis_home_dir(tempfile.mkdtemp(prefix="hypothesis-"))


@dataclass(frozen=True)
class Target:
    """A parser: `run` may raise KohyaWrapError and nothing else. `seeds`: what is damaged.

    `json`, `pack`: a whole JSON text, and how it becomes an input.
    """

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    json: bytes = b""
    pack: Callable[[bytes], bytes] = bytes

    def input(self, dice: random.Random) -> bytes:
        """Give noise now and then, a damaged seed mostly; where there is `json`, that with other values, packed."""
        kind = dice.randrange(3)
        if kind == 0:
            return noise(dice, 400)
        if kind == 1 and self.json:
            return self.pack(reshaped(dice, self.json))
        return damaged(dice, self.seeds)


def noise(dice: random.Random, most: int) -> bytes:
    """Give up to `most` bytes of any value."""
    return dice.randbytes(dice.randint(0, most))


def damaged(dice: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """Cut, repeat, overwrite and insert bytes in one of the seeds."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.randint(1, 6)):
        begin = dice.randint(0, len(data))
        length = dice.choice((0, 1, 2, 4, 8, 64))
        other = dice.choice(_NASTY) if dice.randrange(2) else noise(dice, 8)
        data[begin : begin + length] = other * dice.choice((1, 1, 1, 40))
    return bytes(data[: dice.choice((len(data), len(data), len(data) // 2, len(data) - 1))])


def reshaped(dice: random.Random, text: bytes) -> bytes:
    """Put other values into a JSON text, one to three, anywhere."""
    whole = json.loads(text)
    for _ in range(dice.randint(1, 3)):
        place, keys = whole, list(_keys(whole))
        while keys:
            key = dice.choice(keys)
            deeper = list(_keys(place[key]))
            if not deeper or dice.randrange(2):
                place[key] = copy.deepcopy(dice.choice(_VALUES)) if dice.randrange(2) else _text(dice)
                break
            place, keys = place[key], deeper
    return json.dumps(whole).encode()


def _text(dice: random.Random) -> str:
    """Give characters of all planes, those that only half of a pair is included."""
    top = dice.choice((0x80, 0x800, 0x10FFFF))
    return "".join(chr(dice.randint(0, top)) for _ in range(dice.randint(0, 20)))


def _keys(value: object) -> Iterable[Any]:
    if isinstance(value, dict):
        return tuple(value)
    return range(len(value)) if isinstance(value, list) else ()


_VALUES: tuple[Any, ...] = (
    *("", "x", "/", ".", "..", "../x", "a/b", "/x", "a" * 300, "\x00", "\ud800", "NaN", "-1", "1e999"),
    *(None, True, 0, -1, 1 << 70, 1.5, float("nan"), [], [0], [[]], {}, {"": ""}, {"a": None}),
)
_NASTY = (
    *(b"\x00", b"\xff\xff\xff\xff", b"\xff" * 8, b"\x7f\xff\xff\xff", b"\r", b"\n", b"\r\n", b"\x1b[31m"),
    *(b"../", b"/etc/x", b"C:\\", b"nan", b"inf", b"-1", b"1e999", b"9" * 30, b"\xed\xa0\x80", b"\xc3"),
    *(b"[", b"{", b"]", b"}", b'"', b"'", b":", b",", b"=", b"<", b"(", b"null", b"true", b"[[", b'{"a":'),
)


@contextmanager
def folder_with(name: str, data: bytes) -> Iterator[Path]:
    """Give a file of that content beside an empty folder, and see that nothing else has come to be beside them.

    The folder is the same one each time, empty again; the file's time is never the same.
    """
    outer = Path(_outer().name)
    file = outer / name
    file.write_bytes(data)
    os.utime(file, ns=(next(_TIMES),) * 2)
    try:
        yield file
        assert sorted(each.name for each in outer.iterdir()) == sorted(("inner", name))
    finally:
        file.unlink(missing_ok=True)
        inner = outer / "inner"
        if any(inner.iterdir()):
            shutil.rmtree(inner)
            inner.mkdir()


@cache
def _outer() -> "tempfile.TemporaryDirectory[str]":
    """Make the folder, which goes at the end of the process."""
    folder = tempfile.TemporaryDirectory(dir=_FAST)
    (Path(folder.name) / "inner").mkdir()
    return folder


_TIMES = itertools.count(1_700_000_000_000_000_000)
_FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - memory in place of a disk


def preset(data: bytes) -> None:
    with folder_with("given.toml", data) as file:
        load(file)


def log_lines(data: bytes) -> None:
    """Cut a stream in two at odd places, read it as both streams' output, and look for the cause of a failure."""
    splitter, parser, tail, events = LineSplitter(), LogParser(), [], []
    pieces = [*splitter.feed(data[: len(data) // 3]), *splitter.idle(), *splitter.feed(data[len(data) // 3 :])]
    for index, (_, text, transient) in enumerate([*pieces, *splitter.close()]):
        if text is not None:
            tail.append(text)
            events += parser.feed(OutputLine("stderr" if index % 3 else "stdout", text, 1.0, transient))
    events += parser.close()
    diagnose(Outcome(1, 1.0), tail, events, log=Path("train.log"))


def picture(data: bytes) -> None:
    with folder_with("picture.png", data) as file:
        to_text(read_parameters(file))


def parameters_text(data: bytes) -> None:
    to_text(parse_text(data.decode("utf-8", "replace")))


def safetensors(data: bytes) -> None:
    with folder_with("given.safetensors", data) as file:
        read_both(file)


def read_both(file: Path) -> None:
    """Read a file as a base model's and as a LoRA; the second is not spared by the first's refusal."""
    with suppress(KohyaWrapError):
        read_header(file)
    not_finite(read_lora(file))


def run_archive(data: bytes) -> None:
    with folder_with("run.zip", data) as file:
        import_run(file, root=file.parent / "inner")


def run_record(data: bytes) -> None:
    """Put a run.json into an archive that is whole otherwise, and read it as it lies there, too."""
    manifest = {"format": 1, "files": {"run.json": hashlib.sha256(data).hexdigest()}}
    files = {"manifest.json": json.dumps(manifest).encode(), "run.json": data}
    with folder_with("run.json", data) as file, suppress(KohyaWrapError):
        read_record(file)
    run_archive(_zip(files, zipfile.ZIP_STORED))


def picture_archive(data: bytes) -> None:
    with folder_with("pictures.zip", data) as file:
        unpack(file, file.parent / "inner")


def booru(data: bytes) -> None:
    """Read an answer as each board's, choose among its posts, and write their captions."""
    for board in BOORUS.values():
        with suppress(KohyaWrapError):
            search = Search(ScrapeOptions("tiger", board.name))
            search.take(read_page(data, board, Keys()).posts)
            for choice in search.choices:
                assert "/" not in choice.name
                caption_text(choice.post).encode()


def _png(text: str, key: str = "parameters") -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text)
    info.add_itxt("Comment", text, zip=True)
    return _saved("PNG", pnginfo=info)


def _comfy_png(text: bytes) -> bytes:
    return _png(text.decode(), "prompt")


def _saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA" if kind == "PNG" else "RGB", (8, 8)).save(file, kind, **options)
    return file.getvalue()


def _exif() -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + A1111.encode("utf-16-be")
    return exif.tobytes()


_HEADER = json.dumps(
    {
        "__metadata__": {"ss_steps": "10", "ss_tag_frequency": '{"a": {"b": 1}}'},
        "a.lora_down.weight": {"dtype": "F16", "shape": [2, 4], "data_offsets": [0, 16]},
        "a.alpha": {"dtype": "F32", "shape": [], "data_offsets": [16, 20]},
    }
).encode()


def _with_header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text + bytes(20)


def _record() -> bytes:
    stated: dict[str, object] = {"setup": {"project_name": "x"}, "optimizer": {"optimizer": "AdamW"}}
    record = RunRecord(
        id="20260101-000000-aaaa",
        project="tiger",
        folder="/home/x/Loras/tiger/runs/20260101-000000-aaaa",
        wrapper_version="0.1.0",
        started="2026-01-01T00:00:00.000+00:00",
        seed=42,
        process=ProcessEntry(pid=1, created=0.0, host="elsewhere"),
        preset=PresetEntry(name="one-image", path="one-image.toml", stated=stated),
        engine=EngineEntry(name="sd-scripts", commit="a" * 40, python="python"),
        dataset=(FileEntry(path="/home/x/Loras/tiger/dataset/a.png", sha256="0" * 64),),
        base_model=BaseModelEntry(path="base.safetensors", format="safetensors", family="sd15"),
    )
    return record.model_dump_json().encode()


def _zip(files: dict[str, bytes], method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def _zips(files: dict[str, bytes]) -> tuple[bytes, ...]:
    return tuple(_zip(files, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))


def _logs() -> Iterable[bytes]:
    for file in sorted((ROOT / "tests" / "logs").rglob("*.txt")):
        data = file.read_bytes()
        yield from (data[:3000], data[-3000:])


_POST = {"id": 1, "width": 64, "height": 48, "md5": "0" * 32, "parent_id": 0, "source": "", "score": 1}
_URLS = {"file_url": "https://example.org/1.png", "sample_url": "", "large_file_url": None}
_TAGS = {"tags": "a_b ^_^", "tag_string_general": "a_b", "tag_string_character": ""}
_GELBOORU = {"@attributes": {"count": 1}, "post": [{**_POST, **_URLS, **_TAGS}]}
_DANBOORU = [{**_POST, **_URLS, **_TAGS, "image_width": 64, "image_height": 48}]
_E621_FILES = {"file": {**_POST, "url": "https://example.org/1.png"}, "sample": {"url": None}, "score": {"total": 1}}
_E621_TAGS = {"tags": {"species": ["tiger"]}, "relationships": {"parent_id": None}, "sources": [""], "flags": {}}
_BOORUS = tuple(
    json.dumps(answer).encode()
    for answer in (_GELBOORU, _DANBOORU, {"posts": [{"id": 1, **_E621_FILES, **_E621_TAGS}]})
)
_MANIFEST = json.dumps({"format": 1, "files": {"run.json": "0" * 64}}).encode()
_PICTURES = {"a.png": _saved("PNG"), "b/../../c.txt": b"x", "/d.txt": b"y", "e.txt": b"z" * 500}
TARGETS = {
    "preset": Target(preset, tuple(file.read_bytes() for file in sorted((ROOT / "presets").glob("*.toml")))),
    "log": Target(log_lines, tuple(_logs())),
    "parameters": Target(parameters_text, (A1111.encode(), A1111.replace("\n", "\r\n").encode("utf-16"))),
    "picture": Target(
        picture,
        (
            *(_png(A1111), _png(_COMFY, "prompt"), _png(_COMFY, "workflow"), A1111.encode()),
            *(_saved(kind, exif=_exif()) for kind in ("JPEG", "WEBP", "PNG")),
            _saved("GIF", comment=A1111.encode()),
        ),
    ),
    "safetensors": Target(safetensors, (_with_header(_HEADER),), json=_HEADER, pack=_with_header),
    "run-record": Target(run_record, (_record(),), json=_record()),
    "run-archive": Target(run_archive, _zips({"manifest.json": _MANIFEST, "run.json": b"{}"})),
    "comfy": Target(picture, (_png(_COMFY, "prompt"),), json=_COMFY.encode(), pack=_comfy_png),
    "gelbooru": Target(booru, _BOORUS, json=_BOORUS[0]),
    "danbooru": Target(booru, _BOORUS, json=_BOORUS[1]),
    "e621": Target(booru, _BOORUS, json=_BOORUS[2]),
    "picture-archive": Target(picture_archive, _zips(_PICTURES)),
}


def fuzz(name: str, target: Target, *, examples: int) -> None:
    """Try the inputs that once found something, then so many others, always the same; a failure is made small."""

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.randoms(use_true_random=False))
    def check(dice: random.Random) -> None:
        attempt(target, target.input(dice))

    for file in sorted(FOUND.glob(f"{name}.*")):
        attempt(target, file.read_bytes())
    check()


def attempt(target: Target, data: bytes) -> None:
    """Run a parser; that it refuses is an answer."""
    try:
        target.run(data)
    except KohyaWrapError:
        return
