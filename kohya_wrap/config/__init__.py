"""What a run is: frozen, closed models without I/O, one module per heading of the notebook."""

from kohya_wrap.config.dataset import DatasetConfig
from kohya_wrap.config.engine import EngineConfig
from kohya_wrap.config.extras import ExtrasConfig
from kohya_wrap.config.learning import LearningConfig
from kohya_wrap.config.machine import Gpu, Hardware, HardwareChoices
from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.optimizer import OptimizerConfig
from kohya_wrap.config.processing import ProcessingConfig
from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.config.setup import SetupConfig
from kohya_wrap.config.steps import StepsConfig
from kohya_wrap.config.structure import StructureConfig
from kohya_wrap.config.training import TrainingConfig

__all__ = [
    "DatasetConfig",
    "EngineConfig",
    "ExtrasConfig",
    "Gpu",
    "Hardware",
    "HardwareChoices",
    "LearningConfig",
    "OptimizerConfig",
    "ProcessingConfig",
    "SamplesConfig",
    "SetupConfig",
    "StepsConfig",
    "StructureConfig",
    "TrainConfig",
    "TrainingConfig",
]
