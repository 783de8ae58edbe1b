"""What is told of a training in numbers: the moving loss, and TensorBoard's scalars."""

import time
from pathlib import Path

from optimization import learning_rates
from settings import Settings
from torch.utils.tensorboard import SummaryWriter
from training import Training


class MovingLoss:
    """The engine's average: the last loss at each place in the epoch."""

    def __init__(self) -> None:
        self._losses: list[float] = []

    def add(self, place: int, loss: float) -> float:
        """Take the loss of the step at `place` in its epoch and give the average."""
        if place < len(self._losses):
            self._losses[place] = loss
        else:
            self._losses.append(loss)
        return sum(self._losses) / len(self._losses)


def open_writer(settings: Settings) -> SummaryWriter | None:
    """Open the folder that sd-scripts would: logging_dir, then log_prefix and the time. None without logging_dir."""
    if not settings.get("logging_dir"):
        return None
    stamp = time.strftime("%Y%m%d%H%M%S")
    folder = Path(settings.get("logging_dir")) / f"{settings.get('log_prefix', '')}{stamp}" / "network_train"
    return SummaryWriter(str(folder))


def write_scalars(writer: SummaryWriter | None, training: Training, step: int, losses: dict[str, float]) -> None:
    """Write a step's losses and the next step's learning rates, at once, so that a watcher sees them."""
    if writer is None:
        return
    for tag, value in {**losses, **learning_rates(training.optimizer, training.network)}.items():
        writer.add_scalar(tag, value, step)
    writer.flush()
