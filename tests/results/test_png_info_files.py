"""Where pictures keep parameters: PNG chunks, EXIF in its encodings, GIF comments, NovelAI's hidden text, files."""

import codecs
import gzip
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kohya_wrap.errors import DatasetError
from kohya_wrap.results.parameters import read_parameters, to_text
from kohya_wrap.results.parameters.exif import decode_comment

TEXT = "a fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 0, Size: 8x8"
WIDE = "狐, a fox\nSteps: 20, Sampler: Euler a, Seed: 5, Size: 8x8"
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
real_pictures = pytest.mark.skipif(not (SHARED / "train.png").is_file(), reason="the shared pictures are not here")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, *, before: bytes = b"", after: bytes = b"") -> Path:
    """Write an 8x8 PNG with raw chunks before and after its image data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(9 * 8)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + before + data + after + chunk(b"IEND", b""))
    return path


def user_comment(data: bytes) -> bytes:
    """An EXIF block whose only content is a UserComment of these bytes."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = data
    return exif.tobytes()


@real_pictures
def test_the_tutorial_s_picture() -> None:
    """The real train.png tells its prompt, settings and model, and is written again byte for byte."""
    parameters = read_parameters(SHARED / "train.png")
    assert parameters.prompt.startswith("30 yrs old male tiger, front, empty background,\nfull head")
    assert parameters.negative_prompt.endswith("(different eye,different eyelash:1.1)")
    assert (parameters.steps, parameters.seed, parameters.cfg_scale) == (24, 3429169131, 9)
    assert (parameters.sampler, parameters.schedule, parameters.size) == ("DPM++ 2M", "Karras", (512, 720))
    assert parameters.model is not None
    assert (parameters.model.hash, parameters.model.name) == ("167e5bcb37", "crosskemonoFurryModel_crosskemono25")
    with Image.open(SHARED / "train.png") as image:
        assert to_text(parameters) == image.info["parameters"]


@real_pictures
def test_a_picture_edited_elsewhere_says_nothing() -> None:
    """train-output.png went through an editor: it holds XMP, and no parameters."""
    with pytest.raises(DatasetError, match="holds no generation parameters"):
        read_parameters(SHARED / "train-output.png")


@pytest.mark.parametrize("text", [TEXT, WIDE, TEXT.replace("fox", "renard doré")])
def test_a_png_as_the_webui_saves_it(tmp_path: Path, text: str) -> None:
    """Pillow writes tEXt, or iTXt where the text is not Latin-1; both are read."""
    info = PngInfo()
    info.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    assert read_parameters(tmp_path / "a.png").raw == text


CHUNKS = {
    "tEXt": chunk(b"tEXt", b"parameters\0" + TEXT.encode()),
    "zTXt": chunk(b"zTXt", b"parameters\0\0" + zlib.compress(TEXT.encode())),
    "iTXt": chunk(b"iTXt", b"parameters\0\0\0en\0Parameter\0" + TEXT.encode()),
    "iTXt compressed": chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(TEXT.encode())),
}


@pytest.mark.parametrize("data", CHUNKS.values(), ids=CHUNKS.keys())
def test_every_text_chunk_before_and_after_the_image_data(tmp_path: Path, data: bytes) -> None:
    """All three chunks, plain and compressed, are found on both sides of IDAT."""
    assert read_parameters(png(tmp_path / "a.png", before=data)).raw == TEXT
    assert read_parameters(png(tmp_path / "b.png", after=data)).raw == TEXT


def test_utf8_in_a_latin1_chunk(tmp_path: Path) -> None:
    """Tools other than Pillow put UTF-8 into tEXt, against the standard."""
    assert read_parameters(png(tmp_path / "a.png", before=chunk(b"tEXt", b"parameters\0" + WIDE.encode()))).raw == WIDE


def test_a_picture_whose_pixels_are_broken_still_tells(tmp_path: Path) -> None:
    """Nothing is decoded: a PNG cut in the image data gives what stood before."""
    path = png(tmp_path / "a.png", before=CHUNKS["tEXt"])
    path.write_bytes(path.read_bytes()[:-30])
    assert read_parameters(path).raw == TEXT


def test_the_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    """A PNG called .jpg is a PNG."""
    assert read_parameters(png(tmp_path / "a.jpg", before=CHUNKS["tEXt"])).raw == TEXT


