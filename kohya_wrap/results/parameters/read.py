"""From a file to its parameters: which kind of file it is, where it keeps texts, which of them says most."""

from collections.abc import Mapping
from pathlib import Path

from kohya_wrap.errors import DatasetError
from kohya_wrap.results.parameters.a1111 import parse_text
from kohya_wrap.results.parameters.comfy import from_comfy
from kohya_wrap.results.parameters.exif import exif_texts, gif_comments, jpeg_exif, pillow_exif, webp_exif
from kohya_wrap.results.parameters.novelai import from_alpha, from_novelai
from kohya_wrap.results.parameters.png import SIGNATURE, read_exif_chunk, read_png_texts
from kohya_wrap.results.parameters.types import Parameters

_LARGEST_TEXT_FILE = 32 << 20
_TODO = "give the picture as the web UI saved it: sites and editors often strip the parameters"
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def read_parameters(path: Path) -> Parameters:
    """Read the generation parameters of a picture (PNG, JPEG, WebP, AVIF, GIF) or of a text file.

    The kind of file is told by its first bytes, not by its name. Raises DatasetError when the file cannot be read or
    says nothing.
    """
    try:
        with path.open("rb") as file:
            head = file.read(32)
        found = _read(path, head)
    except OSError as error:
        raise DatasetError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            todo="check the path, and that it is a picture",
        ) from error
    if found is None or not (found.prompt or found.negative_prompt or found.settings or found.resources):
        raise DatasetError("holds no generation parameters", where=str(path), todo=_TODO)
    return found


def _read(path: Path, head: bytes) -> Parameters | None:
    if head.startswith(SIGNATURE):
        texts = read_png_texts(path)
        found = _best(texts, "PNG text") or _best(exif_texts(read_exif_chunk(path)), "PNG eXIf")
        return found or (from_alpha(path) if head[25:26] == b"\x06" else None)
    if head.startswith(b"\xff\xd8"):
        return _best(exif_texts(jpeg_exif(path)), "JPEG EXIF")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _best(exif_texts(webp_exif(path)), "WebP EXIF") or from_alpha(path)
    if head[4:12] in {b"ftypavif", b"ftypavis"}:
        return _best(exif_texts(pillow_exif(path)), "AVIF EXIF")
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _best({"UserComment": "\n".join(gif_comments(path))}, "GIF")
    return _read_text_file(path)


def _best(texts: Mapping[str, str], carrier: str) -> Parameters | None:
    """Take the text of A1111's grammar, then NovelAI's, then ComfyUI's graph, then a comment that is a bare prompt."""
    texts = _with_comfy_tags(texts)
    for key in ("parameters", "UserComment"):
        if key in texts:
            found = parse_text(texts[key], carrier=f"{carrier}, {key}")
            if found.settings:
                return found
    other = from_novelai(texts, carrier=carrier) or from_comfy(texts, carrier=carrier)
    if other is not None:
        return other
    bare = texts.get("parameters", texts.get("UserComment", "")).strip()
    return parse_text(bare, carrier=carrier) if bare and not bare.startswith(("{", "[")) else None


def _with_comfy_tags(texts: Mapping[str, str]) -> Mapping[str, str]:
    """Take apart EXIF texts like `prompt:{…}`, ComfyUI's way in animated WebP."""
    found = dict(texts)
    for value in texts.values():
        key, colon, json_text = value.partition(":")
        if colon and key.lower() in {"prompt", "workflow"} and json_text.lstrip().startswith("{"):
            found.setdefault(key.lower(), json_text)
    return found


def _read_text_file(path: Path) -> Parameters:
    if path.stat().st_size > _LARGEST_TEXT_FILE:
        raise DatasetError("is neither a picture nor a text of reasonable size", where=str(path), todo=_TODO)
    data = path.read_bytes()
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise DatasetError(
            "is neither a picture nor a text", where=str(path), todo="give a PNG, JPEG, WebP, AVIF or .txt"
        )
    return parse_text(text, carrier="text file")
