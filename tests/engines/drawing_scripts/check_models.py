"""The model itself: what it predicts, half precision, and base models that are none."""

import errno
from pathlib import Path
from types import SimpleNamespace

import torch
from base import _alphas, load_base
from denoising import Denoiser, Guidance
from draw import what_ran_out
from drawing import Drawing
from encoders import Text
from lines import Refused
from pixels import decode
from safetensors.torch import save_file
from sigmas import Noise
from single_file import PROBE, load_single_file, load_vae_file

NOISE = Noise(_alphas({}))
JOB = {
    "vae": None,
    "tokenizers": None,
    "v_prediction": None,
    "zero_terminal_snr": False,
    "embeddings": {},
    "device": "cpu",
    "precision": "",
}
PICTURE = {
    "prompt": "a wolf",
    "negative_prompt": "",
    "seed": 1,
    "steps": 3,
    "cfg_scale": 7,
    "sampler": "euler A",
    "schedule": "karras",
    "width": 64,
    "height": 72,
    "clip_skip": 1,
    "loras": [],
    "parameters": "",
}


class _Knows:
    """A U-Net that knows the picture; it tells the noise or v in whatever it is given, and what text it was told."""

    dtype = torch.float32

    def __init__(self, picture: torch.Tensor, *, v: bool) -> None:
        self._picture, self._v = picture, v
        self.told: list[list[float]] = []

    def __call__(self, x: torch.Tensor, step: torch.Tensor, encoder_hidden_states: torch.Tensor, **_: bool) -> tuple:
        sigma = float(NOISE.sigma_at(step.double()))
        share = 1 / (1 + sigma**2) ** 0.5
        noise = (x - self._picture * share) / (sigma * share)
        self.told.append(encoder_hidden_states.flatten().tolist())
        return (noise * share - self._picture * sigma * share if self._v else noise,)


def check_prediction(_: Path) -> dict:
    """How far the guess is from the picture that the model knows, for models of noise and of v."""
    picture, found = torch.linspace(-1, 1, 16).reshape(1, 1, 4, 4), {}
    for v in (False, True):
        base = SimpleNamespace(unet=_Knows(picture, v=v), noise=NOISE, predicts_v=v)
        guidance = Guidance([Text(torch.zeros(1, 1, 1))], [Text(torch.ones(1, 1, 1))], 7.0)
        x = picture + 3.0 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))
        found["v" if v else "noise"] = float((Denoiser(base, guidance, [3.0, 0.0])(x, 3.0) - picture).abs().max())
    return found


def check_guidance(_: Path) -> dict:
    """What the U-Net is told, step by step: both prompts at once, one after the other, or one alone."""
    picture, found = torch.zeros(1, 1, 4, 4), {}
    texts = [Text(torch.full((1, 1, 1), float(number))) for number in (1, 2)]
    longer, no = [Text(torch.full((1, 2, 1), 5.0))] * 2, [Text(torch.zeros(1, 1, 1))] * 2
    for name, unwanted, scale in (("both", no, 7.0), ("apart", longer, 7.0), ("alone", [], 1.0)):
        base = SimpleNamespace(unet=_Knows(picture, v=False), noise=NOISE, predicts_v=False)
        denoiser = Denoiser(base, Guidance(texts, unwanted, scale), [3.0, 1.0, 0.0])
        for sigma in (3.0, 2.0, 1.0, 0.5):
            denoiser(torch.ones_like(picture), sigma)
        found[name] = base.unet.told
    return found


class _Overflows:
    """A VAE that gives NaN in fp16."""

    def __init__(self) -> None:
        self.dtype, self.config = torch.float16, SimpleNamespace(scaling_factor=0.5)

    def to(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def decode(self, latents: torch.Tensor, **_: bool) -> tuple:
        worth = torch.nan if latents.dtype == torch.float16 else 0.5
        return (torch.full((1, 3, 2, 2), worth, dtype=latents.dtype),)


def check_vae_overflow(_: Path) -> dict:
    """What is drawn and noted when the VAE gives NaN in fp16, twice."""
    vae, first, second = _Overflows(), [], []
    drawn = [decode(vae, torch.ones(1, 4, 1, 1), notes).getpixel((0, 0)) for notes in (first, second)]
    return {"drawn": drawn, "notes": [first, second]}


def check_half(work: Path) -> dict:
    """Whether a picture can be drawn in fp16, and its size."""
    drawing = Drawing({**JOB, "base": str(work / "base"), "precision": "fp16"})
    notes = drawing.draw({**PICTURE, "target": str(work / "half.png")})
    return {"notes": notes, "left": sorted(path.name for path in work.glob("*half.png*"))}


def check_not_a_base(work: Path) -> dict:
    """What is said of files that are no Stable Diffusion."""
    save_file({PROBE: torch.zeros(2, 1280)}, work / "refiner.safetensors")
    save_file({PROBE: torch.zeros(640, 768)}, work / "headless.safetensors")
    save_file({"lora_unet_x.alpha": torch.zeros(1)}, work / "lora.safetensors")
    (work / "cut.safetensors").write_bytes((work / "lora.safetensors").read_bytes()[:-2])
    (work / "empty").mkdir()
    found = {}
    for name in ("refiner", "headless", "lora", "cut"):
        found[name] = _said(lambda name=name: load_single_file(work / f"{name}.safetensors", torch.float32))
    found["vae"] = _said(lambda: load_vae_file(work / "lora.safetensors", torch.float32))
    found["folder"] = _said(lambda: load_base({**JOB, "base": str(work / "empty")}, "cpu", torch.float32))
    return found


def _said(what: object) -> str:
    try:
        what()
    except Refused as refused:
        return refused.problems[0][0]
    return ""


def check_ran_out(_: Path) -> list[str]:
    """What is said of errors of the system and of torch; nothing of those that have another cause."""
    errors = (
        OSError(errno.ENOSPC, "No space left on device", "/pictures/a.png"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
        PermissionError(errno.EACCES, "Permission denied", "/pictures/a.png"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    )
    refused = [what_ran_out(error) for error in errors]
    return [" ".join(each.problems[0][:2]) if each else "" for each in refused]


def check_vae_folder(work: Path) -> bool:
    """Whether a VAE given as a folder takes the place of the base's."""
    vae = load_base({**JOB, "base": str(work / "base")}, "cpu", torch.float32).vae
    torch.nn.init.constant_(vae.decoder.conv_out.bias, 3)
    vae.save_pretrained(work / "other")
    other = load_base({**JOB, "base": str(work / "base"), "vae": str(work / "other")}, "cpu", torch.float32).vae
    return bool((other.decoder.conv_out.bias == 3).all())
