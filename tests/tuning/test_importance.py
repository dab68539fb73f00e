from __future__ import annotations

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from roi_forecast.tuning.importance import FEWEST_TRIALS, parameter_importance

SPACE = {"decides": FloatDistribution(0.0, 1.0), "idle": FloatDistribution(0.0, 1.0)}


def study_of(values: list[float], *, scored: int | None = None) -> optuna.Study:
    """Return a study whose scores follow one of its two parameters alone."""
    study = optuna.create_study(direction="maximize")
    for number, value in enumerate(values):
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE
                if scored is None or number < scored
                else TrialState.PRUNED,
                params={"decides": value, "idle": (0.37 * number) % 1.0},
                distributions=SPACE,
                value=value**2,
            )
        )
    return study


def test_what_the_scores_follow_has_nearly_all_importance_and_comes_first() -> None:
    found = parameter_importance(study_of([(0.61 * number) % 1.0 for number in range(30)]))
    assert found is not None
    assert next(iter(found)) == "decides"
    assert found["decides"] > 0.9
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-3)


def test_the_same_trials_give_the_same_importance() -> None:
    values = [(0.61 * number) % 1.0 for number in range(10)]
    assert parameter_importance(study_of(values)) == parameter_importance(study_of(values))


@pytest.mark.parametrize("scored", range(FEWEST_TRIALS))
def test_too_few_scored_trials_have_none(scored: int) -> None:
    assert parameter_importance(study_of([0.1, 0.5, 0.9, 0.3, 0.7], scored=scored)) is None


def test_equal_scores_have_none() -> None:
    assert parameter_importance(study_of([0.5] * 6)) is None
