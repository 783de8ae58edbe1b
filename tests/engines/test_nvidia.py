"""What the driver says, with a stand-in for NVIDIA's library where there is no GPU."""

import sys
from types import SimpleNamespace

import pytest

from kohya_wrap.config import EngineConfig, Gpu
from kohya_wrap.engines import nvidia
from kohya_wrap.engines.engine import EngineStatus
from kohya_wrap.engines.hardware import detect, usable_cpus
from kohya_wrap.engines.nvidia import Driver, read_driver, visible_gpus

SMALL = Gpu("Small", 8 * 10**9, (7, 5))
LARGE = Gpu("Large", 24 * 10**9, (8, 9))
FOUND = {"GPU-aaaa-1": SMALL, "GPU-bbbb-2": LARGE}


class FakeNvml:
    """Answers as pynvml does for two GPUs, or fails as it does where the driver is broken."""

    class NVMLError(Exception):
        """NVML's own error."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.open = 0

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's names
        """Answer."""
        if self.broken:
            raise self.NVMLError("Driver/library version mismatch")
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        """Answer."""
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> bytes:  # noqa: N802
        """Answer."""
        return b"570.10"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Answer."""
        return len(FOUND)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        """Answer."""
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        """Answer."""
        return list(FOUND)[handle]

    def nvmlDeviceGetName(self, handle: int) -> str:  # noqa: N802
        """Answer."""
        return list(FOUND.values())[handle].name

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        """Answer."""
        return SimpleNamespace(total=list(FOUND.values())[handle].memory)

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> tuple[int, int]:  # noqa: N802
        """Answer."""
        return list(FOUND.values())[handle].capability


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeNvml) -> None:
    """Put the fake where the library would be; the C library is always there to be opened."""
    monkeypatch.setattr(nvidia, "LIBRARY", "libc.so.6")
    monkeypatch.setitem(sys.modules, "pynvml", fake)


def test_without_a_driver_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU is an ordinary one."""
    monkeypatch.setattr(nvidia, "LIBRARY", "libno-such-driver.so")
    assert read_driver({}) == Driver(problem="no NVIDIA driver is installed")


def test_a_broken_driver_is_told_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that was updated without a restart is the commonest of these."""
    install(monkeypatch, FakeNvml(broken=True))
    assert "version mismatch" in read_driver({}).problem


def test_gpus_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, memory and capability of each, and the session with the driver is closed."""
    fake = FakeNvml()
    install(monkeypatch, fake)
    assert read_driver({}) == Driver("570.10", (SMALL, LARGE))
    assert fake.open == 0


def test_cuda_visible_devices_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that the training will not see is not counted on."""
    install(monkeypatch, FakeNvml())
    assert read_driver({"CUDA_VISIBLE_DEVICES": "1"}).gpus == (LARGE,)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [SMALL, LARGE]),
        ("", []),
        ("-1", []),
        ("1,0", [LARGE, SMALL]),
        (" 1 ", [LARGE]),
        ("0,7,1", [SMALL]),
        ("GPU-bbbb", [LARGE]),
        ("GPU", []),
    ],
)
def test_visible_gpus_are_chosen_as_cuda_does(visible: str | None, expected: list[Gpu]) -> None:
    """By index or unique beginning of a UUID, up to the first entry that names none."""
    assert visible_gpus(FOUND, visible) == expected


def test_hardware_says_what_the_engine_s_status_knows() -> None:
    """What works in the engine's environment comes from its probe, the rest from the machine."""
    status = EngineStatus(sys.prefix, sys.prefix, "", driver=Driver("1", (LARGE,)), xformers=True)  # type: ignore[arg-type]
    hardware = detect(status, EngineConfig())
    assert (hardware.gpus, hardware.driver) == ((LARGE,), "1")
    assert (hardware.xformers, hardware.bitsandbytes) == (True, False)
    assert hardware.memory > 10**8
    assert 1 <= hardware.cpu_count == usable_cpus()


def test_named_gpus_are_those_of_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """engine.gpu_ids decides over the environment, as it does for accelerate."""
    install(monkeypatch, FakeNvml())
    status = EngineStatus(sys.prefix, sys.prefix, "", driver=Driver("1", (SMALL,)))  # type: ignore[arg-type]
    assert detect(status, EngineConfig(gpu_ids="1"), environ={"CUDA_VISIBLE_DEVICES": "0"}).gpus == (LARGE,)
