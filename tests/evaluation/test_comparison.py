"""The champion is an oracle that reads the truth from its own rows, so every mix-up costs it R2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation import comparison
from roi_forecast.evaluation.comparison import Comparison, compare_with_champion
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_and_smoothed
from roi_forecast.features.rows import PriceRows
from roi_forecast.features.scaling import Scaler
from roi_forecast.files.artifacts import write_manifest

DATASET = synthetic_dataset()
TARGETS = DATASET.split.test
CHAMPION_SPAN = 5


class Oracle:
    def predict(self, scaled: np.ndarray, scaled_log_roi: np.ndarray, targets: range) -> np.ndarray:
        return scaled[targets.start : targets.stop].astype(np.float64)


def compare(
    directory: Path, monkeypatch: pytest.MonkeyPatch, fitted_until: np.datetime64
) -> Comparison:
    """Columns of the champion run the other way, with an asset between that the candidate lacks."""
    monkeypatch.setattr(comparison, "load_predictor", lambda directory: Oracle())
    strange = 50 * np.exp(np.random.default_rng(1).normal(0, 0.02, len(DATASET.dates)).cumsum())
    symbols = ("ASSET2.NS", "OTHER.NS", "ASSET0.NS", "ASSET1.NS")
    prices = np.column_stack(
        [DATASET.prices[:, 2], strange, DATASET.prices[:, 0], DATASET.prices[:, 1]]
    )
    filled = np.zeros(prices.shape, dtype=bool)
    rows = PriceRows(symbols, DATASET.dates, prices, filled, np.zeros(prices.shape), {})
    log_rois, smoothed = log_roi_and_smoothed(prices, CHAMPION_SPAN)
    scaler = Scaler.fit(smoothed, log_rois, "standard")
    Preprocessing(symbols, 12, CHAMPION_SPAN, scaler).save(directory)
    write_manifest(directory, {"last_fitted_date": str(fitted_until)})
    candidate = np.tile(DATASET.scaler.center, (len(TARGETS), 1))
    return compare_with_champion(DATASET, candidate, directory, rows)


@pytest.mark.parametrize("missing", [3, 7])
def test_rows_that_the_champion_lacks_shift_neither_forecast(
    missing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are oracles that know what their own prices make of each session."""
    monkeypatch.setattr(comparison, "load_predictor", lambda directory: Oracle())
    prices = DATASET.prices
    # The champion lacks the sessions that its own gap spans, not the ones after it.
    kept = np.delete(np.arange(len(prices)), TARGETS.start + missing)
    filled = np.zeros((len(kept), 3), dtype=bool)
    rows = PriceRows(
        DATASET.symbols, DATASET.dates[kept], prices[kept], filled, np.zeros(filled.shape), {}
    )
    log_rois, smoothed = log_roi_and_smoothed(prices[kept], DATASET.smoothing)
    scaler = Scaler.fit(smoothed, log_rois, "standard")
    Preprocessing(DATASET.symbols, 12, DATASET.smoothing, scaler).save(tmp_path)
    write_manifest(tmp_path, {"last_fitted_date": str(dated(TARGETS.start))})
    truth = DATASET.scaler.transform(DATASET.smoothed[TARGETS.start : TARGETS.stop])
    compared = compare_with_champion(DATASET, truth, tmp_path, rows)
    assert compared.sessions == len(TARGETS) - 2
    assert compared.candidate_r2 == pytest.approx(1, abs=1e-9)
    # Only the session after the gap is another one to the champion, which knows no price in it.
    assert compared.champion_r2 > 0.9


def test_sessions_that_the_candidate_lacks_shift_neither_forecast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "load_predictor", lambda directory: Oracle())
    filled = np.zeros(DATASET.prices.shape, dtype=bool)
    rows = PriceRows(
        DATASET.symbols, DATASET.dates, DATASET.prices, filled, np.zeros(filled.shape), {}
    )
    log_rois, smoothed = log_roi_and_smoothed(DATASET.prices, DATASET.smoothing)
    scaler = Scaler.fit(smoothed, log_rois, "standard")
    Preprocessing(DATASET.symbols, 12, DATASET.smoothing, scaler).save(tmp_path)
    write_manifest(tmp_path, {"last_fitted_date": str(dated(TARGETS.start - 1))})
    kept = np.delete(np.arange(len(DATASET.dates)), TARGETS.start + 4)
    names = ("dates", "prices", "log_roi", "smoothed", "filled", "true_range")
    fewer = replace(
        DATASET,
        **{name: getattr(DATASET, name)[kept] for name in names},
        split=replace(DATASET.split, test=range(TARGETS.start, TARGETS.stop - 1)),
    )
    compared = compare_with_champion(
        fewer, np.zeros((len(TARGETS) - 1, len(DATASET.symbols))), tmp_path, rows
    )
    assert compared.sessions == len(TARGETS) - 1
    assert compared.champion_r2 > 0.9


def dated(row: int) -> np.datetime64:
    return DATASET.dates[row]


def test_an_oracle_of_other_columns_span_and_scaler_is_right_about_every_shared_asset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = compare(tmp_path, monkeypatch, dated(TARGETS.start - 1))
    assert sorted(compared.asset_r2) == ["ASSET0.NS", "ASSET1.NS", "ASSET2.NS"]
    assert [theirs for _, theirs in compared.asset_r2.values()] == pytest.approx(
        [1, 1, 1], abs=1e-6
    )
    assert compared.candidate_r2 < 0.5


@pytest.mark.parametrize("seen", [0, 1, 7])
def test_no_session_counts_that_the_champion_was_fitted_on(
    seen: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = compare(tmp_path, monkeypatch, dated(TARGETS.start - 1 + seen))
    assert compared.sessions == len(TARGETS) - seen
    assert compared.first_date == dated(TARGETS.start + seen).item()


def test_too_few_unseen_sessions_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EvaluationError, match="share 19 sessions"):
        compare(tmp_path, monkeypatch, dated(TARGETS.stop - 1 - 19))
