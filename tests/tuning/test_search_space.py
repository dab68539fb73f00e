from __future__ import annotations

from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.config import ModelConfig, ResolvedSearch, TuningConfig, parse_run_config
from roi_forecast.tuning.search_space import (
    chosen_parameters,
    reference_choices,
    suggest_parameters,
)

FREE = ResolvedSearch(lstm_units_choice="free", own_seq_len=60)
PRESETS = ResolvedSearch(own_seq_len=60)


class Recording:
    """Chooses at random and keeps what Optuna would store."""

    def __init__(self, seed: int) -> None:
        self._study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
        self.trial = self._study.ask()


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31 - 1), free=st.booleans())
def test_every_choice_is_an_allowed_run_parameter_and_can_be_read_back(
    seed: int, free: bool
) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trial = Recording(seed).trial
    tuning = FREE if free else TuningConfig()

    chosen = suggest_parameters(trial, tuning)

    assert set(chosen) == set(tuning.tuned)
    config = parse_run_config({"source": "simulated", **chosen})
    assert list(config.lstm_units) == chosen["lstm_units"]
    assert chosen_parameters(trial.params) == chosen


def test_only_what_is_searched_is_chosen() -> None:
    tuning = TuningConfig(tuned=("learning_rate",))
    assert set(suggest_parameters(Recording(0).trial, tuning)) == {"learning_rate"}


@pytest.mark.parametrize("tuning", [PRESETS, FREE])
def test_the_runs_own_values_come_back_as_the_choice_that_is_enqueued(
    tuning: ResolvedSearch,
) -> None:
    # The run itself takes the longest window, for the dataset.
    config = parse_run_config({"source": "simulated", "seq_len": 90})
    study = optuna.create_study()
    study.enqueue_trial(reference_choices(config, tuning))

    chosen = suggest_parameters(study.ask(), tuning)

    own: dict[str, Any] = config.model_dump(mode="json", include=set(tuning.tuned))
    assert chosen == {**own, "seq_len": 60}


def test_a_value_that_cannot_be_chosen_is_left_open() -> None:
    config = parse_run_config({"source": "simulated", "batch_size": 20, "lstm_units": [30, 10]})
    choices = reference_choices(config, ResolvedSearch(own_seq_len=45))
    assert not {"seq_len", "batch_size", "lstm_units"} & set(choices)
    assert choices["learning_rate"] == ModelConfig().learning_rate