def test_a_compression_bomb_is_left_out(tmp_path: Path) -> None:
    """200 MB in 200 KB are not unpacked; the picture's other text is read."""
    bomb = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(200 << 20), 9))
    path = png(tmp_path / "a.png", before=chunk(b"tEXt", b"UserComment\0" + TEXT.encode()), after=bomb)
    assert read_parameters(path).raw == TEXT


BROKEN = {
    "no separator": chunk(b"tEXt", b"parameters"),
    "not compressed": chunk(b"zTXt", b"parameters\0\0not zlib"),
    "unknown compression": chunk(b"zTXt", b"parameters\0\7" + zlib.compress(TEXT.encode())),
    "cut iTXt": chunk(b"iTXt", b"parameters\0\0\0en"),
    "endless": struct.pack(">I", 0x7FFFFFFF) + b"tEXt" + b"parameters\0" + TEXT.encode(),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_chunk_is_no_parameters(tmp_path: Path, data: bytes) -> None:
    """What cannot be read is left out, and said as nothing found."""
    with pytest.raises(DatasetError, match="holds no generation parameters"):
        read_parameters(png(tmp_path / "a.png", before=data))


COMMENTS = {
    "piexif, UTF-16 BE": b"UNICODE\0" + TEXT.encode("utf-16-be"),
    "UTF-16 LE": b"UNICODE\0" + TEXT.encode("utf-16-le"),
    "UTF-16 BE with mark": b"UNICODE\0" + codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-16 LE with mark": b"UNICODE\0" + codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-8 called UNICODE": b"UNICODE\0" + TEXT.encode(),
    "Unicode in small letters": b"Unicode\0" + TEXT.encode("utf-16-be"),
    "ASCII": b"ASCII\0\0\0" + TEXT.encode(),
    "undefined": bytes(8) + TEXT.encode(),
    "UTF-8 with mark": bytes(8) + codecs.BOM_UTF8 + TEXT.encode(),
    "UTF8": b"UTF8\0\0\0\0" + TEXT.encode(),
    "no prefix": TEXT.encode(),
    "no prefix, UTF-16": TEXT.encode("utf-16-le"),
    "trailing zeros": b"ASCII\0\0\0" + TEXT.encode() + bytes(7),
}


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "PNG"])
@pytest.mark.parametrize("data", COMMENTS.values(), ids=COMMENTS.keys())
def test_a_user_comment_in_every_encoding(tmp_path: Path, data: bytes, kind: str) -> None:
    """EXIF UserComment is decoded by its prefix, mark, or the place of its zero bytes, in all four formats."""
    path = tmp_path / "picture"
    Image.new("RGB", (8, 8)).save(path, format=kind, exif=user_comment(data))
    assert read_parameters(path).raw == TEXT


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("text", [WIDE, "日本の狐、赤い"])
def test_other_scripts_in_a_user_comment(text: str, encoding: str) -> None:
    """Text with little or no ASCII is read in both byte orders."""
    assert decode_comment(b"UNICODE\0" + text.encode(encoding)) == text


def test_japanese_encoding_of_a_user_comment() -> None:
    """The prefix JIS means ISO-2022-JP."""
    assert decode_comment(b"JIS\0\0\0\0\0" + "狐 fox".encode("iso2022_jp")) == "狐 fox"


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_of_exif(tmp_path: Path, order: str) -> None:
    """Intel's and Motorola's order, in a block built by hand."""
    comment = b"ASCII\0\0\0" + TEXT.encode()
    mark = b"II*\0" if order == "<" else b"MM\0*"
    main = struct.pack(order + "HHHIII", 1, 0x8769, 4, 1, 26, 0)
    details = struct.pack(order + "HHHIII", 1, 0x9286, 7, len(comment), 44, 0)
    block = mark + struct.pack(order + "I", 8) + main + details + comment
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + block)
    assert read_parameters(tmp_path / "a.jpg").raw == TEXT


