"""A name's life over several days: what each run leaves in the tables and in the registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, column, func, select, table

from daily_run import SYMBOLS, Outcome, carry_out
from databases import fresh_market
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import (
    daily_prices,
    evaluations,
    extractions,
    gate_decisions,
    model_versions,
    predictions,
    promotions,
    runs,
)
from roi_forecast.registry.versions import find_champion, find_version
from roi_forecast.settings import Settings
from roi_forecast.universe import load_universe
from roi_local.postgres.server import EmbeddedPostgres

HORIZONS = (1, 5, 20)


@dataclass(frozen=True)
class Life:
    """The outcomes of the runs, in order, and where to look."""

    engine: Engine
    settings: Settings
    outcomes: dict[str, Outcome]

    def rows(self, name: str, *columns: str) -> list[Row[Any]]:
        """Read columns of a view."""
        view = table(name, *(column(each) for each in columns), schema="roi")
        with self.engine.connect() as connection:
            return list(connection.execute(select(view)))

    def count(self, counted: Any, *conditions: Any) -> int:
        """Count rows of a table."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(counted).where(*conditions))


@pytest.fixture(scope="module")
def life(
    postgres: EmbeddedPostgres, market_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Life]:
    days: dict[str, dict[str, Any]] = {
        "thursday": {"as_of_date": "2024-12-26"},
        "thursday_again": {"as_of_date": "2024-12-26"},
        "friday": {"as_of_date": "2024-12-27"},
        "friday_hybrid": {"as_of_date": "2024-12-27", "architecture": "hybrid"},
        "past": {"as_of_date": "2024-12-20"},
        "changed_universe": {"as_of_date": "2024-12-30", "symbols": [*SYMBOLS[:2], "ITC.NS"]},
        "trial": {"as_of_date": "2024-12-30", "model_name": "trial", "symbols": SYMBOLS[:2]},
        "next_week": {"as_of_date": "2025-01-06"},
    }
    with fresh_market(postgres, market_template) as url:
        settings = Settings(url, tmp_path_factory.mktemp("data"))
        engine = create_database_engine(url)
        outcomes = {
            run_id: carry_out(engine, settings, run_id, parameters)
            for run_id, parameters in days.items()
        }
        yield Life(engine, settings, outcomes)
        engine.dispose()


def test_the_first_run_promotes_and_forecasts_every_asset(life: Life) -> None:
    first = life.outcomes["thursday"]
    assert first.verdict.promoted
    assert first.run.config.horizons == HORIZONS
    assert first.forecasts.added == len(HORIZONS) * len(SYMBOLS)


def test_the_same_run_again_trains_nothing_and_adds_no_row(life: Life) -> None:
    first, again = life.outcomes["thursday"], life.outcomes["thursday_again"]
    assert again.version_id == first.version_id
    assert again.dataset.dataset_id == first.dataset.dataset_id
    assert again.forecasts.added == 0
    assert life.count(promotions, promotions.c.version_id == first.version_id) == 1


def test_the_next_day_adds_one_forecast_for_each_asset_and_horizon(life: Life) -> None:
    friday = life.outcomes["friday"]
    assert friday.forecasts.added == len(HORIZONS) * len(SYMBOLS)
    as_of = predictions.c.as_of_date == date(2024, 12, 27)
    for horizon in HORIZONS:
        assert life.count(predictions, as_of, predictions.c.horizon == horizon) == len(SYMBOLS)


def test_a_new_champion_needs_a_pause_and_a_comparison_on_sessions_new_to_both(life: Life) -> None:
    assert not life.outcomes["friday"].verdict.promoted
    assert "sessions since the champion's data ended: 1," in life.outcomes["friday"].verdict.reason
    later = life.outcomes["next_week"].verdict
    assert later.promoted
    rulings = {ruling.rule: ruling for ruling in later.rulings}
    assert rulings["compared_sessions"].observed >= 60
    assert rulings["champion"].observed >= rulings["champion"].threshold
    assert abs(rulings["worst_asset"].observed) < 0.1


