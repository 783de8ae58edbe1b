"""Causes that lie in files, the GPU, the engine's environment or an option."""

from kohya_wrap.errors import MissingFileError, MissingPackageError, NoCudaError, TrainingError
from kohya_wrap.sd_scripts.cause import ANOTHER_BASE, Cause, cause

_NO_GPU = "set engine.mixed_precision and engine.attention to 'auto', and [engine] fidelity to 'hardware'"

SETUP_CAUSES: tuple[Cause, ...] = (
    # Files.
    cause(
        r"in _load_tokenizer",
        MissingFileError,
        "the tokenizer is not on this machine and cannot be fetched",
        "run `kohya-wrap setup` with a network connection",
        whole=True,
    ),
    cause(
        r"neither a valid local path nor a valid repo id|Cannot load model (?P<path>\S+?):?(?: |$)|"
        r"model is not found as a file",
        MissingFileError,
        "the base model is not where the training file says",
        ANOTHER_BASE,
    ),
    cause(
        r"We couldn't connect to|OfflineModeIsEnabled|LocalEntryNotFoundError|ConnectionError|Max retries exceeded",
        MissingFileError,
        "the engine wanted to download a file, and there is no connection",
        "check the network, or give the file by a local path",
    ),
    cause(
        r"Tried to find (?P<path>.+) but folder does not exist",
        MissingFileError,
        "the state to resume from is missing: {path}",
        "correct training.resume, or leave it out",
    ),
    cause(
        r"(?:FileNotFoundError|IsADirectoryError|NotADirectoryError|PermissionError).*?['\"](?P<path>[^'\"]+)['\"]",
        MissingFileError,
        "the engine could not open {path}",
        "check that it is there and may be read",
    ),
    cause(
        r"FileNotFoundError|No such file or directory|ValueError: file not found",
        MissingFileError,
        "the engine could not open a file it was given",
        "read the log for its name",
    ),
    # No GPU.
    cause(
        r"torch\.cuda\.is_available\(\) should be True|memory efficient attention is only available for GPU",
        NoCudaError,
        "xformers needs a GPU with CUDA, and there is none",
        _NO_GPU,
    ),
    cause(
        r"mixed dtype \(CPU\)|c10::Half != float|not implemented for 'Half'|fp16 mixed precision requires a GPU",
        NoCudaError,
        "half precision needs a GPU with CUDA, and there is none",
        _NO_GPU,
    ),
    cause(
        r"bf16 mixed precision requires|does not support bfloat16|Bfloat16 is not supported",
        NoCudaError,
        "this machine's GPU cannot calculate in bf16",
        "set engine.mixed_precision = 'fp16'",
    ),
    cause(
        r"No CUDA GPUs are available|Found no NVIDIA driver|Torch not compiled with CUDA|CUDA driver version is insuff"
        r"|CUDA unknown error|no kernel image is available",
        NoCudaError,
        "CUDA cannot be used here",
        "run `kohya-wrap doctor`; it says which driver and which torch are there",
    ),
    cause(
        r"CUDA error|cuDNN error|CUBLAS_STATUS",
        TrainingError,
        "the GPU reported an error",
        "run again; if it comes back, restart the machine and look at the driver with `kohya-wrap doctor`",
    ),
    # The engine's environment.
    cause(
        r"No (?P<package>xformers|bitsandbytes|[Pp]rodigy\w*|dadaptation|lion_pytorch|wandb|schedulefree)\b",
        MissingPackageError,
        "the engine's environment lacks the package {package}",
        "run `kohya-wrap setup`, or install it in the environment of engine.python",
    ),
    cause(
        r"No module named '(?:networks|lycoris)[\w.]*'",
        MissingPackageError,
        "the engine's environment lacks the network module",
        "run `kohya-wrap setup`; the Lycoris kinds need the package lycoris-lora",
    ),
    cause(
        r"ModuleNotFoundError: No module named '(?P<package>[\w.]+)'|ImportError: .*?'(?P<from>[\w.]+)'",
        MissingPackageError,
        "the engine's environment lacks the package {package}",
        "run `kohya-wrap setup`, or install it in the environment of engine.python",
    ),
    cause(
        r"ImportError|cannot open shared object file",
        MissingPackageError,
        "a package of the engine's environment does not load",
        "run `kohya-wrap setup` to build the environment again",
    ),
    # Options.
    cause(
        r"RefusedError: (?P<what>.+)",
        TrainingError,
        "{what}",
        'set engine.name = "sd-scripts", or leave it out',
    ),
    cause(
        r"module 'torch\.optim' has no attribute '(?P<name>[^']+)'",
        TrainingError,
        "there is no optimizer called {name}",
        "correct optimizer.optimizer",
    ),
    cause(
        r"unexpected keyword argument '(?P<name>[^']+)'",
        TrainingError,
        "the argument {name} is none of this optimizer or network",
        "correct optimizer.optimizer_args, or network_args under [sd_scripts]",
    ),
    cause(
        r"malformed node or string|not enough values to unpack",
        TrainingError,
        "an argument of the optimizer or network is not key=value with a Python literal",
        "write True, False, None, numbers or quoted texts",
    ),
    cause(
        r"empty parameter list",
        TrainingError,
        "nothing would be trained: all learning rates are 0",
        "raise learning.unet_lr or learning.text_encoder_lr",
    ),
    cause(
        r"Setting different lr values in different parameter groups",
        TrainingError,
        "this optimizer wants one learning rate for the U-Net and the text encoder",
        "make learning.unet_lr and learning.text_encoder_lr equal",
    ),
    cause(
        r"is not a valid SchedulerType",
        TrainingError,
        "the engine does not know this scheduler",
        "correct learning.lr_scheduler",
    ),
    cause(
        r"does not require .?num_warmup_steps",
        TrainingError,
        "this scheduler takes no warm-up",
        "set learning.lr_warmup_ratio = 0, or constant_with_warmup",
    ),
    cause(
        r"max_train_steps should be greater than initial step",
        TrainingError,
        "the state to resume from has done all these steps already",
        "raise steps.how_many",
    ),
    cause(
        r"unrecognized arguments|TomlDecodeError|has no attribute 'split'",
        TrainingError,
        "the engine could not read the training file",
        "correct extras.override_config_file, or report this",
    ),
)
