"""Runs in the engine's environment: captions pictures by BLIP. caption_blip.py JOB, a JSON file.

Prints one JSON object a line behind MARK: {"device": …} when the model is loaded, {"picture": number, "caption": …} or
{"picture": number, "unreadable": …} for each, {"refused": …} where the model cannot be loaded.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image, ImageOps
from safetensors import SafetensorError
from transformers import BertTokenizerFast, BlipForConditionalGeneration, BlipImageProcessor
from transformers.utils import logging

MARK = "@caption "


def main(job: dict[str, object]) -> None:
    """Load the model and caption all pictures, in their order."""
    logging.set_verbosity_error()
    device = "cuda" if torch.cuda.is_available() and not job["use_cpu"] else "cpu"
    dtype = torch.float16 if device == "cuda" else torch.float32
    folder = str(job["model"])
    try:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        kind = config.get("model_type") if isinstance(config, dict) else None
        if kind != "blip":
            tell({"refused": f"its config.json says {kind!r}, not 'blip'"})
            return
        pictures = BlipImageProcessor.from_pretrained(folder)
        words = BertTokenizerFast.from_pretrained(folder)
        model = BlipForConditionalGeneration.from_pretrained(folder, use_safetensors=True, torch_dtype=dtype)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        tell({"refused": f"{type(error).__name__}: {str(error)[:300]}"})
        return
    model = model.to(device).eval()
    tell({"device": torch.cuda.get_device_name() if device == "cuda" else "CPU"})
    numbers = range(len(job["pictures"]))
    for start in range(0, len(numbers), int(job["batch_size"])):
        batch = [(number, read(number, job)) for number in numbers[start : start + int(job["batch_size"])]]
        batch = [(number, image) for number, image in batch if image is not None]
        if not batch:
            continue
        pixels = pictures(images=[image for _, image in batch], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            made = model.generate(
                pixel_values=pixels.to(device, dtype),
                num_beams=int(job["num_beams"]),
                min_length=int(job["caption_min"]),
                max_length=int(job["caption_max"]),
            )
        for (number, _), text in zip(batch, words.batch_decode(made, skip_special_tokens=True), strict=True):
            tell({"picture": number, "caption": " ".join(text.split())})


def read(number: int, job: dict[str, object]) -> object:
    """Give a picture upright, over white; None, and say so, for one that cannot be read."""
    try:
        with Image.open(job["pictures"][number]) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        tell({"picture": number, "unreadable": str(error)[:100]})
        return None
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def tell(message: dict[str, object]) -> None:
    """Print one line for the wrapper."""
    print(f"{MARK}{json.dumps(message)}", flush=True)  # noqa: T201 - this process talks through its output


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
