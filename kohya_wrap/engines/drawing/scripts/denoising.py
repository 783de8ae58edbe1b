"""The U-Net as a guess of the picture in a noisy one, led by a prompt away from another."""

import torch
from base import Base
from lines import Refused


class Denoiser:
    """`denoiser(x, sigma)` guesses the picture in x = picture + sigma * noise."""

    def __init__(self, base: Base, wanted: torch.Tensor, unwanted: torch.Tensor | None, cfg_scale: float) -> None:
        """Take the encoded prompts, 1 x tokens x width; without `unwanted` there is no guidance."""
        self._base = base
        self._wanted = wanted.to(base.unet.dtype)
        self._unwanted = None if unwanted is None else unwanted.to(base.unet.dtype)
        self._scale = cfg_scale

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Give the guess, in x's type. Raises Refused where it is not a number."""
        scaled = x / (sigma**2 + 1) ** 0.5
        said = self._guided(scaled.to(self._base.unet.dtype), self._base.noise.step_of(sigma)).to(x.dtype)
        picture = (
            (scaled / (sigma**2 + 1) ** 0.5 - said * sigma / (sigma**2 + 1) ** 0.5)
            if self._base.predicts_v
            else (x - sigma * said)
        )
        if not bool(picture.isfinite().all()):
            what = "the U-Net gave NaN: a LoRA that was trained too hard, or a base model that fp16 cannot hold"
            raise Refused((what, "", "draw an earlier epoch or a lower weight, or draw on the CPU"))
        return picture

    def _guided(self, x: torch.Tensor, step: float) -> torch.Tensor:
        """Give noise, or v, for the prompt and away from the other. Source: Ho and Salimans 2022, arXiv 2207.12598."""
        if self._unwanted is None:
            return self._asked(x, step, self._wanted)
        if self._wanted.shape == self._unwanted.shape:
            both = self._asked(torch.cat([x, x]), step, torch.cat([self._unwanted, self._wanted]))
            away, toward = both.chunk(2)
        else:
            # Prompts of other lengths: one after the other, as A1111 does.
            away, toward = (self._asked(x, step, each) for each in (self._unwanted, self._wanted))
        return away + self._scale * (toward - away)

    def _asked(self, x: torch.Tensor, step: float, text: torch.Tensor) -> torch.Tensor:
        when = torch.tensor(step, dtype=torch.float32, device=x.device)
        return self._base.unet(x, when, encoder_hidden_states=text, return_dict=False)[0].float()
