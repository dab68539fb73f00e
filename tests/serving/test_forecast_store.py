from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, insert, select, update

from daily_run import NOW
from roi_forecast.array_types import FloatArray
from roi_forecast.config import parse_run_config
from roi_forecast.database.tables import daily_prices, model_versions, predictions
from roi_forecast.errors import (
    DamagedVersionError,
    DatasetError,
    NothingToForecastError,
    RegistryError,
)
from roi_forecast.features.rows import load_rows
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.forecaster.calibration import Calibration
from roi_forecast.forecaster.forecaster import CALIBRATION_FILE
from roi_forecast.linear.fit import LAGS
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.registry import open_source
from roi_forecast.network.predictor import load_predictor
from roi_forecast.serving.forecast_store import store_forecasts
from roi_forecast.serving.promotion import promote_model
from roi_forecast.universe import load_universe
from serving_version import MODEL_NAME, Served

AS_OF = date(2024, 12, 27)
MONDAY = np.datetime64("2024-12-30")


def stored(served: Served, horizon: int = 1) -> dict[str, dict[str, Any]]:
    statement = select(predictions).where(predictions.c.horizon == horizon)
    with served.engine.connect() as connection:
        rows = connection.execute(statement).mappings().all()
    return {row["symbol"]: dict(row) for row in rows}


def forget(served: Served) -> None:
    with served.engine.begin() as connection:
        connection.execute(delete(predictions))


def forecast_again(
    served: Served, now: datetime = NOW, parameters: dict[str, Any] | None = None, **changes: Any
) -> int:
    run = served.outcome.run.model_copy(update=changes)
    if parameters is not None:
        config = parse_run_config({**run.config.model_dump(mode="json"), **parameters})
        run = run.model_copy(update={"config": config})
    dataset_id = served.outcome.dataset.dataset_id
    return store_forecasts(
        served.engine, run, dataset_id, served.models, candidate_id=None, now=now
    ).added


def linear_part(served: Served) -> FloatArray:
    """The published linear part of all rows and of the next one; NaN where there is none."""
    rows = len(served.outcome.dataset.dates)
    linear = served.forecaster().linear
    forecasts = linear.predict(served.outcome.dataset, range(LAGS, rows + 1), MONDAY)
    return np.vstack([np.full((LAGS, 2), np.nan), forecasts.published])


def span_of(served: Served, column: int) -> tuple[float, float]:
    """The lowest and the highest smoothed log ROI of an asset's training rows."""
    dataset = served.outcome.dataset
    training = dataset.smoothed[: dataset.split.train.stop, column]
    return training.min(), training.max()


def implied_by_network(served: Served, targets: range) -> FloatArray:
    """The log ROI of the next session that the network's smoothed forecasts imply."""
    dataset, linear = served.outcome.dataset, linear_part(served)[targets.start : targets.stop]
    known = np.array([dataset.log_roi[row - 4 : row].sum(axis=0) for row in targets])
    baseline = (known + linear) / 5
    for column in range(2):
        low, high = span_of(served, column)
        baseline[:, column] = (baseline[:, column] - low) / (high - low)
    smoothed = load_predictor(served.champion_directory).predict(dataset.inputs, baseline, targets)
    for column in range(2):
        low, high = span_of(served, column)
        smoothed[:, column] = low + smoothed[:, column] * (high - low)
    return 5 * smoothed - known


