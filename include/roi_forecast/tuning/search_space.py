"""What a search for hyperparameters chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from roi_forecast.config import ResolvedSearch, RunConfig, TuningConfig

LSTM_UNITS_PRESETS: Mapping[str, tuple[int, int]] = {
    "64/32": (64, 32),
    "128/64": (128, 64),
    "256/128": (256, 128),
}
LEARNING_RATES = (1e-4, 1e-2)
WEIGHT_DECAYS = (1e-6, 1e-2)
DROPOUTS = (0.0, 0.5)
BATCH_SIZES = (16, 32, 64, 128)
FIRST_UNITS, SECOND_UNITS = range(16, 257, 16), range(8, 129, 8)
ATTENTION_HEADS = (1, 2, 4, 8)


class Suggesting(Protocol):
    """What an Optuna trial can be asked for."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Choose a number."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Choose a whole number."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Choose from a list."""


def suggest_parameters(trial: Suggesting, tuning: TuningConfig) -> dict[str, Any]:
    """Choose a value for every parameter that is searched.

    The ranges go about a factor of ten to either side of the reference values.

    Args:
        trial: Chooses.
        tuning: Names the parameters.

    Returns:
        Run parameters by name, as JSON values.
    """
    chosen: dict[str, Any] = {}
    for name in tuning.tuned:
        match name:
            case "learning_rate":
                chosen[name] = trial.suggest_float(name, *LEARNING_RATES, log=True)
            case "weight_decay":
                chosen[name] = trial.suggest_float(name, *WEIGHT_DECAYS, log=True)
            case "lstm_dropout" | "dense_dropout":
                chosen[name] = trial.suggest_float(name, *DROPOUTS)
            case "batch_size":
                chosen[name] = trial.suggest_categorical(name, BATCH_SIZES)
            case "attention_heads":
                chosen[name] = trial.suggest_categorical(name, ATTENTION_HEADS)
            case "seq_len":
                chosen[name] = trial.suggest_categorical(name, tuning.seq_len_choices)
            case "lstm_units":
                chosen[name] = _lstm_units(trial, tuning)
    return chosen


def chosen_parameters(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return run parameters from what Optuna stored of a trial; the inverse of suggesting.

    Args:
        choices: Value by Optuna's name.
    """
    chosen = dict(choices)
    if isinstance(chosen.get("lstm_units"), str):
        chosen["lstm_units"] = list(LSTM_UNITS_PRESETS[chosen["lstm_units"]])
    if "lstm_units_1" in chosen:
        chosen["lstm_units"] = [chosen.pop("lstm_units_1"), chosen.pop("lstm_units_2")]
    return chosen


def reference_choices(config: RunConfig, tuning: ResolvedSearch) -> dict[str, Any]:
    """Return the run's own values as choices; one that the search cannot choose is left out.

    Args:
        config: The run's own parameters, but for the window length.
        tuning: Names the parameters that are searched, and has the run's own window length.
    """
    own = config.model_dump(mode="json", include={*map(str, tuning.tuned)})
    if "seq_len" in own:
        own["seq_len"] = tuning.own_seq_len
    units = tuple(own.pop("lstm_units", ()))
    presets = {preset: name for name, preset in LSTM_UNITS_PRESETS.items()}
    if units and tuning.lstm_units_choice == "free":
        own |= {"lstm_units_1": units[0], "lstm_units_2": units[1]}
    elif units in presets:
        own["lstm_units"] = presets[units]
    return {name: value for name, value in own.items() if _can_be_chosen(name, value, tuning)}


def _can_be_chosen(name: str, value: Any, tuning: TuningConfig) -> bool:
    choices = {
        "batch_size": BATCH_SIZES,
        "attention_heads": ATTENTION_HEADS,
        "seq_len": tuning.seq_len_choices,
        "lstm_units_1": FIRST_UNITS,
        "lstm_units_2": SECOND_UNITS,
    }
    ranges = {
        "learning_rate": LEARNING_RATES,
        "weight_decay": WEIGHT_DECAYS,
        "lstm_dropout": DROPOUTS,
        "dense_dropout": DROPOUTS,
    }
    if name in ranges:
        low, high = ranges[name]
        return bool(low <= value <= high)
    return name not in choices or value in choices[name]


def _lstm_units(trial: Suggesting, tuning: TuningConfig) -> list[int]:
    if tuning.lstm_units_choice == "presets":
        name = trial.suggest_categorical("lstm_units", [*LSTM_UNITS_PRESETS])
        return list(LSTM_UNITS_PRESETS[name])
    return [
        trial.suggest_int("lstm_units_1", *_ends(FIRST_UNITS), step=FIRST_UNITS.step),
        trial.suggest_int("lstm_units_2", *_ends(SECOND_UNITS), step=SECOND_UNITS.step),
    ]


def _ends(values: range) -> tuple[int, int]:
    return values[0], values[-1]
