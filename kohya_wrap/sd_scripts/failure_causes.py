"""The table of causes: what an exception's text means, its class of error, and what to change. First match wins."""

import re
from dataclasses import dataclass

from kohya_wrap.errors import (
    DiskFullError,
    MissingFileError,
    MissingPackageError,
    NoCudaError,
    NoDataError,
    OutOfMemoryError,
    TrainingError,
    WrongFamilyError,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause. `pattern` is searched in the exception's last line, with `whole` in its traceback.

    `what` is one sentence; {names} are the pattern's groups. `named_by` finds the file in an earlier line.
    """

    pattern: re.Pattern[str]
    error: type[TrainingError]
    what: str
    todo: str
    named_by: re.Pattern[str] | None = None
    whole: bool = False


_PICTURE = re.compile(r"(?:failed to get image size|Error loading file): (.+?)(?:, error: |$)")
_CAPTION = re.compile(r"(?:not UTF-8[^:]*|caption file is empty[^:]*): (.+?)$")
_LESS_MEMORY = (
    "lower steps.train_batch_size or processing.resolution, or set engine.gradient_checkpointing = true; "
    "close other programs that use the GPU"
)
_ANOTHER_BASE = "check the base model's file: download it again, or give another one"
_NO_GPU = "set engine.mixed_precision and engine.attention to 'auto', and [engine] fidelity to 'hardware'"


def _cause(
    pattern: str,
    error: type[TrainingError],
    what: str,
    todo: str,
    named_by: re.Pattern[str] | None = None,
    *,
    whole: bool = False,
) -> Cause:
    return Cause(re.compile(pattern), error, what, todo, named_by, whole)


CAUSES: tuple[Cause, ...] = (
    # Memory and disk: whatever the engine was doing.
    _cause(
        r"OutOfMemoryError|CUDA out of memory|CUDA error: out of memory",
        OutOfMemoryError,
        "the GPU's memory ran out",
        _LESS_MEMORY,
    ),
    _cause(
        r"MemoryError|DefaultCPUAllocator: .*(?:can't|not enough)|Cannot allocate memory|\[Errno 12\]",
        OutOfMemoryError,
        "the machine's memory ran out",
        "close other programs, or lower steps.train_batch_size",
    ),
    _cause(
        r"No space left on device|\[Errno 28\]|StorageFull|Disk quota exceeded|inline_container\.cc",
        DiskFullError,
        "the disk is full; the last LoRA file is not whole",
        "free some space and run again",
    ),
    # Data.
    _cause(
        r"No data found|datasets should not be an empty iterable",
        NoDataError,
        "the engine found no pictures to train on",
        "check that the dataset's folder holds .png, .jpg, .jpeg, .webp or .bmp pictures",
        re.compile(r"(?:not directory: |image_dir=')(.+?)(?:'|$)"),
    ),
    _cause(
        r"ZeroDivisionError",
        TrainingError,
        "a picture is broken or too small to be put into a bucket",
        "remove the picture, or save it again",
        _PICTURE,
    ),
    _cause(
        r"image file is truncated|cannot identify image file|UnidentifiedImageError|broken data stream|broken PNG",
        TrainingError,
        "a picture is broken",
        "remove the picture, or save it again",
        _PICTURE,
    ),
    _cause(
        r"DecompressionBombError",
        TrainingError,
        "a picture is larger than 179 million pixels",
        "make it smaller",
        _PICTURE,
    ),
    _cause(
        r"UnicodeDecodeError|illegal char in file",
        TrainingError,
        "a caption is not UTF-8",
        "save the caption file as UTF-8",
        _CAPTION,
    ),
    _cause(
        r"caption file is empty[^:]*: (?P<path>.+)$",
        TrainingError,
        "the caption {path} is empty",
        "write a caption into it, or remove the file",
    ),
    _cause(
        r"min_bucket_reso must be",
        TrainingError,
        "the smallest bucket is larger than the resolution",
        "raise processing.resolution, or lower min_bucket_reso in the dataset file",
    ),
    _cause(
        r"bucket_reso_steps is (?P<steps>\d+)",
        TrainingError,
        "bucket_reso_steps is {steps}, which this family cannot train",
        "use a multiple of 64 (SDXL: of 32)",
    ),
    _cause(
        r"MultipleInvalid|Invalid user config",
        TrainingError,
        "the dataset file has a key or a value that the engine refuses",
        "correct extras.custom_dataset or extras.override_dataset_config_file",
        re.compile(r"MultipleInvalid: (.+)$"),
    ),
    # The base model.
    _cause(
        r"Error\(s\) in loading state_dict for LoRANetwork",
        TrainingError,
        "the LoRA to continue from has another network_dim or other layers",
        "set structure.network_dim as it was, or dim_from_weights = true under [sd_scripts]",
    ),
    _cause(
        r"Error\(s\) in loading state_dict for (?P<part>\w+)|size mismatch for",
        WrongFamilyError,
        "the base model is of another family than the preset trains ({part} does not fit)",
        "choose a base model of the preset's family; for SD 2 set setup.custom_model_is_based_on_sd2",
    ),
    _cause(
        r"KeyError: '(?:time_embed|model\.diffusion_model|encoder\.|decoder\.|conv_in|cond_stage_model)",
        WrongFamilyError,
        "the base model's file holds no Stable Diffusion model of this family (a LoRA or a VAE, perhaps)",
        "give the whole base model; a VAE must be a folder or an original .safetensors",
    ),
    _cause(
        r"Error while deserializing header: (?P<reason>\w+)|UnpicklingError|invalid load key|HeaderTooLarge",
        WrongFamilyError,
        "the base model is not a whole .safetensors file ({reason})",
        _ANOTHER_BASE,
    ),
    _cause(
        r"no file named model_index\.json found in directory (?P<path>\S+)",
        WrongFamilyError,
        "the folder {path} is no diffusers model",
        "give a folder that holds model_index.json, or a .safetensors file",
    ),
    # Files.
    _cause(
        r"in _load_tokenizer",
        MissingFileError,
        "the tokenizer is not on this machine and cannot be fetched",
        "run `kohya-wrap setup` with a network connection",
        whole=True,
    ),
    _cause(
        r"neither a valid local path nor a valid repo id|Cannot load model (?P<path>\S+?):?(?: |$)|"
        r"model is not found as a file",
        MissingFileError,
        "the base model is not where the training file says",
        _ANOTHER_BASE,
    ),
    _cause(
        r"We couldn't connect to|OfflineModeIsEnabled|LocalEntryNotFoundError|ConnectionError|Max retries exceeded",
        MissingFileError,
        "the engine wanted to download a file, and there is no connection",
        "check the network, or give the file by a local path",
    ),
    _cause(
        r"Tried to find (?P<path>.+) but folder does not exist",
        MissingFileError,
        "the state to resume from is missing: {path}",
        "correct training.resume, or leave it out",
    ),
    _cause(
        r"(?:FileNotFoundError|IsADirectoryError|NotADirectoryError|PermissionError).*?['\"](?P<path>[^'\"]+)['\"]",
        MissingFileError,
        "the engine could not open {path}",
        "check that it is there and may be read",
    ),
    _cause(
        r"FileNotFoundError|No such file or directory|ValueError: file not found",
        MissingFileError,
        "the engine could not open a file it was given",
        "read the log for its name",
    ),
    # No GPU.
    _cause(
        r"torch\.cuda\.is_available\(\) should be True|memory efficient attention is only available for GPU",
        NoCudaError,
        "xformers needs a GPU with CUDA, and there is none",
        _NO_GPU,
    ),
    _cause(
        r"mixed dtype \(CPU\)|c10::Half != float|not implemented for 'Half'|fp16 mixed precision requires a GPU",
        NoCudaError,
        "half precision needs a GPU with CUDA, and there is none",
        _NO_GPU,
    ),
    _cause(
        r"bf16 mixed precision requires|does not support bfloat16|Bfloat16 is not supported",
        NoCudaError,
        "this machine's GPU cannot calculate in bf16",
        "set engine.mixed_precision = 'fp16'",
    ),
    _cause(
        r"No CUDA GPUs are available|Found no NVIDIA driver|Torch not compiled with CUDA|CUDA driver version is insuff"
        r"|CUDA unknown error|no kernel image is available",
        NoCudaError,
        "CUDA cannot be used here",
        "run `kohya-wrap doctor`; it says which driver and which torch are there",
    ),
    _cause(
        r"CUDA error|cuDNN error|CUBLAS_STATUS",
        TrainingError,
        "the GPU reported an error",
        "run again; if it comes back, restart the machine and look at the driver with `kohya-wrap doctor`",
    ),
    # The engine's environment.
    _cause(
        r"No (?P<package>xformers|bitsandbytes|[Pp]rodigy\w*|dadaptation|lion_pytorch|wandb|schedulefree)\b",
        MissingPackageError,
        "the engine's environment lacks the package {package}",
        "run `kohya-wrap setup`, or install it in the environment of engine.python",
    ),
    _cause(
        r"No module named '(?:networks|lycoris)[\w.]*'",
        MissingPackageError,
        "the engine's environment lacks the network module",
        "run `kohya-wrap setup`; the Lycoris kinds need the package lycoris-lora",
    ),
    _cause(
        r"ModuleNotFoundError: No module named '(?P<package>[\w.]+)'|ImportError: .*?'(?P<from>[\w.]+)'",
        MissingPackageError,
        "the engine's environment lacks the package {package}",
        "run `kohya-wrap setup`, or install it in the environment of engine.python",
    ),
    _cause(
        r"ImportError|cannot open shared object file",
        MissingPackageError,
        "a package of the engine's environment does not load",
        "run `kohya-wrap setup` to build the environment again",
    ),
    # Options.
    _cause(
        r"module 'torch\.optim' has no attribute '(?P<name>[^']+)'",
        TrainingError,
        "there is no optimizer called {name}",
        "correct optimizer.optimizer",
    ),
    _cause(
        r"unexpected keyword argument '(?P<name>[^']+)'",
        TrainingError,
        "the argument {name} is none of this optimizer or network",
        "correct optimizer.optimizer_args, or network_args under [sd_scripts]",
    ),
    _cause(
        r"malformed node or string|not enough values to unpack",
        TrainingError,
        "an argument of the optimizer or network is not key=value with a Python literal",
        "write True, False, None, numbers or quoted texts",
    ),
    _cause(
        r"empty parameter list",
        TrainingError,
        "nothing would be trained: all learning rates are 0",
        "raise learning.unet_lr or learning.text_encoder_lr",
    ),
    _cause(
        r"Setting different lr values in different parameter groups",
        TrainingError,
        "this optimizer wants one learning rate for the U-Net and the text encoder",
        "make learning.unet_lr and learning.text_encoder_lr equal",
    ),
    _cause(
        r"is not a valid SchedulerType",
        TrainingError,
        "the engine does not know this scheduler",
        "correct learning.lr_scheduler",
    ),
    _cause(
        r"does not require .?num_warmup_steps",
        TrainingError,
        "this scheduler takes no warm-up",
        "set learning.lr_warmup_ratio = 0, or constant_with_warmup",
    ),
    _cause(
        r"max_train_steps should be greater than initial step",
        TrainingError,
        "the state to resume from has done all these steps already",
        "raise steps.how_many",
    ),
    _cause(
        r"unrecognized arguments|TomlDecodeError|has no attribute 'split'",
        TrainingError,
        "the engine could not read the training file",
        "correct extras.override_config_file, or report this",
    ),
)
