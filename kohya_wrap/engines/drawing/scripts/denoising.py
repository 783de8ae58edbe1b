"""The U-Net as a guess of the picture in a noisy one, led by a prompt away from another."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from base import Base
from encoders import Text
from lines import Refused


@dataclass(frozen=True)
class Guidance:
    """Encoded prompts for each step. `unwanted` empty: there is no guidance, and no scale. `size`: height and width."""

    wanted: Sequence[Text]
    unwanted: Sequence[Text]
    scale: float
    size: tuple[int, int] = (0, 0)


class Denoiser:
    """`denoiser(x, sigma)` guesses the picture in x = picture + sigma * noise."""

    def __init__(self, base: Base, guidance: Guidance, sigmas: Sequence[float]) -> None:
        self._base = base
        self._guidance = guidance
        self._sigmas = sigmas

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Give the guess, in x's type. Raises Refused where it is not a number."""
        norm = (sigma**2 + 1) ** 0.5
        # The model knows samples of variance 1.
        said = self._guided(x / norm, sigma)
        picture = x / norm**2 - said * sigma / norm if self._base.predicts_v else x - said * sigma
        if not bool(picture.isfinite().all()):
            what = "the U-Net gave NaN: a LoRA that was trained too hard, or a base model that fp16 cannot hold"
            raise Refused((what, "", "draw an earlier epoch or a lower weight, or draw on the CPU"))
        return picture

    def _guided(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Give noise, or v, for the prompt and away from the other. Source: Ho and Salimans 2022, arXiv 2207.12598."""
        when, texts = self._base.noise.step_of(sigma), self._guidance
        # DDIM and PLMS take a step more than was asked for, where that does not divide 1,000.
        place = max(0, sum(each >= sigma * 0.999999 for each in self._sigmas) - 1)
        wanted = texts.wanted[min(place, len(texts.wanted) - 1)]
        if not texts.unwanted:
            return self._asked(x, when, wanted)
        unwanted = texts.unwanted[min(place, len(texts.unwanted) - 1)]
        if wanted.hidden.shape == unwanted.hidden.shape:
            away, toward = self._asked(torch.cat([x, x]), when, _both(unwanted, wanted)).chunk(2)
        else:
            # Prompts of other lengths: one after the other, as A1111 does.
            away, toward = (self._asked(x, when, each) for each in (unwanted, wanted))
        return away + texts.scale * (toward - away)

    def _asked(self, x: torch.Tensor, when: float, text: Text) -> torch.Tensor:
        unet = self._base.unet
        step = torch.tensor(when, dtype=torch.float32, device=x.device)
        given, hidden = x.to(unet.dtype), text.hidden.to(unet.dtype)
        known = {"encoder_hidden_states": hidden, "added_cond_kwargs": self._added(text, unet.dtype)}
        return unet(given, step, **known, return_dict=False)[0].to(x.dtype)

    def _added(self, text: Text, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Give what SDXL is told beside the prompt: its summary, the original size, no crop, the size to draw."""
        if text.pooled is None:
            return {}
        size = torch.tensor([[*self._guidance.size, 0, 0, *self._guidance.size]], device=text.pooled.device)
        return {"text_embeds": text.pooled.to(dtype), "time_ids": size.repeat(len(text.pooled), 1).to(dtype)}


def _both(first: Text, second: Text) -> Text:
    pooled = None if first.pooled is None or second.pooled is None else torch.cat([first.pooled, second.pooled])
    return Text(torch.cat([first.hidden, second.hidden]), pooled)
