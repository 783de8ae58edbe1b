"""Causes that lie in what is trained on, or in memory and disk: pictures, captions, the base model."""

import re

from kohya_wrap.errors import DiskFullError, NoDataError, OutOfMemoryError, TrainingError, WrongFamilyError
from kohya_wrap.sd_scripts.cause import ANOTHER_BASE, Cause, cause

_PICTURE = re.compile(r"(?:failed to get image size|Error loading file): (.+?)(?:, error: |$)")
_CAPTION = re.compile(r"(?:not UTF-8[^:]*|caption file is empty[^:]*): (.+?)$")
_LESS_MEMORY = (
    "lower steps.train_batch_size or processing.resolution, or set engine.gradient_checkpointing = true; "
    "close other programs that use the GPU"
)

INPUT_CAUSES: tuple[Cause, ...] = (
    # Memory and disk: whatever the engine was doing.
    cause(
        r"OutOfMemoryError|CUDA out of memory|CUDA error: out of memory",
        OutOfMemoryError,
        "the GPU's memory ran out",
        _LESS_MEMORY,
    ),
    cause(
        r"MemoryError|DefaultCPUAllocator: .*(?:can't|not enough)|Cannot allocate memory|\[Errno 12\]",
        OutOfMemoryError,
        "the machine's memory ran out",
        "close other programs, or lower steps.train_batch_size",
    ),
    cause(
        r"No space left on device|\[Errno 28\]|StorageFull|Disk quota exceeded|inline_container\.cc",
        DiskFullError,
        "the disk is full; the last LoRA file is not whole",
        "free some space and run again",
    ),
    cause(
        r"\[Errno 30\][^']*(?:'(?P<path>[^']+)')?|Read-only file system",
        TrainingError,
        "the engine could not write {path}: its file system is read-only",
        "see why (a disk with errors becomes read-only by itself), or train in another folder with --root",
    ),
    # Data.
    cause(
        r"No data found|datasets should not be an empty iterable",
        NoDataError,
        "the engine found no pictures to train on",
        "check that the dataset's folder holds .png, .jpg, .jpeg, .webp or .bmp pictures",
        re.compile(r"(?:not directory: |image_dir=')(.+?)(?:'|$)"),
    ),
    cause(
        r"ZeroDivisionError",
        TrainingError,
        "a picture is broken or too small to be put into a bucket",
        "remove the picture, or save it again",
        _PICTURE,
    ),
    cause(
        r"image file is truncated|cannot identify image file|UnidentifiedImageError|broken data stream|broken PNG",
        TrainingError,
        "a picture is broken",
        "remove the picture, or save it again",
        _PICTURE,
    ),
    cause(
        r"DecompressionBombError",
        TrainingError,
        "a picture is larger than 179 million pixels",
        "make it smaller",
        _PICTURE,
    ),
    cause(
        r"UnicodeDecodeError|illegal char in file",
        TrainingError,
        "a caption is not UTF-8",
        "save the caption file as UTF-8",
        _CAPTION,
    ),
    cause(
        r"caption file is empty[^:]*: (?P<path>.+)$",
        TrainingError,
        "the caption {path} is empty",
        "write a caption into it, or remove the file",
    ),
    cause(
        r"min_bucket_reso must be",
        TrainingError,
        "the smallest bucket is larger than the resolution",
        "raise processing.resolution, or lower min_bucket_reso in the dataset file",
    ),
    cause(
        r"bucket_reso_steps is (?P<steps>\d+)",
        TrainingError,
        "bucket_reso_steps is {steps}, which this family cannot train",
        "use a multiple of 64 (SDXL: of 32)",
    ),
    cause(
        r"MultipleInvalid|Invalid user config",
        TrainingError,
        "the dataset file has a key or a value that the engine refuses",
        "correct extras.custom_dataset or extras.override_dataset_config_file",
        re.compile(r"MultipleInvalid: (.+)$"),
    ),
    # The base model.
    cause(
        r"Error\(s\) in loading state_dict for LoRANetwork",
        TrainingError,
        "the LoRA to continue from has another network_dim or other layers",
        "set structure.network_dim as it was, or dim_from_weights = true under [sd_scripts]",
    ),
    cause(
        r"Error\(s\) in loading state_dict for (?P<part>\w+)|size mismatch for",
        WrongFamilyError,
        "the base model is of another family than the preset trains ({part} does not fit)",
        "choose a base model of the preset's family; for SD 2 set setup.custom_model_is_based_on_sd2",
    ),
    cause(
        r"KeyError: '(?:time_embed|model\.diffusion_model|encoder\.|decoder\.|conv_in|cond_stage_model)",
        WrongFamilyError,
        "the base model's file holds no Stable Diffusion model of this family (a LoRA or a VAE, perhaps)",
        "give the whole base model; a VAE must be a folder or an original .safetensors",
    ),
    cause(
        r"Error while deserializing header: (?P<reason>\w+)|UnpicklingError|invalid load key|HeaderTooLarge",
        WrongFamilyError,
        "the base model is not a whole .safetensors file ({reason})",
        ANOTHER_BASE,
    ),
    cause(
        r"no file named model_index\.json found in directory (?P<path>\S+)",
        WrongFamilyError,
        "the folder {path} is no diffusers model",
        "give a folder that holds model_index.json, or a .safetensors file",
    ),
)
