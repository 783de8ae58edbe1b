"""What a prompt becomes for the U-Net, as A1111 does it: chunks of 75 tokens, attention, clip skip, embeddings."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from attention import BREAK, parse_attention
from chunks import CHUNK, Chunk, chunks_of
from editing import at_step
from embeddings import Embeddings
from encoders import Place, Text, TextEncoder
from lines import Refused
from transformers.models.clip.tokenization_clip import CLIPTokenizer

MEAN = 1e-4
"""Below this share of the spread a mean is rounding."""
_AND = re.compile(r"\bAND\b")


class Prompts:
    """Encodes prompts with text encoders, whose weights may change between two calls."""

    def __init__(
        self, tokenizer: CLIPTokenizer, encoders: Sequence[TextEncoder], embeddings: Mapping[str, Path]
    ) -> None:
        self._tokenizer = tokenizer
        self._encoders = encoders
        self._comma = self._ids(",")[-1]
        widths = [(encoder.kind.embedding, encoder.width) for encoder in encoders]
        self._embeddings = Embeddings(embeddings, self._ids, widths)

    def encode(self, prompt: str, *, clip_skip: int, steps: int, notes: list[str]) -> list[Text]:
        """Give 1 x (77 times chunks) x width for each step. What is left out is added to `notes`.

        Several encoders stand side by side; the summary is the first chunk's. clip_skip 1 reads the last layer, where
        the family has it. Raises Refused where the encoder has not so many, or for an embedding.
        """
        layers = min((each.layers for each in self._encoders if not each.kind.penultimate), default=clip_skip)
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

    def _encode_text(self, text: str, clip_skip: int, notes: list[str]) -> Text:
        named = self._embeddings.named(text, notes)
        pieces = [None if piece == BREAK else (self._ids(piece[0]), piece[1]) for piece in parse_attention(text)]
        texts = [self._encode(chunk, clip_skip) for chunk in chunks_of(pieces, self._comma, named)]
        return Text(torch.cat([each.hidden for each in texts], dim=1), texts[0].pooled)

    def _encode(self, chunk: Chunk, clip_skip: int) -> Text:
        start, end, usual = (getattr(self._tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))
        rest = CHUNK - chunk.width
        weights = torch.tensor([1.0, *chunk.weights, *[1.0] * (rest + 1)])
        read = []
        for number, encoder in enumerate(self._encoders):
            # One end sign, then the padding: for CLIP of SD 1.x more of them, for OpenCLIP another.
            pad = usual if encoder.kind.pad is None else encoder.kind.pad
            ids = [start, *chunk.tokens, end, *[pad] * rest]
            text = encoder.read(ids, clip_skip, self._placing(chunk, number))
            read.append(Text(_weighed(text.hidden, weights.to(text.hidden.device)), text.pooled))
        return Text(torch.cat([each.hidden for each in read], dim=-1), read[-1].pooled)

    def _placing(self, chunk: Chunk, number: int) -> Place:
        """Put embeddings in for the encoder of that number, behind the start sign."""
        placed = [(1 + at, self._embeddings.vectors(name)[number]) for at, name in chunk.embeddings]

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
