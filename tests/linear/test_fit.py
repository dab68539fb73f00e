"""One fit of the linear part on rows whose true weights are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from linear.planted_rows import GAP_WEIGHTS, PlantedRows, planted_rows
from roi_forecast.linear.fit import LAGS, LinearFit, fit_linear

GROUPS = ["stock", "stock", "metal"]
ROWS = planted_rows(3000)


def _fit(rows: PlantedRows, half_life: float = 1e9) -> LinearFit:
    actual = np.where(rows.filled, np.nan, rows.log_roi)
    targets = range(LAGS, len(rows.dates))
    return fit_linear(rows.context, actual, rows.gap, GROUPS, targets, half_life)


def test_the_weights_of_the_gap_are_the_planted_ones() -> None:
    found = _fit(ROWS)

    np.testing.assert_allclose(found.gap, GAP_WEIGHTS, atol=0.04)
    np.testing.assert_allclose(found.rest, 0.0, atol=0.06)
    assert found.has_opens.all()


def test_without_opens_all_weights_are_those_of_the_whole() -> None:
    found = _fit(replace(ROWS, gap=np.full(ROWS.gap.shape, np.nan)))

    assert not found.has_opens.any()
    assert not found.gap.any()
    np.testing.assert_allclose(found.rest, GAP_WEIGHTS, atol=0.1)


def test_one_asset_without_opens_leaves_the_others_their_parts() -> None:
    gap = ROWS.gap.copy()
    gap[:, 0] = np.nan

    found = _fit(replace(ROWS, gap=gap))

    assert found.has_opens.tolist() == [False, True, True]
    np.testing.assert_allclose(found.gap[:, 1:], GAP_WEIGHTS[:, 1:], atol=0.04)
    np.testing.assert_allclose(found.rest[:, 0], GAP_WEIGHTS[:, 0], atol=0.1)


@pytest.mark.parametrize("without", [0, 1, 2])
def test_the_weights_of_the_others_are_those_of_rows_without_the_asset_that_lacks_opens(
    without: int,
) -> None:
    gap = ROWS.gap.copy()
    gap[:, without] = np.nan
    others = [column for column in range(3) if column != without]
    targets = range(LAGS, len(ROWS.dates))
    actual = np.where(ROWS.filled, np.nan, ROWS.log_roi)

    found = _fit(replace(ROWS, gap=gap))
    expected = fit_linear(
        ROWS.context,
        actual[:, others],
        ROWS.gap[:, others],
        [GROUPS[column] for column in others],
        targets,
        1e9,
    )

    for name in ("gap", "rest", "lags"):
        own = getattr(found, name)[:, others]
        np.testing.assert_allclose(own, getattr(expected, name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("share", "has_opens"), [(0.6, True), (0.4, False)])
def test_opens_on_most_sessions_tell_gap_and_rest_apart(share: float, has_opens: bool) -> None:
    gap = ROWS.gap.copy()
    gap[np.random.default_rng(5).random(len(gap)) > share, 1] = np.nan

    found = _fit(replace(ROWS, gap=gap))

    assert found.has_opens[1] == has_opens
    # On the other sessions it counts as its group's mean, whose weight is 0.45.
    assert found.gap[0, 1] == pytest.approx(GAP_WEIGHTS[0, 1] if has_opens else 0.0, abs=0.12)
    whole = found.gap[0, 1] + found.rest[0, 1]
    assert whole == pytest.approx(GAP_WEIGHTS[0, 1], abs=0.15)


def test_newer_rows_decide_where_the_lead_ends_halfway() -> None:
    lead, none = planted_rows(1500), planted_rows(1500, seed=9, lead=0.0)
    names = ("log_roi", "gap", "filled", "context")
    changed = replace(
        planted_rows(3000),
        **{name: np.concatenate([getattr(lead, name), getattr(none, name)]) for name in names},
    )

    slow, quick = _fit(changed, half_life=1e9), _fit(changed, half_life=100)

    assert slow.gap[0, 1] == pytest.approx(0.3, abs=0.05)
    assert quick.gap[0, 1] == pytest.approx(0.0, abs=0.06)


def test_own_lags_that_say_nothing_get_no_weight() -> None:
    weights = [_fit(planted_rows(600, seed=seed)).lags for seed in range(10)]
    assert sum(bool(each.any()) for each in weights) <= 6
    assert np.mean([np.abs(each).mean() for each in weights]) < 0.005


def test_own_lags_that_lead_get_their_weight() -> None:
    log_roi = ROWS.log_roi.copy()
    for row in range(1, len(log_roi)):
        log_roi[row] += 0.2 * log_roi[row - 1]

    found = _fit(replace(ROWS, log_roi=log_roi))

    np.testing.assert_allclose(found.lags[0, :2], 0.2, atol=0.05)
    np.testing.assert_allclose(found.lags[1:, :2], 0.0, atol=0.05)


def test_an_asset_whose_price_never_moves_gets_no_weight_and_costs_no_other() -> None:
    still = ROWS.log_roi.copy()
    still[:, 0] = 0.0
    gap = ROWS.gap.copy()
    gap[:, 0] = 0.0

    found = _fit(replace(ROWS, log_roi=still, gap=gap))

    assert not found.gap[:, 0].any()
    assert not found.rest[:, 0].any()
    np.testing.assert_allclose(found.gap[:, 1], GAP_WEIGHTS[:, 1], atol=0.04)


def test_a_missing_entry_takes_no_part() -> None:
    row = 100
    log_roi, gap, filled = ROWS.log_roi.copy(), ROWS.gap.copy(), ROWS.filled.copy()
    filled[row, 1] = True
    gap[row, 1] = np.nan
    expected = _fit(replace(ROWS, gap=gap, filled=filled, log_roi=np.where(filled, 0.0, log_roi)))
    log_roi[row, 1] = 7.0

    actual = np.where(filled, np.nan, log_roi)
    found = fit_linear(ROWS.context, actual, gap, GROUPS, range(LAGS, len(log_roi)), 1e9)

    for name in ("gap", "rest", "lags"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
