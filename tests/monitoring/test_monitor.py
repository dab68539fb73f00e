"""Monitoring a champion whose live forecasts have planted faults."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, text

from docs.questions import QUESTIONS
from roi_forecast.array_types import FloatArray
from roi_forecast.database.tables import evaluations, live_checks
from roi_forecast.monitoring import asset_drift
from roi_forecast.monitoring.monitor import Monitoring, monitor_champion, report_alerts
from serving_version import MODEL_NAME, Served

from .live_forecasts import Past, forget, past, publish, read

SESSIONS = 75
WINDOW = 60

SKILL = (
    "scope",
    "version_id",
    "split",
    "horizon",
    "newest_sessions",
    "sessions",
    "rows",
    "mae_pct",
    "mae_lower_95_pct",
    "mae_upper_95_pct",
    "mae_of_zero_pct",
    "mae_of_persistence_pct",
    "r2_against_zero",
    "r2_against_zero_lower_95",
    "r2_against_zero_upper_95",
    "r2_against_persistence",
    "coverage_80",
    "coverage_80_upper_95",
    "coverage_95",
    "directional_accuracy",
    "simulated",
)
STATUS = ("measure", "state", "scope", "sessions", "threshold", "observed", "upper_95", "reason")


@pytest.fixture
def watched(served: Served) -> Iterator[Served]:
    forget(served)
    yield served


def monitor(served: Served, **changes: Any) -> Monitoring:
    return monitor_champion(served.engine, served.outcome.run.model_copy(update=changes))


def skill(served: Served, **wanted: Any) -> dict[str, Any]:
    rows = read(served, "live_skill", *SKILL)
    (found,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return found


def states(served: Served) -> dict[str, str]:
    rows = read(served, "champion_checks", "newest", *STATUS)
    return {row["measure"]: row["state"] for row in rows if row["newest"]}


def below(served: Served) -> list[dict[str, Any]]:
    """The checks that found the champion below a limit; current: of the newest run, serving."""
    names = ("measure", "version_id", "run_id", "newest", "serving", "state", "reason")
    return [
        {**row, "current": row["newest"] and row["serving"]}
        for row in read(served, "champion_checks", *names)
        if row["state"] == "below"
    ]


def halves(actual: FloatArray, predicted: FloatArray, share: float) -> FloatArray:
    """Half widths that contain the actual ROI in the given share of sessions, evenly spread."""
    errors = np.abs(actual - predicted)
    places = np.arange(len(actual))[:, np.newaxis]
    held = np.floor((places + 1) * share) > np.floor(places * share)
    return np.where(held, errors * 1.5 + 1e-6, errors * 0.5)


def publish_sound(served: Served, known: Past, **options: Any) -> None:
    """Forecasts with a little skill and with intervals of the stated coverage."""
    predicted = 0.05 * known.actual
    publish(
        served,
        known.targets,
        predicted,
        halves(known.actual, predicted, 0.8),
        halves(known.actual, predicted, 0.95),
        **options,
    )


def test_scores_are_those_that_sql_computes_from_the_outcomes(watched: Served) -> None:
    known = past(watched, SESSIONS)
    noise = np.random.default_rng(0).normal(0, 0.3, known.actual.shape)
    publish(watched, known.targets, 0.1 * known.actual + noise, 1.0, 2.0)
    monitor(watched)
    everything = skill(watched, scope="version", newest_sessions=None)
    oracle = text(
        "SELECT avg(abs(error_pct)) AS mae, avg(abs(realised_roi_pct)) AS zero, "
        "avg(inside_80::int) AS inside_80, avg(inside_95::int) AS inside_95, "
        "avg(direction_hit::int) AS direction, count(*) AS rows, "
        "count(DISTINCT target_date) AS sessions "
        "FROM roi.outcomes WHERE NOT filled_target"
    )
    by_year = text(QUESTIONS[10].replace("'reference'", f"'{MODEL_NAME}'"))
    with watched.engine.connect() as connection:
        row = connection.execute(oracle).one()
        year = connection.execute(by_year).one()
    assert everything["r2_against_zero"] == pytest.approx(year.r2_against_zero)
    assert everything["sessions"] == year.sessions
    assert everything["mae_pct"] == pytest.approx(row.mae)
    assert everything["mae_of_zero_pct"] == pytest.approx(row.zero)
    assert everything["coverage_80"] == pytest.approx(float(row.inside_80))
    assert everything["coverage_95"] == pytest.approx(float(row.inside_95))
    assert everything["directional_accuracy"] == pytest.approx(float(row.direction))
    assert (everything["rows"], everything["sessions"]) == (row.rows, row.sessions)
    assert everything["mae_lower_95_pct"] < row.mae < everything["mae_upper_95_pct"]
    assert everything["simulated"]


def test_parts_of_the_next_session_and_missing_context_are_scored(watched: Served) -> None:
    of_past = past(watched, SESSIONS)
    dataset = watched.outcome.dataset
    rows = slice(of_past.targets.start, of_past.targets.stop)
    known = np.where(dataset.filled[rows], np.nan, dataset.gap[rows])
    later = np.where(dataset.filled[rows], np.nan, dataset.log_roi[rows] - dataset.gap[rows])
    gap = 50 * np.nan_to_num(known)
    publish(
        watched,
        of_past.targets,
        of_past.actual / 2,
        3,
        5,
        gap=gap,
        missing_context={4: ["^GSPC"], 9: ["^GSPC", "INR=X"]},
    )
    monitor(watched)
    names = ("gap", "open_to_close")
    columns = [f"{name}_r2_against_zero{end}" for name in names for end in ("", "_lower_95")]
    (found,) = (
        row
        for row in read(
            watched, "live_skill", "scope", "split", "newest_sessions", "missing_context", *columns
        )
        if (row["scope"], row["split"], row["newest_sessions"]) == ("version", "live", None)
    )
    rest = 100 * ((1 + of_past.actual / 200) / (1 + gap / 100) - 1)
    for name, actual, forecast in zip(names, (known, later), (gap, rest), strict=True):
        actual = 100 * np.expm1(actual)
        gains = (actual**2 - (actual - forecast) ** 2) / np.nanmean(actual**2, axis=0)
        assert found[f"{name}_r2_against_zero"] == pytest.approx(np.nanmean(gains))
        assert found[f"{name}_r2_against_zero_lower_95"] < found[f"{name}_r2_against_zero"]
    counted = np.isfinite(known[[4, 9]]).sum()
    assert found["missing_context"] == counted


def test_the_newest_window_leaves_out_older_sessions(watched: Served) -> None:
    known = past(watched, SESSIONS)
    predicted = np.zeros(known.actual.shape)
    publish(watched, known.targets, predicted, 1.0, 2.0)
    monitor(watched)
    filled = watched.outcome.dataset.filled[known.targets.start : known.targets.stop]
    errors = np.where(filled, np.nan, np.abs(known.actual))
    newest = skill(watched, scope="version", newest_sessions=WINDOW)
    assert newest["sessions"] == WINDOW
    assert newest["mae_pct"] == pytest.approx(np.nanmean(errors[-WINDOW:]))
    everything = skill(watched, scope="version", newest_sessions=None)
    assert everything["mae_pct"] == pytest.approx(np.nanmean(errors))


@pytest.mark.parametrize("horizon", [1, 5])
def test_skill_is_the_gain_over_zero_and_over_the_last_roi(watched: Served, horizon: int) -> None:
    known = past(watched, SESSIONS, horizon)
    predicted = 0.4 * known.actual
    publish(watched, known.targets, predicted, 1.0, 2.0, horizon=horizon)
    monitor(watched)
    rows = slice(known.targets.start, known.targets.stop)
    actual = np.where(watched.outcome.dataset.filled[rows], np.nan, known.actual)
    own = (predicted - actual) ** 2
    found = skill(watched, scope="version", newest_sessions=None, horizon=horizon)
    for opponent, name in ((0.0, "zero"), (known.before, "persistence")):
        theirs = (opponent - actual) ** 2
        counts = np.isfinite(actual).sum(axis=0)
        gain = 1 - np.nanmean(own, axis=0) / np.nanmean(theirs, axis=0)
        expected = (gain * counts).sum() / counts.sum()
        assert found[f"r2_against_{name}"] == pytest.approx(expected, rel=1e-6)
        if name == "persistence":
            assert found["mae_of_persistence_pct"] == pytest.approx(np.nanmean(np.sqrt(theirs)))
    assert found["r2_against_zero_lower_95"] <= found["r2_against_zero"]


def test_a_champion_within_its_limits_raises_no_alert(
    watched: Served, caplog: pytest.LogCaptureFixture
) -> None:
    publish_sound(watched, past(watched, SESSIONS))
    with caplog.at_level(logging.INFO):
        found = monitor(watched)
    assert found.alerts == ()
    assert set(states(watched).values()) == {"passed"}
    assert "passes its 4 limits, next session" in caplog.text
    assert below(watched) == []
    assert report_alerts(watched.engine, watched.outcome.run.run_id) is None


def test_too_few_outcomes_are_named_and_raise_no_alert(
    watched: Served, caplog: pytest.LogCaptureFixture
) -> None:
    known = past(watched, 29)
    publish(watched, known.targets, -5 * known.actual, 1e-9, 1e-9)
    with caplog.at_level(logging.INFO):
        found = monitor(watched)
    assert found.alerts == ()
    assert set(states(watched).values()) == {"too_few"}
    assert "29 live sessions have an outcome; a judgement needs 30" in caplog.text


def test_a_name_without_any_outcome_says_so(watched: Served) -> None:
    found = monitor(watched)
    assert {check.state for check in found.checks} == {"too_few"}
    assert found.checks[0].reason.startswith("0 live sessions have an outcome")
    assert read(watched, "live_skill", "scope") == []


def test_too_narrow_intervals_are_reported_everywhere(
    watched: Served, caplog: pytest.LogCaptureFixture
) -> None:
    known = past(watched, SESSIONS)
    predicted = 0.05 * known.actual
    narrow = halves(known.actual, predicted, 0.5)
    publish(watched, known.targets, predicted, narrow, halves(known.actual, predicted, 0.95))
    found = monitor(watched)
    (alert,) = found.alerts
    assert alert.measure == "coverage_80"
    assert alert.upper_95 is not None
    assert alert.upper_95 < alert.threshold == pytest.approx(0.75)
    assert "is below its limit: next-day 80 % coverage" in caplog.text
    (row,) = below(watched)
    assert (row["measure"], row["current"]) == ("coverage_80", True)
    assert row["version_id"] == found.version_id
    assert "limit 0.75, over its own newest 60 sessions" in row["reason"]
    advice = report_alerts(watched.engine, watched.outcome.run.run_id)
    assert advice is not None
    assert advice in caplog.text
    assert f"champion {found.version_id} is below its limit" in advice


def test_an_alert_stays_but_is_no_longer_current_after_a_later_run_without_one(
    watched: Served,
) -> None:
    known = past(watched, SESSIONS)
    publish(watched, known.targets, 0.05 * known.actual, 1e-9, 1e-9)
    assert monitor(watched).alerts
    forget(watched)
    publish_sound(watched, known)
    assert not monitor(watched, run_id="later").alerts
    alerts = below(watched)
    assert {row["run_id"] for row in alerts} == {watched.outcome.run.run_id}
    assert {row["current"] for row in alerts} == {False}
    assert set(states(watched).values()) == {"passed"}


def test_forecasts_worse_than_zero_are_reported(watched: Served) -> None:
    known = past(watched, SESSIONS)
    predicted = -0.5 * known.actual
    publish(
        watched,
        known.targets,
        predicted,
        halves(known.actual, predicted, 0.8),
        halves(known.actual, predicted, 0.95),
    )
    measures = {alert.measure for alert in monitor(watched).alerts}
    assert "r2_against_zero" in measures
    assert not measures & {"coverage_80", "coverage_95"}


def test_a_figure_below_its_limit_is_not_reported_if_chance_could_explain_it(
    watched: Served,
) -> None:
    known = past(watched, SESSIONS)
    predicted = 0.05 * known.actual
    # Coverage alternates between whole blocks of days: 70 % in all, and very uncertain.
    held = ((np.arange(SESSIONS) // 10) % 3 != 0)[:, np.newaxis]
    errors = np.abs(known.actual - predicted)
    half = np.where(held, errors * 1.5 + 1e-6, errors * 0.5)
    publish(watched, known.targets, predicted, half, half * 3 + errors)
    monitor(watched)
    (row,) = [
        row for row in read(watched, "champion_checks", *STATUS) if row["measure"] == "coverage_80"
    ]
    assert row["observed"] < row["threshold"] < row["upper_95"]
    assert row["state"] == "passed"


def test_backfills_are_scored_separately_and_never_judged(watched: Served) -> None:
    known = past(watched, SESSIONS)
    publish(watched, known.targets, known.actual * 1.0, 1.0, 2.0, backfill=True)
    found = monitor(watched)
    assert {check.state for check in found.checks} == {"too_few"}
    rows = read(watched, "live_skill", *SKILL)
    assert {row["split"] for row in rows} == {"backfill"}
    assert all(row["mae_pct"] == pytest.approx(0, abs=1e-9) for row in rows)


def test_outcomes_after_the_as_of_date_do_not_matter(watched: Served) -> None:
    known = past(watched, SESSIONS)
    dates = watched.outcome.dataset.dates
    last_known = known.targets.stop - 10
    as_of = dates[last_known - 1].item()
    predicted = 0.05 * known.actual
    cut = last_known - known.targets.start
    publish(watched, range(known.targets.start, last_known), predicted[:cut], 1.0, 2.0)
    monitor(watched, as_of_date=as_of)
    before = skill(watched, scope="version", newest_sessions=None)
    publish(watched, range(last_known, known.targets.stop), 1e6 * predicted[cut:], 1.0, 2.0)
    monitor(watched, as_of_date=as_of)
    assert skill(watched, scope="version", newest_sessions=None) == before
    monitor(watched)
    assert skill(watched, scope="version", newest_sessions=None)["mae_pct"] > before["mae_pct"]


def test_monitoring_again_replaces_the_stored_results(watched: Served) -> None:
    publish_sound(watched, past(watched, 35))
    monitor(watched)

    def counts() -> list[int]:
        with watched.engine.connect() as connection:
            return [
                connection.scalar(select(func.count()).select_from(stored)) or 0
                for stored in (evaluations, live_checks)
            ]

    first = counts()
    monitor(watched)
    assert counts() == first


def test_a_new_champion_is_judged_by_the_forecasts_under_its_name(watched: Served) -> None:
    older = watched.add_candidate("older")
    known = past(watched, SESSIONS)
    predicted = 0.05 * known.actual
    narrow = halves(known.actual, predicted, 0.4)
    publish(watched, known.targets, predicted, narrow, narrow * 2, version_id=older)
    found = monitor(watched)
    assert {alert.scope for alert in found.alerts} == {"model_name"}
    assert "coverage_80" in {alert.measure for alert in found.alerts}
    assert skill(watched, scope="model_name", newest_sessions=None)["sessions"] == SESSIONS


def test_the_last_of_two_forecasts_of_a_target_counts(
    watched: Served,
) -> None:
    older = watched.add_candidate("older")
    known = past(watched, 40)
    publish(watched, known.targets, 0 * known.actual, 1.0, 2.0, version_id=older)
    later = timedelta(hours=21)
    publish(watched, known.targets, known.actual * 1.0, 1.0, 2.0, created_after=later)
    monitor(watched)
    served = skill(watched, scope="model_name", newest_sessions=None)
    assert served["mae_pct"] == pytest.approx(0, abs=1e-9)
    assert served["rows"] == skill(watched, scope="version", newest_sessions=None)["rows"]


def test_each_horizon_is_judged_by_itself(watched: Served) -> None:
    publish_sound(watched, past(watched, SESSIONS))
    known = past(watched, SESSIONS, 5)
    publish(watched, known.targets, -known.actual, 1e-9, 1e-9, horizon=5)
    found = monitor(watched)
    assert {check.horizon for check in found.checks} == {1, 5}
    assert {alert.horizon for alert in found.alerts} == {5}


def test_nothing_is_monitored_without_a_champion(watched: Served) -> None:
    assert monitor(watched, model_name="nobody") == Monitoring(None)


def test_the_run_stores_the_drift_of_every_asset(watched: Served) -> None:
    assert watched.outcome.monitoring.version_id == watched.champion.version_id
    rows = read(
        watched,
        "latest_drift",
        "symbol",
        "model_name",
        "wasserstein",
        "wasserstein_limit",
        "scale_ratio",
        "drifting",
        "training_last_date",
        "window_first_date",
        "window_last_date",
        "window_rows",
    )
    dataset = watched.outcome.dataset
    assert {row["symbol"] for row in rows} == set(dataset.symbols)
    for row in rows:
        assert row["model_name"] == MODEL_NAME
        assert row["training_last_date"] == dataset.dates[dataset.split.train.stop - 1].item()
        assert row["training_last_date"] < row["window_first_date"]
        assert row["window_last_date"] == date(2024, 12, 27)
        assert 0 < row["window_rows"] <= WINDOW
        assert row["drifting"] == (row["symbol"] in watched.outcome.monitoring.drifting)


def test_a_wildly_moving_price_drifts_and_is_named_in_the_log(
    watched: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asset_drift, "DRIFT_WINDOW_SESSIONS", 30)
    wild = text(
        "UPDATE roi.daily_prices SET adj_close = adj_close * "
        "(1 + 0.3 * (extract(doy FROM trading_date)::int % 2)) "
        "WHERE symbol = 'TCS.NS' AND trading_date > '2024-11-01'"
    )
    with watched.engine.begin() as connection:
        connection.execute(wild)
    with caplog.at_level(logging.INFO):
        found = monitor(watched)
    assert found.drifting[0] == "TCS.NS"
    assert "assets differ from their training rows, most of all TCS.NS (distance" in caplog.text
