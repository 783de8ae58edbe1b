"""Why an engine failed: a class, a sentence and what to change, from recorded logs and from the facts' own words."""

from pathlib import Path

import pytest
from helpers_logs import SHARED_LOGS, exit_code, own, parse, shared, tail

from kohya_wrap.errors import (
    DiskFullError,
    KilledError,
    KohyaWrapError,
    MissingFileError,
    MissingPackageError,
    NoCudaError,
    NoDataError,
    OutOfMemoryError,
    TrainingError,
    WrongFamilyError,
)
from kohya_wrap.events import ImagesCounted, TotalsKnown
from kohya_wrap.launch.types import Outcome
from kohya_wrap.sd_scripts.failures import CAUSES, diagnose, find_cause
from kohya_wrap.sd_scripts.traceback_text import exceptions, real_exception, traceback_tail

LOG = Path("/project/train.log")
LAUNCHER = [
    "Traceback (most recent call last):",
    '  File "/engine/bin/accelerate", line 8, in <module>',
    "    sys.exit(main())",
    "subprocess.CalledProcessError: Command '['python', 'train_network.py']' returned non-zero exit status 1.",
]


def raised(last: str, *, where: str = "train") -> list[str]:
    """Give the output of an engine that raised `last`, with the launcher's own traceback after it."""
    return ["Traceback (most recent call last):", f'  File "train_network.py", line 9, in {where}', last, *LAUNCHER]


def diagnosed(lines: list[str], returncode: int = 1) -> TrainingError:
    return diagnose(Outcome(returncode, 1.0), lines, log=LOG)


def of_log(name: str, returncode: int) -> TrainingError:
    lines = own(name)
    return diagnose(Outcome(returncode, 1.0), tail(lines), parse(lines), log=LOG)


@pytest.mark.parametrize(
    ("name", "returncode", "error", "word"),
    [
        ("no-data", 0, NoDataError, "/project/Loras/lakto-lora/empty"),
        ("missing-base", 1, MissingFileError, "base model"),
        ("killed", 1, KilledError, "SIGKILL"),
        ("zero-steps", 0, TrainingError, "no step"),
    ],
)
def test_recorded_failures(name: str, returncode: int, error: type[TrainingError], word: str) -> None:
    """Real runs under accelerate that failed are told by class and name what is wrong."""
    found = of_log(name, returncode)
    assert type(found) is error
    assert word in str(found)


SHARED_FAILURES: dict[str, tuple[type[TrainingError], str]] = {
    "d_mp_bf16": (NoCudaError, "half precision"),
    "d_opt_bad": (TrainingError, "Nope"),
    "d_xformers": (NoCudaError, "xformers"),
    "ds_empty": (NoDataError, "ds/empty"),
    "ds_missing": (NoDataError, "ds/missing"),
    "ds_zero": (TrainingError, "ds/zero/x.png"),
    "e_unknown_subset": (TrainingError, "num_repeat"),
    "i_truncpng": (TrainingError, "ds/truncpng/x.png"),
    "m_html": (WrongFamilyError, "HeaderTooLarge"),
    "m_pickle_as_st": (WrongFamilyError, "HeaderTooLarge"),
    "m_sd15_in_sdxl": (WrongFamilyError, "SdxlUNet2DConditionModel"),
    "m_tok_missing": (MissingFileError, "tokenizer"),
    "m_trunc": (WrongFamilyError, "MetadataIncompleteBuffer"),
    "n_resume_missing": (MissingFileError, "/nope"),
}


@pytest.mark.parametrize("name", SHARED_FAILURES)
def test_shared_failures(name: str) -> None:
    """Every shared log of a failed run has its class, and the sentence names the file or the value."""
    lines = shared(name)
    found = diagnose(Outcome(exit_code(SHARED_LOGS / name), 1.0), tail(lines), parse(lines), log=LOG)
    error, word = SHARED_FAILURES[name]
    assert type(found) is error
    assert word in str(found)


