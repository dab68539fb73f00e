"""The champion is an oracle that reads the truth from its own rows, so every mix-up costs it R2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest

from features.prices import price_rows
from network.synthetic_dataset import synthetic_dataset
from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation.comparison import Comparison, compare_with_champion
from roi_forecast.features.dataset import Dataset, PreparedRows
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_and_smoothed, to_percent
from roi_forecast.features.rows import PriceRows
from roi_forecast.features.scaling import Scaler
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.intervals import Intervals

DATASET = synthetic_dataset()
TARGETS = DATASET.split.test
CHAMPION_SPAN = 5


def published(
    symbols: tuple[str, ...], origins: range, log_roi: np.ndarray, half: float = 0.5
) -> Forecasts:
    center = to_percent(log_roi)
    intervals = tuple(
        Intervals(level, center - half * wide, center + half * wide)
        for level, wide in ((0.8, 1.0), (0.95, 2.0))
    )
    nothing = np.zeros((1, *log_roi.shape))
    return Forecasts(symbols, origins, (1,), log_roi[np.newaxis], nothing, intervals=(intervals,))


@dataclass(frozen=True)
class Oracle:
    """Forecasts what its own rows say, with narrow intervals around it."""

    preprocessing: Preprocessing

    @classmethod
    def of(cls, rows: PriceRows, span: int) -> Oracle:
        log_rois, smoothed = log_roi_and_smoothed(rows.prices, span)
        scaler = Scaler.fit(smoothed, log_rois, "standard")
        return cls(Preprocessing(rows.symbols, (), "after_close", 12, span, scaler))

    def forecast(
        self, rows: PreparedRows, origins: range, horizons: Sequence[int], method: str
    ) -> Forecasts:
        assert (horizons, method) == ((1,), "direct")
        return published(rows.symbols, origins, rows.log_roi[origins.start : origins.stop])


def candidate(dataset: Dataset, *, knowing: bool) -> Forecasts:
    """Forecasts of the test rows: the truth, or nothing."""
    targets = dataset.split.test
    truth = dataset.log_roi[targets.start : targets.stop]
    return published(dataset.symbols, targets, truth if knowing else np.zeros(truth.shape))


def compared(
    dataset: Dataset,
    rows: PriceRows,
    fitted_until: int,
    span: int = DATASET.smoothing,
    **knows: bool,
) -> Comparison:
    return compare_with_champion(
        dataset,
        candidate(dataset, knowing=knows.get("knowing", False)),
        Oracle.of(rows, span),  # type: ignore[arg-type]
        rows,
        dated(fitted_until),
        "direct",
    )


def dated(row: int) -> date:
    return DATASET.dates[row].item()


def others_rows() -> PriceRows:
    """Columns the other way round, with an asset between that the candidate lacks."""
    strange = 50 * np.exp(np.random.default_rng(1).normal(0, 0.02, len(DATASET.dates)).cumsum())
    symbols = ("ASSET2.NS", "OTHER.NS", "ASSET0.NS", "ASSET1.NS")
    prices = np.column_stack(
        [DATASET.prices[:, 2], strange, DATASET.prices[:, 0], DATASET.prices[:, 1]]
    )
    return price_rows(symbols, DATASET.dates, prices)


@pytest.mark.parametrize("missing", [3, 7])
def test_rows_that_the_champion_lacks_shift_neither_forecast(missing: int) -> None:
    """Both are oracles that know what their own prices make of each session."""
    kept = np.delete(np.arange(len(DATASET.dates)), TARGETS.start + missing)
    rows = price_rows(DATASET.symbols, DATASET.dates[kept], DATASET.prices[kept])
    found = compared(DATASET, rows, TARGETS.start, knowing=True)
    # Nor does the session after the gap count, which is a move over two sessions to the champion.
    assert found.sessions == len(TARGETS) - 3
    assert (found.candidate_r2, found.champion_r2) == pytest.approx((1, 1))
    assert found.r2_gain.mean == pytest.approx(0, abs=1e-9)
    assert found.interval_gain.mean == pytest.approx(0, abs=1e-9)


def test_sessions_that_the_candidate_lacks_shift_neither_forecast() -> None:
    rows = price_rows(DATASET.symbols, DATASET.dates, DATASET.prices)
    kept = np.delete(np.arange(len(DATASET.dates)), TARGETS.start + 4)
    names = ("dates", "prices", "log_roi", "smoothed", "filled", "true_range", "gap")
    fewer = replace(
        DATASET,
        **{name: getattr(DATASET, name)[kept] for name in names},
        split=replace(DATASET.split, test=range(TARGETS.start, TARGETS.stop - 1)),
    )
    found = compared(fewer, rows, TARGETS.start - 1)
    assert found.sessions == len(TARGETS) - 2
    assert found.champion_r2 == pytest.approx(1)


def test_an_oracle_of_other_columns_span_and_scaler_is_right_about_every_shared_asset() -> None:
    found = compared(DATASET, others_rows(), TARGETS.start - 1, CHAMPION_SPAN)
    assert sorted(found.asset_r2) == ["ASSET0.NS", "ASSET1.NS", "ASSET2.NS"]
    assert list(found.asset_r2.values()) == [(0, pytest.approx(1))] * 3
    assert (found.candidate_r2, found.champion_r2) == (0, pytest.approx(1))
    assert found.r2_gain.mean == pytest.approx(-1)
    assert found.interval_gain.upper_95 < 0
    assert found.rows == int((~DATASET.filled[TARGETS.start :]).sum())


@pytest.mark.parametrize("seen", [0, 1, 7])
def test_no_session_counts_that_the_champion_was_fitted_on(seen: int) -> None:
    found = compared(DATASET, others_rows(), TARGETS.start - 1 + seen, CHAMPION_SPAN)
    assert found.sessions == len(TARGETS) - seen
    assert found.first_date == dated(TARGETS.start + seen)


def test_too_few_unseen_sessions_are_refused() -> None:
    with pytest.raises(EvaluationError, match="share 19 sessions"):
        compared(DATASET, others_rows(), TARGETS.stop - 1 - 19, CHAMPION_SPAN)
