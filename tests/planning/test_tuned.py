from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from roi_forecast.config import parse_run_config
from roi_forecast.database.tables import datasets, studies, trials
from roi_forecast.errors import ConfigError
from roi_forecast.planning.tuned import require_no_later_study, with_tuned_parameters
from roi_forecast.runs.resolved_run import ResolvedRun


@pytest.fixture
def searched(market_engine: Engine) -> Engine:
    day = date(2024, 12, 27)
    with market_engine.begin() as connection:
        connection.execute(
            insert(datasets).values(
                dataset_id="d",
                source="simulated",
                symbols=["TCS.NS"],
                as_of_date=day,
                first_date=day,
                last_date=day,
                rows=1,
                path="d",
                manifest={"split": {"validation": {"last_date": "2024-08-30"}}},
            )
        )
        connection.execute(
            insert(studies).values(study="spring", source="simulated", dataset_id="d", identity={})
        )
        common = {"study": "spring", "run_id": "r", "epochs": 1, "seconds": 1.0}
        found: list[dict[str, Any]] = [
            {
                "trial": 0,
                "state": "complete",
                "validation_r2": 0.70,
                "parameters": {"batch_size": 16},
            },
            {
                "trial": 1,
                "state": "complete",
                "validation_r2": 0.75,
                "parameters": {"batch_size": 64},
            },
            {
                "trial": 2,
                "state": "pruned",
                "validation_r2": None,
                "parameters": {"batch_size": 128},
            },
        ]
        connection.execute(insert(trials), [{**common, **trial} for trial in found])
    return market_engine


def test_the_best_scored_trial_gives_the_parameters(searched: Engine) -> None:
    taken = with_tuned_parameters(searched, {"tuned_study": "spring", "epochs": 7})
    assert taken == {"tuned_study": "spring", "epochs": 7, "batch_size": 64}


def test_a_given_parameter_overrides_the_study_and_the_study_overrides_the_preset(
    searched: Engine,
) -> None:
    given = {"source": "simulated", "tuned_study": "spring", "preset": "quick"}
    config = parse_run_config(with_tuned_parameters(searched, given))
    assert (config.batch_size, config.epochs) == (64, 5)
    config = parse_run_config(with_tuned_parameters(searched, {**given, "batch_size": 8}))
    assert config.batch_size == 8


def test_a_run_without_a_study_keeps_its_parameters(market_engine: Engine) -> None:
    assert with_tuned_parameters(market_engine, {"epochs": 3}) == {"epochs": 3}


def test_an_unknown_study_is_refused_with_the_known_names(searched: Engine) -> None:
    with pytest.raises(ConfigError, match=r"'autumn', which has no finished trial; .* spring"):
        with_tuned_parameters(searched, {"tuned_study": "autumn"})


def run_of(as_of_date: date, **parameters: Any) -> ResolvedRun:
    return ResolvedRun(
        run_id="run",
        config=parse_run_config({"source": "simulated", **parameters}),
        model_name="simulated",
        source_key="simulated",
        start_date=date(2022, 7, 1),
        as_of_date=as_of_date,
        published_at=datetime(2025, 1, 1, tzinfo=UTC),
        resolved_at=datetime(2025, 1, 1, tzinfo=UTC),
    )


def test_a_study_that_was_scored_on_days_after_the_as_of_date_is_refused(searched: Engine) -> None:
    require_no_later_study(searched, run_of(date(2024, 8, 30), tuned_study="spring"))
    require_no_later_study(searched, run_of(date(2024, 8, 29)))
    with pytest.raises(
        ConfigError, match=r"'spring', whose trials were scored on days up to 2024-08-30, after"
    ):
        require_no_later_study(searched, run_of(date(2024, 8, 29), tuned_study="spring"))