# The engine's words as the facts quote them, each with the class that it must become.
WORDS: list[tuple[str, type[TrainingError]]] = [
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total", OutOfMemoryError),
    ("RuntimeError: [enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory", OutOfMemoryError),
    ("MemoryError", OutOfMemoryError),
    (
        'safetensors_rust.SafetensorError: IoError(Os { code: 28, kind: StorageFull, message: "No space" })',
        DiskFullError,
    ),
    ("OSError: [Errno 28] No space left on device", DiskFullError),
    ("RuntimeError: [enforce fail at inline_container.cc:664] . unexpected pos", DiskFullError),
    ("AssertionError: datasets should not be an empty iterable", NoDataError),
    ("KeyError: 'time_embed.0.weight'", WrongFamilyError),
    ("KeyError: 'encoder.norm_out.weight'", WrongFamilyError),
    ("_pickle.UnpicklingError: pickle data was truncated", WrongFamilyError),
    ("OSError: Error no file named model_index.json found in directory /models/x.", WrongFamilyError),
    ("OSError: Cannot load model a/b.safetensors: model is not cached locally", MissingFileError),
    ("OSError: We couldn't connect to 'https://huggingface.co' to load this file", MissingFileError),
    ("FileNotFoundError: [Errno 2] No such file or directory: '/loras/old.safetensors'", MissingFileError),
    ("ValueError: file not found", MissingFileError),
    ("RuntimeError: expected m1 and m2 to have the same dtype, but got: c10::Half != float", NoCudaError),
    ("RuntimeError: No CUDA GPUs are available", NoCudaError),
    ("ImportError: No xformers / xformersがインストールされていないようです", MissingPackageError),
    ("ImportError: No bitsandbytes / bitsandbytesがインストールされていないようです", MissingPackageError),
    ("ImportError: No Prodigy / Prodigy がインストールされていないようです", MissingPackageError),
    ("ModuleNotFoundError: No module named 'tensorboard'", MissingPackageError),
    ("ModuleNotFoundError: No module named 'lycoris'", MissingPackageError),
    ("ValueError: optimizer got an empty parameter list", TrainingError),
    ("RuntimeError: Setting different lr values in different parameter groups is only supported for 0", TrainingError),
    ("RuntimeError: Error(s) in loading state_dict for LoRANetwork:", TrainingError),
    ("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9 in position 3", TrainingError),
    ("AssertionError: caption file is empty / キャプションファイルが空です: /project/a.txt", TrainingError),
    ("AssertionError: bucket_reso_steps is 8. it must be divisible by 64.", TrainingError),
    ("AssertionError: min_bucket_reso must be equal or less than resolution", TrainingError),
    ("PIL.Image.DecompressionBombError: Image size (196000000 pixels) exceeds limit", TrainingError),
    ("ValueError: nope is not a valid SchedulerType, please select one of ['linear']", TrainingError),
    ("TypeError: AdamW.__init__() got an unexpected keyword argument 'weight_decay '", TrainingError),
    ("ValueError: malformed node or string on line 1", TrainingError),
    ("AssertionError: max_train_steps should be greater than initial step: 9 vs 9", TrainingError),
]


@pytest.mark.parametrize(("last", "error"), WORDS)
def test_the_engines_words(last: str, error: type[TrainingError]) -> None:
    """Each failure of the facts becomes its class, with a sentence of our own and something to change."""
    found = diagnosed(raised(last))
    assert type(found) is error
    assert found.todo
    assert not found.what.startswith("the engine stopped with")


@pytest.mark.parametrize(
    ("last", "part"),
    [
        ("FileNotFoundError: [Errno 2] No such file or directory: '/loras/old.safetensors'", "/loras/old.safetensors"),
        ("ModuleNotFoundError: No module named 'tensorboard'", "tensorboard"),
        ("ImportError: No bitsandbytes / …", "bitsandbytes"),
        ("AssertionError: caption file is empty / …: /project/a b.txt", "/project/a b.txt"),
    ],
)
def test_the_sentence_names_the_thing(last: str, part: str) -> None:
    """The file or package that the engine names is in the sentence."""
    assert part in diagnosed(raised(last)).what


