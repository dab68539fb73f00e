"""Whole days of a universe whose source lacks open, high, low, volume or adjusted close."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, RowMapping, select

import daily_run
from daily_run import SYMBOLS, carry_out
from databases import fresh_market
from incomplete_source import CLOSES_ONLY, IncompleteSource
from planted import Planted
from roi_forecast.backtest.fold_scores import fold_scores
from roi_forecast.backtest.walk_forward import walk_forward
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import evaluations, predictions, price_checks
from roi_forecast.features.leakage import audit_dataset
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.missing_columns import in_words
from roi_forecast.market.stored_bars import load_bars
from roi_forecast.reading.engine import create_reader_engine
from roi_forecast.reading.forecasts import Outcome
from roi_forecast.reading.versions import VersionDetails
from roi_forecast.registry.versions import find_version, open_version
from roi_forecast.settings import Settings
from roi_local.postgres.server import EmbeddedPostgres
from roi_local.run_progress.report import print_report

ALL_CLOSES = dict.fromkeys(SYMBOLS, CLOSES_ONLY)
MIXED = {"TCS.NS": CLOSES_ONLY, "GC=F": ("open",), "^GSPC": ("adj_close", "open")}
MISSING: dict[str, dict[str, tuple[str, ...]]] = {
    "complete": {},
    "mixed": MIXED,
    "closes_only": ALL_CLOSES,
    "alone": {"TCS.NS": CLOSES_ONLY},
}
LATER = "a_week_later"


@dataclass(frozen=True)
class Life:
    """The outcomes of the runs, and where to look."""

    engine: Engine
    settings: Settings
    outcomes: dict[str, daily_run.Outcome]

    def forecasts(self, run_id: str) -> list[RowMapping]:
        """Read the forecasts of a run."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(predictions).filter_by(run_id=run_id))
            return list(rows.mappings())

    def scores(self, run_id: str, target: str, metric: str) -> dict[str | None, float | None]:
        """Read a figure of the model on test rows, by asset."""
        score = evaluations.c
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(score.symbol, score.value).where(
                    score.run_id == run_id,
                    score.target == target,
                    score.metric == metric,
                    score.predictor == "model",
                    score.split == "test",
                    score.horizon == 1,
                )
            )
            return {row.symbol: row.value for row in rows}


@pytest.fixture(scope="module")
def life(
    postgres: EmbeddedPostgres, market_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Life]:
    outcomes: dict[str, daily_run.Outcome] = {}
    with (
        fresh_market(postgres, market_template) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        settings = Settings(url, tmp_path_factory.mktemp("data"))
        engine = create_database_engine(url)
        for name, missing in MISSING.items():
            source = IncompleteSource(missing)
            patch.setattr(daily_run, "open_source", lambda *_, source=source: source)
            symbols: dict[str, Any] = {"symbols": ["TCS.NS"]} if name == "alone" else {}
            outcomes[name] = carry_out(engine, settings, name, {"model_name": name, **symbols})
        source = IncompleteSource(ALL_CLOSES)
        patch.setattr(daily_run, "open_source", lambda *_: source)
        later = {"model_name": "closes_only", "as_of_date": "2025-01-06"}
        outcomes[LATER] = carry_out(engine, settings, LATER, later)
        yield Life(engine, settings, outcomes)
        engine.dispose()


@pytest.mark.parametrize("name", MISSING)
def test_the_run_trains_is_judged_and_forecasts_finite_numbers_and_intervals(
    life: Life, name: str
) -> None:
    outcome = life.outcomes[name]
    rows = life.forecasts(name)
    assert len(rows) == 3 * len(outcome.run.config.symbols)
    bounds = ("lower_95_pct", "lower_80_pct", "predicted_roi_pct", "upper_80_pct", "upper_95_pct")
    found = np.array([[row[bound] for bound in bounds] for row in rows], dtype=np.float64)
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=1) > 0).all()
    assert outcome.monitoring is not None
    for metric in ("mae", "coverage_80"):
        scores = life.scores(name, "next_day_pct", metric)
        assert set(scores) == {None, *outcome.run.config.symbols}
        assert all(value is not None for value in scores.values())


@pytest.mark.parametrize("name", MISSING)
def test_parts_of_the_forecast_are_null_where_there_is_no_open_and_only_there(
    life: Life, name: str
) -> None:
    without = {symbol for symbol, missing in MISSING[name].items() if "open" in missing}
    for row in life.forecasts(name):
        has_parts = row["horizon"] == 1 and row["symbol"] not in without
        assert (row["gap_roi_pct"] is not None) == has_parts
        assert (row["open_to_close_roi_pct"] is not None) == has_parts
    scores = life.scores(name, "gap_pct", "mae")
    symbols = life.outcomes[name].run.config.symbols
    assert {symbol for symbol in symbols if scores.get(symbol) is not None} == {*symbols} - without


@pytest.mark.parametrize("name", MISSING)
def test_dataset_version_and_view_record_what_is_missing(life: Life, name: str) -> None:
    outcome = life.outcomes[name]
    used = {*outcome.run.config.symbols}
    expected = {
        symbol: sorted(set(missing) if symbol in used else set(missing) & {"adj_close"})
        for symbol, missing in MISSING[name].items()
    }
    manifest = json.loads((outcome.dataset.directory / "manifest.json").read_text())
    with life.engine.connect() as connection:
        version = find_version(connection, outcome.version_id)
        view = VersionDetails.view.c
        (details,), _ = VersionDetails.read(connection, view.version_id == outcome.version_id)
    files = open_version(version, life.settings.models_directory)
    for recorded in (
        manifest["missing_columns"],
        files.manifest["missing_columns"],
        details.missing_columns,
    ):
        assert {symbol: sorted(missing) for symbol, missing in recorded.items()} == expected


