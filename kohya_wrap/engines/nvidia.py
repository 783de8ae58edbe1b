"""The NVIDIA driver and its GPUs, asked through NVML; neither torch nor nvidia-smi is started."""

import ctypes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kohya_wrap.config import Gpu

LIBRARY = "libnvidia-ml.so.1"


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver's version and the GPUs that CUDA_VISIBLE_DEVICES leaves; `problem`: why there is none."""

    version: str = ""
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


def read_driver(environ: Mapping[str, str] | None = None) -> Driver:
    """Ask the driver; a machine without one gives an empty Driver that says so."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return Driver(problem="no NVIDIA driver is installed")
    # Read only where there is a driver: the module is large, and a check must start quickly.
    import pynvml  # noqa: PLC0415

    try:
        with _session(pynvml):
            version = _text(pynvml.nvmlSystemGetDriverVersion())
            found = {}
            for index in range(pynvml.nvmlDeviceGetCount()):
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                found[_text(pynvml.nvmlDeviceGetUUID(handle))] = _gpu(pynvml, handle)
    except pynvml.NVMLError as error:
        return Driver(problem=f"the NVIDIA driver does not answer: {error}")
    visible = (os.environ if environ is None else environ).get("CUDA_VISIBLE_DEVICES")
    return Driver(version=version, gpus=tuple(visible_gpus(found, visible)))


def visible_gpus(found: Mapping[str, Gpu], visible: str | None) -> list[Gpu]:
    """Choose as CUDA does: by index or by the beginning of a UUID, up to the first entry that names no GPU."""
    if visible is None:
        return list(found.values())
    chosen: list[Gpu] = []
    by_index = list(found.values())
    for entry in (part.strip() for part in visible.split(",")):
        if entry.isdigit() and int(entry) < len(by_index):
            chosen.append(by_index[int(entry)])
            continue
        named = [gpu for uuid, gpu in found.items() if entry and uuid.startswith(entry)]
        if len(named) != 1:
            break
        chosen.append(named[0])
    return chosen


@contextmanager
def _session(pynvml: object) -> Iterator[None]:
    pynvml.nvmlInit()  # type: ignore[attr-defined]  # untyped library
    try:
        yield
    finally:
        pynvml.nvmlShutdown()  # type: ignore[attr-defined]  # untyped library


def _gpu(pynvml: object, handle: object) -> Gpu:
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)  # type: ignore[attr-defined]  # untyped library
    return Gpu(
        name=_text(pynvml.nvmlDeviceGetName(handle)),  # type: ignore[attr-defined]  # untyped library
        memory=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),  # type: ignore[attr-defined]  # untyped library
        capability=(int(major), int(minor)),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