def test_the_network_is_published_as_far_as_its_factor_goes(served: Served) -> None:
    calibration = json.loads((served.champion_directory / CALIBRATION_FILE).read_text())
    assert served.champion.metrics["network_factor"] == calibration["network"]
    served.let_network_add()
    served.calibrate(network=0.4)
    forget(served)
    forecast_again(served)
    dataset = served.outcome.dataset
    next_row = range(len(dataset.dates), len(dataset.dates) + 1)
    linear, implied = linear_part(served)[-1], implied_by_network(served, next_row)[0]
    rows = stored(served)
    assert set(rows) == set(dataset.symbols)
    for column, symbol in enumerate(dataset.symbols):
        published = linear[column] + 0.4 * (implied[column] - linear[column])
        smoothed = (dataset.log_roi[-4:, column].sum() + published) / 5
        row = rows[symbol]
        assert abs(implied[column] - linear[column]) > 1e-5
        assert row["predicted_roi_pct"] == pytest.approx(100 * np.expm1(published), abs=1e-4)
        assert row["predicted_smoothed_roi_pct"] == pytest.approx(
            100 * np.expm1(smoothed), abs=1e-4
        )
        assert row["target_date"] == date(2024, 12, 30)


def test_intervals_are_those_that_the_datasets_rows_lead_to(served: Served) -> None:
    served.let_network_add()
    served.calibrate(network=0.4)
    forget(served)
    forecast_again(served)
    dataset = served.outcome.dataset
    content = json.loads((served.champion_directory / CALIBRATION_FILE).read_text())
    calibration = Calibration.from_json(content)
    rows = len(dataset.dates)
    targets = range(dataset.split.test.start, rows + 1)
    linear = linear_part(served)
    own = linear[targets.start :]
    published = own + 0.4 * (implied_by_network(served, targets) - own)
    ((at_80, at_95),) = calibration.intervals(
        dataset, linear, published[np.newaxis], range(rows, rows + 1), MONDAY
    )
    for symbol, row in stored(served).items():
        column = dataset.symbols.index(symbol)
        assert row["lower_80_pct"] == pytest.approx(at_80.lower[0, column], rel=1e-3)
        assert row["upper_80_pct"] == pytest.approx(at_80.upper[0, column], rel=1e-3)
        assert row["lower_95_pct"] == pytest.approx(at_95.lower[0, column], rel=1e-3)
        assert row["upper_95_pct"] == pytest.approx(at_95.upper[0, column], rel=1e-3)


def test_a_wild_last_session_widens_the_intervals(served: Served) -> None:
    content = json.loads((served.champion_directory / CALIBRATION_FILE).read_text())
    # Simulated ranges say nothing about the next session; let a day's range count.
    for fits in content["scale"].values():
        for fit in fits:
            fit["slopes"] = [0.2 * (place == 5) for place in range(len(fit["slopes"]))]
    served.calibrate(scale=content["scale"])
    forget(served)
    forecast_again(served)
    before = stored(served)
    forget(served)
    with served.engine.begin() as connection:
        connection.execute(
            update(daily_prices)
            .where(daily_prices.c.trading_date == AS_OF)
            .values(high=daily_prices.c.high * 1.2)
        )
    forecast_again(served)
    for symbol, row in stored(served).items():
        width = row["upper_80_pct"] - row["lower_80_pct"]
        assert width > before[symbol]["upper_80_pct"] - before[symbol]["lower_80_pct"]


def test_bounds_do_not_depend_on_how_many_rows_are_loaded(served: Served) -> None:
    """One asset does not trade where the rows begin, and longer histories are stored than read."""
    version, run = served.champion, served.outcome.run
    forget(served)
    history = run.model_copy(update={"run_id": "history", "start_date": date(2018, 1, 1)})
    source = open_source(run.config, served.settings)
    for symbol in version.symbols:
        extract_prices(served.engine, history, symbol, source, now=NOW)
    halt = daily_prices.c.trading_date.between(date(2023, 7, 5), date(2024, 2, 1))
    with served.engine.begin() as connection:
        connection.execute(delete(daily_prices).where(daily_prices.c.symbol == "GC=F", halt))
    forecast_again(served)
    assets = load_universe().select(version.symbols)
    forecaster = served.forecaster()
    counts = set()
    for start in (date(2018, 1, 1), date(2021, 6, 1), version.first_date):
        with served.engine.connect() as connection:
            rows = load_rows(
                connection,
                version.source,
                assets,
                start,
                AS_OF,
                max_lost_share=1.0,
                carries_in=True,
                context=forecaster.preprocessing.context,
            )
        counts.add(len(rows.dates))
        prepared = forecaster.preprocessing.apply(rows)
        next_row = len(prepared.dates)
        forecasts = forecaster.forecast(
            prepared,
            range(next_row, next_row + 1),
            run.config.horizons,
            run.config.multi_step,
            next_date=np.datetime64("2024-12-30"),
        )
        for horizon, (at_80, at_95) in zip(forecasts.horizons, forecasts.intervals, strict=True):
            bounds = {
                "lower_95_pct": at_95.lower,
                "lower_80_pct": at_80.lower,
                "upper_80_pct": at_80.upper,
                "upper_95_pct": at_95.upper,
            }
            for column, symbol in enumerate(version.symbols):
                row = stored(served, horizon)[symbol]
                for name, expected in bounds.items():
                    assert row[name] == pytest.approx(expected[0, column], rel=1e-9), (
                        start,
                        symbol,
                        horizon,
                    )
    assert len(counts) == 3