def test_what_is_missing_is_a_warning_in_the_checks_and_leaves_no_asset_out(life: Life) -> None:
    check = price_checks.c
    with life.engine.connect() as connection:
        found = connection.execute(
            select(check.symbol, check.severity).where(
                check.run_id == "mixed", check.check_name == "incomplete_bars"
            )
        ).all()
    assert sorted(found) == [(symbol, "warn") for symbol in sorted(MIXED)]
    assert life.outcomes["mixed"].dataset.symbols == SYMBOLS


@pytest.mark.parametrize("name", MISSING)
def test_the_leakage_audit_finds_nothing(life: Life, name: str) -> None:
    run, dataset = life.outcomes[name].run, life.outcomes[name].dataset
    audit = json.loads((dataset.directory / "manifest.json").read_text())["leakage_audit"]
    assert len(audit) == 12
    assert all(check["passed"] for check in audit)
    if name == "alone":
        # The stored bars are those of the newest run: an audit with them still finds nothing.
        symbols = (*dataset.symbols, *dataset.context_symbols)
        with life.engine.connect() as connection:
            bars = load_bars(connection, "simulated", symbols, run.start_date, run.as_of_date)
        assert bars["open"].isna().any()
        assert audit_dataset(dataset, bars, run.as_of_date, bars).findings == ()


def test_the_arrays_of_complete_assets_are_those_of_the_run_in_which_all_are(life: Life) -> None:
    complete, mixed = life.outcomes["complete"].dataset, life.outcomes["mixed"].dataset
    assert complete.dataset_id != mixed.dataset_id
    others = [SYMBOLS.index(symbol) for symbol in SYMBOLS if symbol not in MIXED]
    for array in ("prices", "log_roi", "scaled", "true_range", "gap", "volume", "filled"):
        np.testing.assert_array_equal(
            getattr(mixed, array)[:, others], getattr(complete, array)[:, others]
        )


def test_the_gate_decides_on_the_forecasts_and_not_on_what_is_missing(life: Life) -> None:
    reasons = {name: life.outcomes[name].verdict.reason for name in MISSING}
    assert reasons == dict.fromkeys(MISSING, "all 6 rules passed")


def test_outcomes_of_closes_have_no_parts_and_are_scored(life: Life) -> None:
    outcome = Outcome.view.c
    with life.engine.connect() as connection:
        rows, _ = Outcome.read(
            connection, outcome.model_name == "closes_only", outcome.horizon == 1
        )
    assert {row.symbol for row in rows} == set(SYMBOLS)
    for row in rows:
        assert np.isfinite(row.realised_roi_pct)
        assert row.realised_gap_pct is None
        assert row.realised_open_to_close_pct is None
    monitoring = life.outcomes[LATER].monitoring
    assert "nan" not in str(monitoring).lower().replace("finance", "")


@pytest.mark.parametrize("name", ["mixed", "closes_only"])
def test_a_backtest_scores_every_asset(life: Life, name: str) -> None:
    dataset = life.outcomes[name].dataset
    scores = list(fold_scores(walk_forward(dataset, dataset.dates[-60].item()), "linear"))
    for target, without in (("next_day_pct", set()), ("gap_pct", MISSING[name].keys())):
        found = {
            score.symbol: score.value
            for fold, score in scores
            if fold is None and score.target == target and score.metric == "mae"
        }
        assert found.keys() == {None, *SYMBOLS}
        undefined = {symbol for symbol, value in found.items() if np.isnan(value)}
        gone = {symbol for symbol in SYMBOLS if symbol in without}
        assert undefined == (gone if len(gone) < len(SYMBOLS) else {None, *SYMBOLS})


@pytest.mark.parametrize("name", MISSING)
def test_every_page_shows_the_run_and_says_what_is_missing(life: Life, name: str) -> None:
    reader = create_reader_engine(life.settings)
    client = Planted(life.engine, reader).client(life.settings.models_directory)
    newest = LATER if name == "closes_only" else name
    version = f"/versions/{life.outcomes[newest].version_id}"
    texts = {}
    for path in ("/", "/assets/TCS.NS", "/track-record", "/versions", version, "/health"):
        answer = client.get(path, params={"model_name": name})
        assert answer.status_code == 200, path
        texts[path] = answer.text
    for path in ("/assets/TCS.NS", version, "/health"):
        assert ("the opening gap is not forecast apart" in texts[path]) == bool(MISSING[name])
    assert ("price returns" in texts["/assets/TCS.NS"]) == bool(MISSING[name])
    for path in ("forecasts/latest", "outcomes", "versions", "health/assets", "live-skill"):
        assert client.get(f"/api/v1/{path}", params={"model_name": name}).status_code == 200
    reader.dispose()


def test_the_report_names_what_the_bars_of_a_run_lack_once(life: Life) -> None:
    out = io.StringIO()
    print_report(life.engine, "mixed", out)
    assert (
        "\nBars lack columns:\n"
        + "".join(
            f"  {symbol}: {in_words([name for name in MIXED[symbol] if name in used])}\n"
            for symbol, used in (
                ("GC=F", BAR_COLUMNS),
                ("TCS.NS", BAR_COLUMNS),
                ("^GSPC", ("adj_close",)),
            )
        )
        in out.getvalue()
    )
    complete = io.StringIO()
    print_report(life.engine, "complete", complete)
    assert "lack" not in complete.getvalue()
