"""The typed run configuration: every parameter, its unit, its range and its default.

A stage takes the part it needs (`DataConfig`, `FeatureConfig`, `ModelConfig`, `GateConfig`); a
whole run is a `RunConfig`, which is all of them, a backtest a `BacktestRunConfig`. The DAGs'
parameter forms are built from the same fields, so a bound or a default exists once.
"""

from roi_forecast.config.backtest import BacktestConfig
from roi_forecast.config.data import DataConfig, SourceKind
from roi_forecast.config.features import FeatureConfig
from roi_forecast.config.gate import GateConfig
from roi_forecast.config.model import ModelConfig
from roi_forecast.config.presets import PRESETS, PresetConfig
from roi_forecast.config.run import (
    BacktestRunConfig,
    RunConfig,
    SharedConfig,
    parameter_part,
    parameter_schemas,
    parse_backtest_config,
    parse_run_config,
)

__all__ = [
    "PRESETS",
    "BacktestConfig",
    "BacktestRunConfig",
    "DataConfig",
    "FeatureConfig",
    "GateConfig",
    "ModelConfig",
    "PresetConfig",
    "RunConfig",
    "SharedConfig",
    "SourceKind",
    "parameter_part",
    "parameter_schemas",
    "parse_backtest_config",
    "parse_run_config",
]
