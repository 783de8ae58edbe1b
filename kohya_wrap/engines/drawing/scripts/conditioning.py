"""What a prompt becomes for the U-Net, as A1111 does it: chunks of 75 tokens, attention, clip skip, embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from attention import BREAK, parse_attention
from lines import Refused
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

CHUNK = 75
"""Tokens between the start and the end sign of CLIP's window."""
COMMA_REACH = 20
"""A chunk that is full ends at its last comma where that is among so many last tokens. Source: A1111's default."""


@dataclass
class Embedding:
    """A textual inversion: tokens of its name, and n x width vectors that stand in their place."""

    name: str
    tokens: list[int]
    vectors: torch.Tensor


@dataclass
class _Chunk:
    tokens: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    placed: list[tuple[int, Embedding]] = field(default_factory=list)
    comma: int = 0

    def add(self, token: int, weight: float) -> None:
        self.tokens.append(token)
        self.weights.append(weight)

    def split_off(self, place: int) -> "_Chunk":
        """Keep what is before `place`, and give the rest as a new chunk."""
        rest = _Chunk(
            self.tokens[place:], self.weights[place:], [(at - place, e) for at, e in self.placed if at >= place]
        )
        self.tokens, self.weights = self.tokens[:place], self.weights[:place]
        self.placed = [(at, each) for at, each in self.placed if at < place]
        return rest


class Prompts:
    """Encodes prompts with a text encoder, whose weights may change between two calls."""

    def __init__(
        self, tokenizer: CLIPTokenizer, encoder: CLIPTextModel, embeddings: Mapping[str, Path] | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._encoder = encoder
        self._comma = self._ids(",")[-1]
        self._files = {name: (self._ids(name), path) for name, path in (embeddings or {}).items()}
        self._read: dict[str, Embedding | None] = {}

    def encode(self, prompt: str, *, clip_skip: int) -> tuple[torch.Tensor, list[str]]:
        """Give 1 x (77 times chunks) x width, and what was left out. clip_skip 1 reads the last layer.

        Raises Refused where the encoder has not so many layers, or an embedding cannot be read.
        """
        layers = self._encoder.config.num_hidden_layers
        if clip_skip > layers:
            what = f"clip skip {clip_skip} asks for more layers than the text encoder's {layers}"
            raise Refused((what, "", f"set it to {layers} or less"))
        notes: list[str] = []
        chunks = self._chunks(prompt, notes)
        return torch.cat([self._encode(chunk, clip_skip) for chunk in chunks], dim=1), notes

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, truncation=False, add_special_tokens=False, verbose=False).input_ids)

    def _chunks(self, prompt: str, notes: list[str]) -> list[_Chunk]:
        done: list[_Chunk] = []
        chunk = _Chunk()
        for piece in parse_attention(prompt):
            if piece == BREAK:
                done.append(chunk)
                chunk = _Chunk()
                continue
            text, weight = piece
            tokens, place = self._ids(text), 0
            while place < len(tokens):
                found = self._embedding_at(tokens, place, notes)
                width = len(found.vectors) if found else 1
                if len(chunk.tokens) + width > CHUNK:
                    rest = self._room(chunk, is_comma=not found and tokens[place] == self._comma)
                    done.append(chunk)
                    chunk = rest
                if found:
                    chunk.placed.append((len(chunk.tokens), found))
                    for _ in range(width):
                        chunk.add(0, weight)
                    place += len(found.tokens)
                    continue
                chunk.add(tokens[place], weight)
                chunk.comma = len(chunk.tokens) if tokens[place] == self._comma else chunk.comma
                place += 1
        return [*done, chunk] if chunk.tokens or not done else done

    @staticmethod
    def _room(chunk: _Chunk, *, is_comma: bool) -> _Chunk:
        """Give the chunk after a full one: words that a comma near its end begins go over together."""
        near = not is_comma and chunk.comma and len(chunk.tokens) - chunk.comma <= COMMA_REACH
        return chunk.split_off(chunk.comma) if near else _Chunk()

    def _embedding_at(self, tokens: Sequence[int], place: int, notes: list[str]) -> Embedding | None:
        matching = [
            (len(ids), name)
            for name, (ids, _) in self._files.items()
            if ids and list(tokens[place : place + len(ids)]) == ids
        ]
        if not matching:
            return None
        name = max(matching)[1]
        if name not in self._read:
            ids, path = self._files[name]
            self._read[name] = self._load(name, ids, path)
        if self._read[name] is None:
            note = f"the embedding {name} is left out: {self._files[name][1].name} is a pickle; give it as .safetensors"
            notes += [] if note in notes else [note]
        return self._read[name]

    def _load(self, name: str, ids: list[int], path: Path) -> Embedding | None:
        if path.suffix.lower() != ".safetensors":
            return None
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise Refused((f"the embedding cannot be read: {error}", str(path), "fetch it again")) from error
        vectors = tensors.get("emb_params", next(iter(tensors.values())) if len(tensors) == 1 else None)
        width = self._encoder.config.hidden_size
        if vectors is None or vectors.ndim > 2 or vectors.shape[-1] != width or vectors.numel() > CHUNK * width:
            what = f"the embedding {name} is not for this base model, whose vectors are {width} wide"
            raise Refused((what, str(path), "take it out of the prompt, or draw with the model it was made for"))
        return Embedding(name, ids, vectors.reshape(-1, width))

    def _encode(self, chunk: _Chunk, clip_skip: int) -> torch.Tensor:
        start, end, pad = (getattr(self._tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))
        rest = CHUNK - len(chunk.tokens)
        # One end sign, then the padding: for CLIP of SD 1.x more of them, for OpenCLIP of SD 2.x another.
        ids = torch.tensor([[start, *chunk.tokens, end, *[pad] * rest]], device=self._encoder.device)
        weights = torch.tensor([1.0, *chunk.weights, *[1.0] * (rest + 1)], device=self._encoder.device)
        hook = self._encoder.get_input_embeddings().register_forward_hook(_placing(chunk))
        try:
            output = self._encoder(ids, output_hidden_states=True, return_dict=True)
        finally:
            hook.remove()
        hidden = output.last_hidden_state
        if clip_skip > 1:
            hidden = self._encoder.text_model.final_layer_norm(output.hidden_states[-clip_skip])
        return _weighed(hidden.float(), weights)


def _weighed(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weigh each token, and bring the mean of all back to what it was. Source: A1111, emphasis "Original"."""
    if bool((weights == 1).all()):
        return hidden
    heavy = hidden * weights[None, :, None]
    return heavy * (hidden.mean() / heavy.mean())


def _placing(chunk: _Chunk):
    def place(module: torch.nn.Module, given: tuple, output: torch.Tensor) -> torch.Tensor:
        for at, embedding in chunk.placed:
            # The first vector is the start sign's.
            output[0, 1 + at : 1 + at + len(embedding.vectors)] = embedding.vectors.to(output)
        return output

    return place
