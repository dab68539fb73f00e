"""The typed run configuration: every parameter, its unit, its range and its default.

A stage takes the part it needs (`DataConfig`, `FeatureConfig`, `ModelConfig`, `CandidateConfig`,
`GateConfig`, `ForecastConfig`); a whole run is a `RunConfig`, which is all of them, a backtest a
`BacktestRunConfig`, a search for hyperparameters a `TuningRunConfig`. `NetworkConfig` and
`TrainingConfig` are the two halves of `ModelConfig`. The DAGs' parameter forms are built from the
same fields, so a bound or a default exists once.
"""

from roi_forecast.config.approval import ApprovalConfig
from roi_forecast.config.backtest import BacktestConfig
from roi_forecast.config.candidate import CandidateConfig
from roi_forecast.config.data import DataConfig
from roi_forecast.config.features import FeatureConfig
from roi_forecast.config.forecast import MAX_HORIZON, ForecastConfig, MultiStep
from roi_forecast.config.gate import GateConfig
from roi_forecast.config.loss import LossConfig
from roi_forecast.config.model import ModelConfig
from roi_forecast.config.monitoring import MonitoringConfig
from roi_forecast.config.network import NetworkConfig
from roi_forecast.config.presets import PRESETS, PresetConfig
from roi_forecast.config.recording import RecordingConfig
from roi_forecast.config.registry import RetentionConfig, RollbackConfig
from roi_forecast.config.run import (
    BacktestRunConfig,
    RunConfig,
    SharedConfig,
    TuningRunConfig,
    asked_model_name,
    parameter_part,
    parameter_schemas,
    parse_backtest_config,
    parse_config,
    parse_run_config,
    parse_tuning_config,
)
from roi_forecast.config.training import TrainingConfig
from roi_forecast.config.tuning import ResolvedSearch, TunedName, TuningConfig

__all__ = [
    "MAX_HORIZON",
    "PRESETS",
    "ApprovalConfig",
    "BacktestConfig",
    "BacktestRunConfig",
    "CandidateConfig",
    "DataConfig",
    "FeatureConfig",
    "ForecastConfig",
    "GateConfig",
    "LossConfig",
    "ModelConfig",
    "MonitoringConfig",
    "MultiStep",
    "NetworkConfig",
    "PresetConfig",
    "RecordingConfig",
    "ResolvedSearch",
    "RetentionConfig",
    "RollbackConfig",
    "RunConfig",
    "SharedConfig",
    "TrainingConfig",
    "TunedName",
    "TuningConfig",
    "TuningRunConfig",
    "asked_model_name",
    "parameter_part",
    "parameter_schemas",
    "parse_backtest_config",
    "parse_config",
    "parse_run_config",
    "parse_tuning_config",
]
