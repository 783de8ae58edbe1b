"""What a LoRA file is and how it was made: first from its header alone, then from its numbers."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.base_models.header import Header, Tensor
from kohya_wrap.base_models.identify import identify_header
from kohya_wrap.errors import BadResultError
from kohya_wrap.results.inspect.metadata import TrainingFacts, training_facts
from kohya_wrap.results.inspect.modules import Structure, structure_of
from kohya_wrap.results.inspect.norms import Measures, measure
from kohya_wrap.results.lora_file import LoraFile, hashes, read_lora, whole
from kohya_wrap.results.parameters.resources import loads

_TODO = "download or copy the file again, and see that it is a LoRA's .safetensors"
_OLD_HASH_AT, _OLD_HASH_BYTES = 0x100000, 0x10000


@dataclass(frozen=True, slots=True)
class LoraHeader:
    """Everything that the header tells. `notes`: what contradicts itself or is missing, for a person.

    `numeric_types`: how many tensors have which type, as the format spells them.
    """

    file: LoraFile
    size: int
    structure: Structure
    facts: TrainingFacts
    numeric_types: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def family(self) -> str:
        """The family by the shapes of the tensors, which cannot lie; else by the metadata."""
        return self.structure.family if self.structure.family != "unknown" else self.facts.family


@dataclass(frozen=True, slots=True)
class LoraHashes:
    """The names that tools call a file by, lower-case hex.

    `auto_v1`: A1111's and kohya's old hash, 8 digits of 64 KiB at 1 MiB; empty for a smaller file. `auto_v2`: the first
    10 digits of `sha256`, as Civitai and A1111 show for models. `auto_v3`: the first 12 of `tensors_sha256`, which
    A1111 writes into "Lora hashes"; kohya's sshs_model_hash is all of it. `matches_metadata`: None where
    the file does not say its own.
    """

    sha256: str
    tensors_sha256: str
    auto_v1: str
    matches_metadata: bool | None

    @property
    def auto_v2(self) -> str:
        """First 10 digits of the SHA256 of the file."""
        return self.sha256[:10]

    @property
    def auto_v3(self) -> str:
        """First 12 digits of the SHA256 of the tensors."""
        return self.tensors_sha256[:12]


def inspect_header(path: Path) -> LoraHeader:
    """Read what the header tells, and nothing behind it: milliseconds for a file of any size.

    Raises BadResultError for a file that is no .safetensors, is cut short, or holds no LoRA.
    """
    lora = read_lora(path, todo=_TODO)
    structure, facts = structure_of(lora), training_facts(lora.metadata)
    if lora.tensors and structure.kind == "unknown":
        raise BadResultError(_no_lora(lora), where=str(path), todo="give a LoRA's .safetensors file")
    return LoraHeader(
        file=lora,
        size=lora.data_offset + max((tensor.end for tensor in lora.tensors.values()), default=0),
        structure=structure,
        facts=facts,
        numeric_types=dict(Counter(tensor.dtype for tensor in lora.tensors.values()).most_common()),
        notes=tuple(_notes(lora, structure, facts)),
    )


def _no_lora(lora: LoraFile) -> str:
    """Say what a file without a LoRA's tensors is, by their names."""
    tensors = {name: Tensor(info.dtype, info.shape) for name, info in lora.tensors.items()}
    found = identify_header(Header(tensors, 0))
    if found.kind in {"lora", "other"}:
        return "is no LoRA: none of its tensors is named like those of a LoRA"
    return f"is no LoRA but {'a base model, ' if found.kind == 'checkpoint' else ''}{found}"


def _notes(lora: LoraFile, structure: Structure, facts: TrainingFacts) -> list[str]:
    notes = []
    if not lora.tensors:
        notes.append("it holds no tensors")
    if not lora.metadata:
        notes.append("it has no metadata: how it was trained is not known")
    if "unknown" not in {structure.family, facts.family} and structure.family != facts.family:
        notes.append(f"its metadata says {facts.family}, its shapes say {structure.family}")
    rank = next(iter(structure.ranks), 0)
    if rank and whole(facts.dim) not in {0, *structure.ranks}:
        notes.append(f"its metadata says rank {facts.dim}, its shapes say {rank}: resized after training?")
    if len(structure.ranks) > 1:
        notes.append(f"its modules have {len(structure.ranks)} different ranks")
    if lora.metadata and not facts.steps and "ss_steps" in lora.metadata:
        notes.append("it was saved before any step: it does nothing")
    return notes


def inspect_numbers(header: LoraHeader) -> Measures:
    """Read every tensor of an inspected file: norms, zeros, nan and inf."""
    return measure(header.file, header.structure, rs_lora=_is_rs_lora(header.facts))


def _is_rs_lora(facts: TrainingFacts) -> bool:
    arguments = loads(facts.settings.get("network_args", ""))
    said = arguments.get("rs_lora") if isinstance(arguments, dict) else None
    return str(said).lower() == "true"


def inspect_hashes(header: LoraHeader) -> LoraHashes:
    """Read the whole file once and give its hashes, compared with the one in its metadata."""
    whole, tensors = hashes(header.file)
    with header.file.path.open("rb") as file:
        file.seek(_OLD_HASH_AT)
        there = file.read(_OLD_HASH_BYTES)
    old = hashlib.sha256(there).hexdigest()[:8] if there else ""
    said = header.facts.model_hash
    return LoraHashes(whole, tensors, old, tensors.startswith(said) if said else None)