def test_a_rejected_candidate_leaves_the_champion_forecasting(life: Life) -> None:
    rejected = life.outcomes["friday_hybrid"]
    assert not rejected.verdict.promoted
    with life.engine.connect() as connection:
        assert find_version(connection, rejected.version_id).state == "rejected"
    # The champion has forecast as of this date before, and what is stored is never changed.
    assert rejected.forecasts.added == 0


def test_a_run_of_the_past_never_promotes_but_forecasts_with_its_own_version(life: Life) -> None:
    past = life.outcomes["past"]
    assert not past.verdict.promoted
    assert "the as-of date" in past.verdict.reason
    assert past.forecasts.added == len(HORIZONS) * len(SYMBOLS)
    assert past.forecasts.version_id == past.version_id
    as_of = predictions.c.as_of_date == date(2024, 12, 20)
    own = predictions.c.version_id == past.version_id
    assert life.count(predictions, as_of) == life.count(predictions, own, predictions.c.backfill)
    assert life.count(predictions, own) == past.forecasts.added


def test_no_forecast_is_of_a_day_inside_its_versions_data(life: Life) -> None:
    with life.engine.connect() as connection:
        rows = connection.execute(
            select(predictions.c.as_of_date, model_versions.c.last_date).join_from(
                predictions, model_versions
            )
        ).all()
    assert len(rows) == life.count(predictions) > 0
    assert all(row.last_date <= row.as_of_date for row in rows)


def test_a_horizon_counts_sessions_and_not_weekdays(life: Life) -> None:
    as_of = predictions.c.as_of_date == date(2024, 12, 20)
    # Christmas, a Wednesday, lies between.
    monday = predictions.c.target_date == date(2024, 12, 30)
    assert life.count(predictions, as_of, predictions.c.horizon == 5, monday) == len(SYMBOLS)


def test_a_changed_universe_is_compared_on_the_shared_assets(life: Life) -> None:
    changed = life.outcomes["changed_universe"]
    context = {asset.symbol for asset in load_universe().context}
    assert set(changed.run.extraction_symbols) == {*SYMBOLS, "ITC.NS", *context}
    with life.engine.connect() as connection:
        rows = connection.execute(
            select(evaluations.c.predictor, evaluations.c.value, evaluations.c.rows).where(
                evaluations.c.run_id == "changed_universe",
                evaluations.c.target == "next_day_common",
                evaluations.c.metric == "r2_against_zero",
                evaluations.c.symbol.is_(None),
            )
        ).all()
    assert {row.predictor for row in rows} == {"model", "champion"}
    assert all(abs(row.value) < 0.1 for row in rows)
    assert all(0 < row.rows <= 2 * len(changed.dataset.split.test) for row in rows)


def test_another_model_name_has_a_champion_of_its_own(life: Life) -> None:
    with life.engine.connect() as connection:
        trial = find_champion(connection, "trial")
        usual = find_champion(connection, "simulated")
    assert trial is not None
    assert usual is not None
    assert trial.symbols == SYMBOLS[:2]
    assert usual.version_id != trial.version_id


def test_latest_forecasts_are_the_champions_at_its_newest_as_of_date(life: Life) -> None:
    names = ("model_name", "symbol", "horizon", "as_of_date", "target_date")
    rows = life.rows("latest_forecasts", *names)
    usual = [row for row in rows if row.model_name == "simulated" and row.horizon == 1]
    assert len(usual) == len(SYMBOLS)
    assert {row.as_of_date for row in usual} == {date(2025, 1, 6)}
    assert {row.target_date for row in usual} == {date(2025, 1, 7)}


