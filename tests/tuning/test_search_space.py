from __future__ import annotations

from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi_forecast.config import ModelConfig, ResolvedSearch, TuningConfig, parse_run_config
from roi_forecast.tuning.search_space import chosen_parameters, reference_choices, search_space

FREE = ResolvedSearch(lstm_units_choice="free", own_seq_len=60)
PRESETS = ResolvedSearch(own_seq_len=60)


def random_study(seed: int) -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31 - 1), free=st.booleans())
def test_every_choice_is_a_valid_run_parameter_and_reads_back(seed: int, free: bool) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = random_study(seed)
    tuning = FREE if free else TuningConfig()

    chosen = chosen_parameters(study.ask(search_space(tuning)).params)

    assert set(chosen) == set(tuning.tuned)
    config = parse_run_config({"source": "simulated", **chosen})
    assert list(config.lstm_units) == chosen["lstm_units"]
    (stored,) = study.get_trials()
    assert chosen_parameters(stored.params) == chosen


def test_only_searched_parameters_are_chosen() -> None:
    tuning = TuningConfig(tuned=("learning_rate",))
    trial = random_study(0).ask(search_space(tuning))
    assert set(chosen_parameters(trial.params)) == {"learning_rate"}


@pytest.mark.parametrize("tuning", [PRESETS, FREE])
def test_the_runs_own_values_are_the_enqueued_choice(
    tuning: ResolvedSearch,
) -> None:
    # The run itself takes the longest window, for the dataset.
    config = parse_run_config({"source": "simulated", "seq_len": 90})
    study = optuna.create_study()
    study.enqueue_trial(reference_choices(config, tuning))

    chosen = chosen_parameters(study.ask(search_space(tuning)).params)

    own: dict[str, Any] = config.model_dump(mode="json", include=set(tuning.tuned))
    assert chosen == {**own, "seq_len": 60}


def test_a_value_that_cannot_be_chosen_is_left_open() -> None:
    config = parse_run_config({"source": "simulated", "batch_size": 20, "lstm_units": [30, 10]})
    choices = reference_choices(config, ResolvedSearch(own_seq_len=45))
    assert not {"seq_len", "batch_size", "lstm_units"} & set(choices)
    assert choices["learning_rate"] == ModelConfig().learning_rate
