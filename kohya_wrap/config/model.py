"""The whole preset as one frozen value; functions take the table they need, not this."""

from collections.abc import Mapping

from pydantic import Field

from kohya_wrap.config.base import Table
from kohya_wrap.config.dataset import DatasetConfig
from kohya_wrap.config.engine import EngineConfig
from kohya_wrap.config.extras import ExtrasConfig
from kohya_wrap.config.learning import LearningConfig
from kohya_wrap.config.optimizer import OptimizerConfig
from kohya_wrap.config.processing import ProcessingConfig
from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.config.setup import SetupConfig
from kohya_wrap.config.steps import StepsConfig
from kohya_wrap.config.structure import StructureConfig
from kohya_wrap.config.training import TrainingConfig

OptionValue = bool | int | float | str | list[bool | int | float | str]
"""What an option of train_network.py can be in its TOML file."""


class TrainConfig(Table):
    """Everything a preset can say, one table per heading of the notebook."""

    setup: SetupConfig
    processing: ProcessingConfig = Field(default_factory=ProcessingConfig)
    steps: StepsConfig = Field(default_factory=StepsConfig)
    learning: LearningConfig = Field(default_factory=LearningConfig)
    structure: StructureConfig = Field(default_factory=StructureConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    extras: ExtrasConfig = Field(default_factory=ExtrasConfig)
    dataset: DatasetConfig = Field(default_factory=DatasetConfig)
    samples: SamplesConfig = Field(default_factory=SamplesConfig)
    engine: EngineConfig = Field(default_factory=EngineConfig)
    sd_scripts: Mapping[str, OptionValue] = Field(default_factory=dict)
    """Any other option of train_network.py, by its own name; checked against options.json."""
