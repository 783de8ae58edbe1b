"""A text encoder and how a window of a prompt is read with it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from families import TextKind
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

Place = Callable[[torch.nn.Module, tuple, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Text:
    """What a prompt is to the U-Net: 1 x tokens x width, and where the family has it a summary, 1 x width."""

    hidden: torch.Tensor
    pooled: torch.Tensor | None = None

    def zeros(self) -> "Text":
        """Give nothing, of the same shape."""
        return Text(torch.zeros_like(self.hidden), None if self.pooled is None else torch.zeros_like(self.pooled))


@dataclass(frozen=True)
class TextEncoder:
    """One text encoder of a base model."""

    kind: TextKind
    model: CLIPTextModel | CLIPTextModelWithProjection

    @property
    def layers(self) -> int:
        """How many layers clip skip may count."""
        return self.model.config.num_hidden_layers

    @property
    def width(self) -> int:
        """How wide the vectors of tokens are."""
        return self.model.config.hidden_size

    def read(self, ids: list[int], clip_skip: int, place: Place) -> Text:
        """Read a window of tokens, in fp32 from here on. `place`: puts embeddings among the tokens' vectors."""
        hook = self.model.get_input_embeddings().register_forward_hook(place)
        try:
            output = self.model(torch.tensor([ids], device=self.model.device), output_hidden_states=True)
        finally:
            hook.remove()
        if self.kind.penultimate:
            hidden = output.hidden_states[-2]
        elif clip_skip > 1:
            hidden = self.model.text_model.final_layer_norm(output.hidden_states[-clip_skip])
        else:
            hidden = output.last_hidden_state
        return Text(hidden.float(), output.text_embeds.float() if self.kind.pooled else None)