@pytest.mark.parametrize("block", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"junk" * 9])
def test_broken_exif_says_nothing(tmp_path: Path, block: bytes) -> None:
    """A block that points outside itself is no parameters, and no crash."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
    (tmp_path / "b.jpg").write_bytes(data[:2] + segment + data[2:])
    with pytest.raises(DatasetError, match="holds no generation parameters"):
        read_parameters(tmp_path / "b.jpg")


def test_a_gif_comment(tmp_path: Path) -> None:
    """The comment of an animated GIF, longer than one sub-block."""
    text = TEXT.replace("fox", "fox " * 100)
    frames = [Image.new("P", (8, 8), color) for color in (1, 2)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], comment=text.encode())
    assert read_parameters(tmp_path / "a.gif").raw == text


NOVELAI = {
    "prompt": "{fox}",
    "uc": "bad",
    "steps": 28,
    "sampler": "k_euler",
    "seed": 7,
    "scale": 5.0,
    "width": 8,
    "height": 9,
}


def test_novelai_s_chunks(tmp_path: Path) -> None:
    """Software and Comment of NovelAI become prompts and settings."""
    chunks = chunk(b"tEXt", b"Software\0NovelAI") + chunk(b"tEXt", b"Comment\0" + json.dumps(NOVELAI).encode())
    parameters = read_parameters(png(tmp_path / "a.png", before=chunks))
    assert (parameters.source, parameters.prompt, parameters.negative_prompt) == ("novelai", "{fox}", "bad")
    assert (parameters.steps, parameters.seed, parameters.size) == (28, 7, (8, 9))


def hide(path: Path, magic: bytes, data: bytes) -> Path:
    """Write text into the lowest alpha bits, column by column."""
    bits = np.unpackbits(np.frombuffer(magic + struct.pack(">I", 8 * len(data)) + data, np.uint8))
    alpha = np.full(64 * 64, 254, np.uint8)
    alpha[: bits.size] |= bits
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[..., 3] = alpha.reshape(64, 64).T
    Image.fromarray(pixels, "RGBA").save(path, format=path.suffix[1:].upper(), lossless=True)
    return path


def test_text_hidden_in_the_alpha_channel(tmp_path: Path) -> None:
    """NovelAI hides its JSON, gzipped, in the lowest alpha bits, of a PNG or a WebP."""
    outer = {"Software": "NovelAI", "Description": "{fox}", "Comment": json.dumps(NOVELAI)}
    data = gzip.compress(json.dumps(outer).encode())
    for name in ("a.png", "a.webp"):
        assert read_parameters(hide(tmp_path / name, b"stealth_pngcomp", data)).seed == 7


def test_plain_text_hidden_in_the_alpha_channel(tmp_path: Path) -> None:
    """The WebUI's extension hides A1111's text, uncompressed."""
    assert read_parameters(hide(tmp_path / "a.png", b"stealth_pnginfo", TEXT.encode())).raw == TEXT


def test_an_ordinary_alpha_channel_hides_nothing(tmp_path: Path) -> None:
    """A transparent picture without text is one without parameters."""
    Image.new("RGBA", (64, 64), (1, 2, 3, 4)).save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match="holds no generation parameters"):
        read_parameters(tmp_path / "a.png")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_text_file(tmp_path: Path, encoding: str) -> None:
    """A .txt beside a picture, in the encodings that editors write."""
    text = TEXT.replace("fox", "renard doré")
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert read_parameters(tmp_path / "a.txt").raw == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no generation parameters"),
        (b"\x00\x01\x02" * 50, "neither a picture nor a text"),
        (b"\x89PNG\r\n\x1a\n", "holds no generation parameters"),
        (b"\xff\xd8\xff", "holds no generation parameters"),
        (b"RIFF\0\0\0\0WEBP", "holds no generation parameters"),
        (b"GIF89a", "holds no generation parameters"),
        (b"\0\0\0\x1cftypavif", "cannot be read|holds no"),
    ],
)
def test_files_that_say_nothing(tmp_path: Path, content: bytes, message: str) -> None:
    """Empty files, binaries and pictures cut after their first bytes are refused with a reason."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_parameters(tmp_path / "a")


def test_a_missing_file(tmp_path: Path) -> None:
    """The path and the reason are in the error."""
    with pytest.raises(DatasetError, match=r"no\.png.*No such file"):
        read_parameters(tmp_path / "no.png")


def test_a_folder(tmp_path: Path) -> None:
    """A folder is no picture."""
    with pytest.raises(DatasetError, match="cannot be read"):
        read_parameters(tmp_path)