def test_latest_forecasts_hold_every_horizon_of_the_newest_as_of_date(life: Life) -> None:
    names = ("model_name", "symbol", "as_of_date", "target_date", "horizon", "method")
    rows = [row for row in life.rows("latest_forecasts", *names) if row[0] == "simulated"]
    assert {row.as_of_date for row in rows} == {date(2025, 1, 6)}
    expected = {
        (1, date(2025, 1, 7), "single_step"),
        (5, date(2025, 1, 13), "direct"),
        (20, date(2025, 2, 3), "direct"),
    }
    assert {(row.horizon, row.target_date, row.method) for row in rows} == expected
    assert len(rows) == len(HORIZONS) * len(SYMBOLS)


def test_simulated_prices_are_labelled_in_every_view(life: Life) -> None:
    for view in (
        "latest_forecasts",
        "outcomes",
        "versions",
        "champion_history",
        "leakage_audits",
        "live_skill",
        "champion_checks",
        "latest_drift",
    ):
        assert {row.simulated for row in life.rows(view, "simulated")} == {True}


def test_outcomes_hold_the_realised_return_of_the_carried_prices(life: Life) -> None:
    names = ("symbol", "as_of_date", "target_date", "horizon", "realised_roi_pct")
    parts = ("filled_target", "realised_gap_pct", "realised_open_to_close_pct")
    outcomes = life.rows("outcomes", *names, *parts)
    known = {(row.as_of_date, row.horizon) for row in outcomes}
    assert known >= {(date(2024, 12, 26), 1), (date(2024, 12, 20), 1), (date(2024, 12, 20), 5)}
    assert {horizon for _, horizon in known} == {1, 5}
    with life.engine.connect() as connection:
        prices = {
            (row.symbol, row.trading_date): row.adj_close
            for row in connection.execute(select(daily_prices))
        }
        opens = {
            (row.symbol, row.trading_date): row.open * row.adj_close / row.close
            for row in connection.execute(select(daily_prices))
        }

    def carried(symbol: str, day: date) -> float:
        return prices[
            symbol, max(known for name, known in prices if name == symbol and known <= day)
        ]

    for row in outcomes:
        ratio = carried(row.symbol, row.target_date) / carried(row.symbol, row.as_of_date)
        assert row.realised_roi_pct == pytest.approx(100 * (ratio - 1))
        if row.horizon > 1 or row.filled_target:
            assert (row.realised_gap_pct, row.realised_open_to_close_pct) == (None, None)
            continue
        opened = opens[row.symbol, row.target_date]
        gap, rest = (
            opened / carried(row.symbol, row.as_of_date),
            carried(row.symbol, row.target_date) / opened,
        )
        assert row.realised_gap_pct == pytest.approx(100 * (gap - 1), abs=1e-9)
        assert row.realised_open_to_close_pct == pytest.approx(100 * (rest - 1), abs=1e-9)


def test_forecasts_made_after_their_session_opened_are_marked(life: Life) -> None:
    rows = life.rows("latest_forecasts", "backfill", "horizon")
    assert {row.backfill for row in rows if row.horizon == 1} == {True}


def test_parts_of_a_forecast_make_up_the_next_session_alone(life: Life) -> None:
    names = ("horizon", "predicted_roi_pct", "gap_roi_pct", "open_to_close_roi_pct")
    rows = life.rows("latest_forecasts", *names, "missing_context")
    assert {row.horizon for row in rows} == set(HORIZONS)
    for row in rows:
        assert row.missing_context == []
        if row.horizon > 1:
            assert (row.gap_roi_pct, row.open_to_close_roi_pct) == (None, None)
            continue
        whole = (1 + row.gap_roi_pct / 100) * (1 + row.open_to_close_roi_pct / 100)
        assert row.predicted_roi_pct == pytest.approx(100 * (whole - 1), abs=1e-9)


def test_intervals_enclose_the_forecast(life: Life) -> None:
    names = ("lower_95_pct", "lower_80_pct", "predicted_roi_pct", "upper_80_pct", "upper_95_pct")
    for row in life.rows("latest_forecasts", *names):
        assert list(row) == sorted(row)


