"""The typed run configuration: every parameter with its unit, bounds, default and description.

A whole run is a `RunConfig`, a backtest a `BacktestRunConfig`, a search for hyperparameters a
`TuningRunConfig`; each stage takes only the part that it needs. The DAGs' trigger forms are built
from the same fields, so a bound or a default exists once. A new parameter is one new field.
"""

from roi_forecast.config.backtest import BacktestConfig
from roi_forecast.config.base import Config
from roi_forecast.config.data import DataConfig, FeatureConfig
from roi_forecast.config.model import (
    CandidateConfig,
    LossConfig,
    ModelConfig,
    NetworkConfig,
    TrainingConfig,
)
from roi_forecast.config.presets import PRESETS
from roi_forecast.config.registry import RetentionConfig, RollbackConfig
from roi_forecast.config.run import (
    BacktestRunConfig,
    RunConfig,
    SharedConfig,
    TuningRunConfig,
    asked_model_name,
    parameter_schemas,
    parse_config,
    parse_run_config,
)
from roi_forecast.config.serving import MAX_HORIZON, ForecastConfig, GateConfig, MultiStep
from roi_forecast.config.tuning import ResolvedSearch, TunedName, TuningConfig

__all__ = [
    "MAX_HORIZON",
    "PRESETS",
    "BacktestConfig",
    "BacktestRunConfig",
    "CandidateConfig",
    "Config",
    "DataConfig",
    "FeatureConfig",
    "ForecastConfig",
    "GateConfig",
    "LossConfig",
    "ModelConfig",
    "MultiStep",
    "NetworkConfig",
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
    "parameter_schemas",
    "parse_config",
    "parse_run_config",
]
