"""A picture that a server has sent: looked at, given its parameters where they are missing, and written whole."""

import io
import os
from pathlib import Path

from kohya_wrap.files import output_error
from kohya_wrap.results.parameters.png import SIGNATURE


def write_png(content: bytes, target: Path, parameters: str) -> None:
    """Write a PNG; bytes stay as they are where it has parameters of its own.

    Raises ValueError for what is no whole PNG, OutputError, DiskFullError.
    """
    from PIL import Image, PngImagePlugin  # noqa: PLC0415 - slow to import

    if not content.startswith(SIGNATURE):
        raise ValueError("no PNG")
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            texts = dict(getattr(image, "text", {}))
            if "parameters" not in texts:
                info = PngImagePlugin.PngInfo()
                for key, text in {"parameters": parameters, **texts}.items():
                    info.add_itxt(key, text) if not text.isascii() else info.add_text(key, text)
                made = io.BytesIO()
                image.save(made, "PNG", pnginfo=info)
                content = made.getvalue()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, target) from error