def test_a_calibration_of_an_older_format_is_refused(served: Served) -> None:
    directory = served.champion_directory
    content = {"format": 4, "shrinkage": 0.1, "half_width_80": [0.1], "half_width_95": [0.2]}
    (directory / CALIBRATION_FILE).write_text(json.dumps(content))
    manifest = json.loads((directory / MANIFEST).read_text())
    digest = write_manifest(directory, manifest)
    with served.engine.begin() as connection:
        connection.execute(update(model_versions).values(checksum=digest))
    forget(served)
    with pytest.raises(RegistryError, match=r"calibration\.json: the calibration is of format 4"):
        forecast_again(served)
    assert stored(served) == {}


def test_prices_after_the_as_of_date_change_no_forecast(served: Served) -> None:
    expected, farther = stored(served), stored(served, 20)
    forget(served)
    wild = dict.fromkeys(("open", "high", "low", "close", "adj_close"), 1000000.0)
    with served.engine.begin() as connection:
        connection.execute(
            insert(daily_prices),
            [
                {
                    "source": "simulated",
                    "symbol": symbol,
                    "trading_date": date(2024, 12, 30),
                    "volume": 1,
                    "fetched_at": NOW,
                    **wild,
                }
                for symbol in expected
            ],
        )
    assert forecast_again(served) == 3 * len(expected)
    for horizon, before in ((1, expected), (20, farther)):
        for symbol, row in stored(served, horizon).items():
            for name in ("predicted_roi_pct", "predicted_smoothed_roi_pct", "upper_95_pct"):
                assert row[name] == before[symbol][name]


def test_the_last_known_price_does_change_the_forecast(served: Served) -> None:
    expected = stored(served)
    forget(served)
    with served.engine.begin() as connection:
        connection.execute(
            update(daily_prices)
            .where(daily_prices.c.trading_date == AS_OF)
            .values(adj_close=daily_prices.c.adj_close * 1.05)
        )
    forecast_again(served)
    for symbol, row in stored(served).items():
        assert row["predicted_smoothed_roi_pct"] != expected[symbol]["predicted_smoothed_roi_pct"]


def test_a_second_forecast_adds_nothing_and_changes_nothing(served: Served) -> None:
    before = stored(served)
    assert forecast_again(served, NOW + timedelta(days=1)) == 0
    assert stored(served) == before


@pytest.mark.parametrize(
    ("now", "late"),
    [
        # Target 2024-12-30. COMEX opens on Sunday 18:00 in New York, the NSE on Monday 09:15.
        (datetime(2024, 12, 27, 22, 30, tzinfo=UTC), {"TCS.NS": False, "GC=F": False}),
        (datetime(2024, 12, 30, 3, 30, tzinfo=UTC), {"TCS.NS": False, "GC=F": True}),
        (datetime(2024, 12, 30, 3, 45, tzinfo=UTC), {"TCS.NS": True, "GC=F": True}),
    ],
)
def test_a_forecast_made_after_its_session_opened_is_a_backfill(
    served: Served, now: datetime, late: dict[str, bool]
) -> None:
    forget(served)
    forecast_again(served, now)
    assert {symbol: row["backfill"] for symbol, row in stored(served).items()} == late
    # Each horizon by its own target session.
    assert not any(row["backfill"] for row in stored(served, 5).values())


