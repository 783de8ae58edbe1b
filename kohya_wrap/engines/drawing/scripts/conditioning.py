"""What a prompt becomes for the U-Net, as A1111 does it: chunks of 75 tokens, attention, clip skip, embeddings."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from attention import BREAK, parse_attention
from chunks import CHUNK, Chunk, chunks_of
from editing import at_step
from embeddings import Embeddings
from lines import Refused
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

MEAN = 1e-4
"""Below this share of the spread a mean is rounding."""
_AND = re.compile(r"\bAND\b")


class Prompts:
    """Encodes prompts with a text encoder, whose weights may change between two calls."""

    def __init__(self, tokenizer: CLIPTokenizer, encoder: CLIPTextModel, embeddings: Mapping[str, Path]) -> None:
        self._tokenizer = tokenizer
        self._encoder = encoder
        self._comma = self._ids(",")[-1]
        self._embeddings = Embeddings(embeddings, self._ids, encoder.config.hidden_size)

    def encode(self, prompt: str, *, clip_skip: int, steps: int, notes: list[str]) -> list[torch.Tensor]:
        """Give 1 x (77 times chunks) x width for each step. What is left out is added to `notes`.

        clip_skip 1 reads the last layer. Raises Refused where the encoder has not so many, or for an embedding.
        """
        layers = self._encoder.config.num_hidden_layers
        if clip_skip > layers:
            what = f"clip skip {clip_skip} asks for more layers than the text encoder's {layers}"
            raise Refused((what, "", f"set it to {layers} or less"))
        if _AND.search(prompt):
            notes.append("AND between prompts is not known here, and is drawn as a word")
        texts = [at_step(prompt, step, steps) for step in range(1, steps + 1)]
        encoded = {text: self._encode_text(text, clip_skip, notes) for text in dict.fromkeys(texts)}
        return [encoded[text] for text in texts]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, truncation=False, add_special_tokens=False, verbose=False).input_ids)

    def _encode_text(self, text: str, clip_skip: int, notes: list[str]) -> torch.Tensor:
        named = self._embeddings.named(text, notes)
        pieces = [None if piece == BREAK else (self._ids(piece[0]), piece[1]) for piece in parse_attention(text)]
        chunks = chunks_of(pieces, self._comma, named)
        return torch.cat([self._encode(chunk, clip_skip) for chunk in chunks], dim=1)

    def _encode(self, chunk: Chunk, clip_skip: int) -> torch.Tensor:
        start, end, pad = (getattr(self._tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))
        rest = CHUNK - chunk.width
        # One end sign, then the padding: for CLIP of SD 1.x more of them, for OpenCLIP of SD 2.x another.
        ids = torch.tensor([[start, *chunk.tokens, end, *[pad] * rest]], device=self._encoder.device)
        weights = torch.tensor([1.0, *chunk.weights, *[1.0] * (rest + 1)], device=self._encoder.device)
        hook = self._encoder.get_input_embeddings().register_forward_hook(self._placing(chunk))
        try:
            output = self._encoder(ids, output_hidden_states=True, return_dict=True)
        finally:
            hook.remove()
        hidden = output.last_hidden_state
        if clip_skip > 1:
            hidden = self._encoder.text_model.final_layer_norm(output.hidden_states[-clip_skip])
        return _weighed(hidden.float(), weights)

    def _placing(self, chunk: Chunk) -> Callable[[torch.nn.Module, tuple, torch.Tensor], torch.Tensor]:
        placed = [(1 + at, self._embeddings.vectors(name)) for at, name in chunk.embeddings]  # after the start sign

        def place(module: torch.nn.Module, given: tuple, output: torch.Tensor) -> torch.Tensor:
            for at, vectors in placed:
                output[0, at : at + len(vectors)] = vectors.to(output)
            return output

        return place


def _weighed(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weigh each token, and bring the mean of all back to what it was. Source: A1111, emphasis "Original"."""
    if bool((weights == 1).all()):
        return hidden
    heavy = hidden * weights[None, :, None]
    before, after = hidden.mean(), heavy.mean()
    # CLIP's mean is -0.1 for a spread of 1; a toy's is 0 but for rounding, and there is nothing to bring back.
    return heavy * (before / after) if bool(after.abs() > MEAN * heavy.std()) else heavy
