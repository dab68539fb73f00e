"""The values from which a hyperparameter search chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from roi_forecast.config import ResolvedSearch, RunConfig, TuningConfig

Distribution = FloatDistribution | IntDistribution | CategoricalDistribution

LSTM_UNITS_PRESETS: Mapping[str, tuple[int, int]] = {
    "64/32": (64, 32),
    "128/64": (128, 64),
    "256/128": (256, 128),
}


def search_space(tuning: TuningConfig) -> dict[str, Distribution]:
    """Return the choices of each searched parameter, by Optuna's name.

    The ranges extend about a factor of ten to either side of the reference values.
    """
    space: dict[str, Distribution] = {
        "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        "lstm_dropout": FloatDistribution(0.0, 0.5),
        "dense_dropout": FloatDistribution(0.0, 0.5),
        "batch_size": CategoricalDistribution((16, 32, 64, 128)),
        "attention_heads": CategoricalDistribution((1, 2, 4, 8)),
        "seq_len": CategoricalDistribution(tuning.seq_len_choices),
        "lstm_units": CategoricalDistribution(tuple(LSTM_UNITS_PRESETS)),
        "lstm_units_1": IntDistribution(16, 256, step=16),
        "lstm_units_2": IntDistribution(8, 128, step=8),
    }
    names: list[str] = [*tuning.tuned]
    if "lstm_units" in names and tuning.lstm_units_choice == "free":
        place = names.index("lstm_units")
        names[place : place + 1] = ["lstm_units_1", "lstm_units_2"]
    return {name: space[name] for name in names}


def chosen_parameters(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return run parameters, as JSON values, from the choices that Optuna stored of a trial."""
    chosen = dict(choices)
    if "lstm_units" in chosen:
        chosen["lstm_units"] = list(LSTM_UNITS_PRESETS[chosen["lstm_units"]])
    if "lstm_units_1" in chosen:
        chosen["lstm_units"] = [chosen.pop("lstm_units_1"), chosen.pop("lstm_units_2")]
    return chosen


def reference_choices(config: RunConfig, tuning: ResolvedSearch) -> dict[str, Any]:
    """Return the run's own values as choices, without those that the search cannot choose.

    Args:
        config: The run's own parameters, except the window length.
        tuning: The searched parameters and the run's own window length.
    """
    own = config.model_dump(mode="json", include={*map(str, tuning.tuned)})
    if "seq_len" in own:
        own["seq_len"] = tuning.own_seq_len
    if "lstm_units" in own:
        first, second = own.pop("lstm_units")
        own |= {"lstm_units_1": first, "lstm_units_2": second, "lstm_units": f"{first}/{second}"}
    return {
        name: own[name]
        for name, distribution in search_space(tuning).items()
        if _can_be_chosen(own[name], distribution)
    }


def _can_be_chosen(value: Any, distribution: Distribution) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    if isinstance(distribution, IntDistribution):
        return value in range(distribution.low, distribution.high + 1, distribution.step)
    return bool(distribution.low <= value <= distribution.high)
