"""Small files with the headers of real models: right names and shapes, few tensors, no meaning."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Shapes = Mapping[str, Sequence[int]]

_ATTENTION = "model.diffusion_model.input_blocks.{}.1.transformer_blocks.0.attn2.to_k.weight"
_FIRST = {"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3)}
_VAE = {"encoder.conv_in.weight": (128, 3, 3, 3), "decoder.conv_in.weight": (512, 4, 3, 3)}
_VAE_IN_CHECKPOINT = {f"first_stage_model.{name}": shape for name, shape in _VAE.items()}

SD15: Shapes = {
    **_FIRST,
    _ATTENTION.format(1): (320, 768),
    **_VAE_IN_CHECKPOINT,
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": (768,),
}
SD2: Shapes = {
    **_FIRST,
    _ATTENTION.format(1): (320, 1024),
    **_VAE_IN_CHECKPOINT,
    "cond_stage_model.model.transformer.resblocks.0.ln_1.weight": (1024,),
}
SDXL: Shapes = {
    **_FIRST,
    _ATTENTION.format(4): (640, 2048),
    **_VAE_IN_CHECKPOINT,
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (768,),
}
INPAINTING: Shapes = {**SD15, "model.diffusion_model.input_blocks.0.0.weight": (320, 9, 3, 3)}
FLUX: Shapes = {"model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale": (128,), **_VAE_IN_CHECKPOINT}
UNET_ONLY: Shapes = {**_FIRST, _ATTENTION.format(1): (320, 768)}
NO_VAE: Shapes = {name: shape for name, shape in SD15.items() if not name.startswith("first_stage_model.")}
LORA: Shapes = {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": (320, 16)}
PEFT_LORA: Shapes = {"unet.down_blocks.0.attentions.0.to_k.lora_B.weight": (320, 16)}
VAE: Shapes = _VAE
DIFFUSERS_VAE: Shapes = {"encoder.conv_in.weight": (128, 3, 3, 3), "encoder.mid_block.resnets.0.norm1.weight": (512,)}
EMBEDDING: Shapes = {"emb_params": (4, 768)}
UPSCALER: Shapes = {"conv_first.weight": (64, 3, 3, 3)}

_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


def safetensors_bytes(
    shapes: Shapes, *, dtype: str = "F16", metadata: Mapping[str, str] | None = None, fill: bytes = b"\0"
) -> bytes:
    """Write a whole .safetensors file of `shapes` in memory; `fill` makes two of the same shapes differ."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        start, length = end, _BYTES[dtype]
        for side in shape:
            length *= side
        end = start + length
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + fill * end


def write_model(path: Path, shapes: Shapes, *, dtype: str = "F16", fill: bytes = b"\0") -> Path:
    """Write such a file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(safetensors_bytes(shapes, dtype=dtype, fill=fill))
    return path


def write_diffusers(folder: Path, *, width: int = 768, weights: str = "diffusion_pytorch_model.safetensors") -> Path:
    """Write a diffusers folder with config files and a stump of weights in each part."""
    for part in ("unet", "vae", "text_encoder"):
        (folder / part).mkdir(parents=True)
        (folder / part / weights).write_bytes(safetensors_bytes({"weight": (2, 2)}))
    config = {"in_channels": 4, "cross_attention_dim": width}
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    (folder / "unet" / "config.json").write_text(json.dumps(config))
    (folder / "vae" / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKL"}))
    (folder / "text_encoder" / "config.json").write_text(json.dumps({"hidden_size": width}))
    return folder