def test_every_rule_of_every_decision_is_stored(life: Life) -> None:
    for run_id, outcome in life.outcomes.items():
        stored = life.count(gate_decisions, gate_decisions.c.run_id == run_id)
        assert stored == len(outcome.verdict.rulings) + 1


def test_evaluations_cover_every_predictor_split_and_asset(life: Life) -> None:
    per_asset = 5 * (3 + 5)  # five predictors' metrics of the smoothed and the next-day ROI
    per_asset += 2 * 2 * 5  # two predictors have parts
    on_test_rows = 2 * 4  # and intervals at two levels, with coverage and score
    on_test_rows += 2 * 2 * (5 + 4)  # and all metrics at two farther horizons
    expected = (len(SYMBOLS) + 1) * (per_asset + on_test_rows)
    expected += 2 * per_asset  # training and validation rows are scored for all assets together
    expected += 3 * (5 + 2 * 2) * 8  # bounds, t, ranks and directions of all assets together
    expected += 2 * (4 + 2 * (8 + 4))  # those of coverage, and of farther horizons
    expected += 3 * 3  # what the network adds, with its bounds
    assert life.count(evaluations, evaluations.c.run_id == "thursday") == expected


def test_leaderboard_ranks_a_names_versions_by_their_score(life: Life) -> None:
    rows = life.rows("versions", "model_name", "rank", "r2", "no_skill_r2", "state")
    usual = sorted((row for row in rows if row.model_name == "simulated"), key=lambda row: row.rank)
    assert [row.r2 for row in usual] == sorted((row.r2 for row in usual), reverse=True)
    assert sum(row.state == "champion" for row in usual) == 1


def test_every_version_has_a_verdict_on_its_fit_that_names_figures(life: Life) -> None:
    rows = life.rows("versions", "fit_verdict", "fit_advice")
    assert rows
    for row in rows:
        assert row.fit_verdict in {"overfit", "underfit", "unimproved", "balanced"}
        assert "on training and validation rows the network adds" in row.fit_advice


def test_forecasts_of_the_past_are_scored_as_backfills_and_judge_nobody(life: Life) -> None:
    scored = life.rows("live_skill", "model_name", "split", "mae_pct")
    assert {row.split for row in scored if row.model_name == "simulated"} == {"backfill"}
    assert all(row.mae_pct > 0 for row in scored)
    assert {row.state for row in life.rows("champion_checks", "state")} == {"too_few"}


def test_champion_history_has_no_gap(life: Life) -> None:
    rows = life.rows("champion_history", "model_name", "served_from", "served_until")
    usual = sorted(
        (row for row in rows if row.model_name == "simulated"), key=lambda row: row.served_from
    )
    assert [row.served_until for row in usual[:-1]] == [row.served_from for row in usual[1:]]
    assert usual[-1].served_until is None


def test_the_link_names_the_champions_complete_directory(life: Life) -> None:
    with life.engine.connect() as connection:
        champion = find_champion(connection, "simulated")
    assert champion is not None
    link = life.settings.models_directory / "simulated" / "champion"
    assert link.resolve() == champion.directory(life.settings.models_directory).resolve()
    assert link.readlink() == Path("versions", champion.version_id)
    names = {path.name for path in link.iterdir()}
    assert names >= {
        "network.npz",
        "model.keras",
        "scaler.json",
        "manifest.json",
        "calibration.json",
    }


def test_every_run_gave_its_name_free(life: Life) -> None:
    assert life.count(runs, runs.c.released_at.is_(None)) == 0


def test_every_asset_of_every_run_has_its_extraction(life: Life) -> None:
    expected = sum(len(outcome.run.extraction_symbols) for outcome in life.outcomes.values())
    assert life.count(extractions) == expected
    assert life.count(extractions, extractions.c.status == "failed") == 0


def test_versions_carry_their_data_and_source(life: Life) -> None:
    with life.engine.connect() as connection:
        for row in connection.execute(select(model_versions)):
            assert row.source == "simulated"
            assert row.last_date > row.first_date
            assert len(row.checksum) == 64