def test_the_tokenizer_is_told_by_where_it_happened() -> None:
    """The tokenizer's failure says nothing of one; the function that it happened in does."""
    last = "TypeError: expected str, bytes or os.PathLike object, not NoneType"
    assert "tokenizer" in diagnosed(raised(last, where="_load_tokenizer")).what
    assert "tokenizer" not in diagnosed(raised(last)).what


def test_an_unknown_exception_is_quoted() -> None:
    """A failure that the table does not know gives the exception itself, never the launcher's."""
    found = diagnosed(raised("RuntimeError: something new"))
    assert type(found) is TrainingError
    assert "RuntimeError: something new" in found.what


def test_the_tracebacks_last_lines_go_along() -> None:
    """The error carries the end of the engine's traceback as notes, without the launcher's and without marks."""
    lines = ["Traceback (most recent call last):", "    a = b", "        ^^^^", "ValueError: new", *LAUNCHER]
    assert diagnosed(lines).__notes__ == ["Traceback (most recent call last):", "    a = b", "ValueError: new"]


@pytest.mark.parametrize(("returncode", "name"), [(-9, "SIGKILL"), (-15, "SIGTERM"), (-11, "SIGSEGV")])
def test_killed_by_a_signal(returncode: int, name: str) -> None:
    """A process that ended by a signal was killed, and the signal is named."""
    found = diagnosed(["steps: 10%"], returncode)
    assert type(found) is KilledError
    assert name in found.what


def test_memory_is_the_likely_killer() -> None:
    """SIGKILL most often is the kernel's out-of-memory killer, and the advice says so."""
    assert "memory" in diagnosed([], -9).todo


def test_a_log_line_is_no_failure() -> None:
    """A word in an ordinary log line is not taken for the cause."""
    found = diagnosed(["load network weights from /no space left on device/x.safetensors"])
    assert type(found) is TrainingError
    assert "exit code 1" in found.what


def test_no_pictures_without_a_word() -> None:
    """Exit code 0 with a count of no pictures is no data."""
    found = diagnose(Outcome(0, 1.0), [], [ImagesCounted("train", 0)], log=LOG)
    assert type(found) is NoDataError


def test_no_steps_without_a_word() -> None:
    """Exit code 0 with no step to do says so: the engine saves an untrained LoRA then."""
    assert "no step" in diagnose(Outcome(0, 1.0), [], [TotalsKnown("steps", 0)], log=LOG).what


def test_every_error_points_to_the_log() -> None:
    """Whatever the cause, the log's path is in the message."""
    assert all(str(LOG) in str(diagnosed(raised(last))) for last, _ in WORDS)


def test_every_cause_says_what_to_do() -> None:
    """Each row has a sentence without a full stop, something to change, and a class of the tree."""
    for cause in CAUSES:
        assert cause.what
        assert cause.todo
        assert not cause.what.endswith(".")
        assert issubclass(cause.error, KohyaWrapError)


def test_first_match_wins() -> None:
    """A full disk is told as such, even inside an error that otherwise means a broken file."""
    cause = find_cause("SafetensorError: Error while deserializing header: No space left on device")
    assert cause is not None
    assert cause.error is DiskFullError


def test_the_last_exception_before_the_launchers() -> None:
    """Of several exceptions the last of the engine's own counts."""
    lines = [*raised("struct.error: first")[:3], "", *raised("OSError: second")]
    assert [exception.text for exception in exceptions(lines)][:2] == ["struct.error: first", "OSError: second"]
    found = real_exception(lines)
    assert found is not None
    assert found.text == "OSError: second"


def test_without_a_traceback_the_output_is_shown() -> None:
    """Where nothing was raised, the last lines of the output go along, the launcher's traceback left out."""
    assert traceback_tail(["one", "two", *LAUNCHER]) == ("one", "two")