def test_nothing_is_forecast_where_no_version_serves(served: Served) -> None:
    with pytest.raises(NothingToForecastError, match=r"no version serves .*'nobody'"):
        forecast_again(served, model_name="nobody")


def test_a_champion_of_another_source_without_prices_of_the_day_is_no_failure(
    served: Served,
) -> None:
    with pytest.raises(NothingToForecastError, match="forecasts from simulated, not from"):
        forecast_again(served, source_key="yahoo", as_of_date=date(2025, 1, 10))


def test_prices_that_do_not_reach_the_as_of_date_are_refused(served: Served) -> None:
    with pytest.raises(DatasetError, match="end at 2024-12-27"):
        forecast_again(served, as_of_date=date(2024, 12, 31))


def test_a_damaged_champion_without_one_before_is_refused(served: Served) -> None:
    (served.champion_directory / "scaler.json").write_text("{}")
    with pytest.raises(DamagedVersionError, match=r"scaler\.json is damaged"):
        forecast_again(served)
    assert served.champion.model_name == MODEL_NAME


def test_the_version_before_forecasts_where_the_champion_is_damaged(served: Served) -> None:
    first = served.champion.version_id
    replace_champion(served)
    (served.champion_directory / "scaler.json").write_text("{}")
    # It is loaded in a fresh process first, and has forecast from this as-of date already.
    assert forecast_again(served) == 0
    assert served.champion.version_id == first
    forget(served)
    assert forecast_again(served, run_id="later") > 0
    assert {row["version_id"] for row in stored(served).values()} == {first}


def test_a_calibration_that_the_code_cannot_read_is_refused_and_the_champion_stays(
    served: Served,
) -> None:
    replace_champion(served)
    path = served.champion_directory / CALIBRATION_FILE
    path.write_text(json.dumps({"format": 99}))
    manifest = json.loads((served.champion_directory / MANIFEST).read_text())
    digest = write_manifest(served.champion_directory, manifest)
    with served.engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == "next")
            .values(checksum=digest)
        )
    with pytest.raises(RegistryError, match=CALIBRATION_FILE) as error:
        forecast_again(served)
    assert not isinstance(error.value, DamagedVersionError)
    assert served.champion.version_id == "next"


def replace_champion(served: Served) -> None:
    version_id = served.add_candidate("next")
    promote_model(served.engine, served.models, version_id, version_id, "test")


def test_each_horizon_has_the_target_date_that_many_sessions_ahead(served: Served) -> None:
    forget(served)
    horizons = [1, 2, 5, 20, 30]
    assert forecast_again(served, parameters={"horizons": horizons}) == 5 * 2
    # The exchange of most assets, the NSE, is open on every weekday from here to 2025-02-07.
    sessions = list(np.arange("2024-12-30", "2025-02-08", dtype="datetime64[D]"))
    sessions = [day for day in sessions if np.is_busday(day)]
    for horizon in horizons:
        for row in stored(served, horizon).values():
            assert row["target_date"] == sessions[horizon - 1].item()
            assert row["method"] == ("single_step" if horizon == 1 else "direct")


def test_a_horizon_is_forecast_the_same_whichever_others_are(served: Served) -> None:
    for method in ("direct", "recursive"):
        forget(served)
        forecast_again(served, parameters={"horizons": [5, 20], "multi_step": method})
        few = {horizon: stored(served, horizon) for horizon in (1, 5, 20)}
        forget(served)
        every = {"horizons": list(range(1, 31)), "multi_step": method}
        assert forecast_again(served, parameters=every) == 30 * 2
        for horizon, rows in few.items():
            for symbol, row in stored(served, horizon).items():
                for name in ("predicted_roi_pct", "lower_95_pct", "upper_80_pct"):
                    assert row[name] == pytest.approx(rows[symbol][name], rel=1e-5), horizon


@pytest.mark.parametrize("method", ["direct", "recursive"])
def test_no_interval_narrows_with_the_horizon(served: Served, method: str) -> None:
    forget(served)
    forecast_again(served, parameters={"horizons": list(range(1, 31)), "multi_step": method})
    rows = [stored(served, horizon) for horizon in range(1, 31)]
    for symbol in rows[0]:
        for level in (80, 95):
            widths = [
                row[symbol][f"upper_{level}_pct"] - row[symbol][f"lower_{level}_pct"]
                for row in rows
            ]
            assert widths == sorted(widths)
            assert widths[29] > 2 * widths[0]


def test_both_ways_forecast_the_same_next_session_and_another_path(served: Served) -> None:
    served.let_network_add()
    served.calibrate(network=1.0, ahead=dict.fromkeys(("direct", "recursive"), [1.0] * 30))
    forget(served)
    forecast_again(served)
    directly, far = stored(served), stored(served, 20)
    forget(served)
    forecast_again(served, parameters={"multi_step": "recursive"})
    for symbol, row in stored(served).items():
        assert row["method"] == "single_step"
        assert row["predicted_roi_pct"] == pytest.approx(directly[symbol]["predicted_roi_pct"])
    for symbol, row in stored(served, 20).items():
        assert row["method"] == "recursive"
        smoothed = far[symbol]["predicted_smoothed_roi_pct"]
        assert row["predicted_smoothed_roi_pct"] != pytest.approx(smoothed, rel=1e-3)


def test_the_recursive_path_is_the_networks_forecasts_fed_back_to_it(served: Served) -> None:
    ahead = np.linspace(1.0, 0.5, 30)
    served.let_network_add()
    served.calibrate(network=0.4, ahead=dict.fromkeys(("direct", "recursive"), ahead.tolist()))
    forget(served)
    forecast_again(served, parameters={"horizons": [1, 2, 3, 4], "multi_step": "recursive"})
    dataset, linear = served.outcome.dataset, linear_part(served)[-1]
    predictor = load_predictor(served.champion_directory)
    inputs, log_roi, expected = dataset.inputs, dataset.log_roi, linear
    path = np.zeros((0, 2))
    for horizon in (1, 2, 3, 4):
        rows = len(inputs)
        known = log_roi[-4:].sum(axis=0)
        baseline = dataset.scaler.transform((known + expected)[np.newaxis] / 5)
        newest = predictor.predict(inputs, baseline, range(rows, rows + 1))
        # Beyond the next session no context move is expected, and nothing by the linear part.
        without_move = np.zeros((1, inputs.shape[1] - 2))
        inputs = np.vstack([inputs, np.hstack([newest, without_move])]).astype(np.float32)
        log_roi = np.vstack([log_roi, 5 * dataset.scaler.inverse(newest)[0] - known])
        expected = np.zeros(2)
        moved = log_roi[-horizon:].sum(axis=0)
        next_session = linear + 0.4 * (log_roi[-horizon] - linear)
        path = np.vstack([path, next_session + ahead[horizon - 1] * (moved - log_roi[-horizon])])
        steps = np.vstack([dataset.log_roi, path[:1], np.diff(path, axis=0)])
        for column, symbol in enumerate(dataset.symbols):
            row = stored(served, horizon)[symbol]
            assert row["predicted_roi_pct"] == pytest.approx(
                100 * np.expm1(path[-1, column]), abs=2e-3
            )
            smoothed = steps[-5:, column].mean()
            assert row["predicted_smoothed_roi_pct"] == pytest.approx(
                100 * np.expm1(smoothed), abs=1e-3
            )
