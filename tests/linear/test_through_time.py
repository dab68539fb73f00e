"""The linear part as time passes: it learns the lead, forgets it, and never looks ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linear.planted_rows import GAP_NOISE, GAP_WEIGHTS, LATER_NOISE, planted_rows
from roi_forecast.errors import RegistryError
from roi_forecast.features.refits import refit_rows
from roi_forecast.linear.fit import LAGS
from roi_forecast.linear.through_time import MIN_TARGETS, Linear, most_targets, rows_needed

ROWS = planted_rows()
LINEAR = Linear.fit(ROWS, half_life=250)
ORIGINS = range(LAGS, len(ROWS.dates))


def test_there_is_a_fit_for_the_first_session_of_every_month_after_the_first_rows() -> None:
    first = refit_rows(ROWS.dates, "month")
    expected = [ROWS.dates[row] for row in first if row >= MIN_TARGETS + LAGS]
    assert LINEAR.dates.tolist() == [date.item() for date in expected]


def test_its_forecasts_reach_nearly_the_r2_that_the_planted_weights_imply() -> None:
    rows = planted_rows(1500)
    judged = range(400, 1500)
    found = Linear.fit(rows, 250).predict(rows, judged).published[:, :2]

    actual = rows.log_roi[judged.start : judged.stop, :2]
    oracle = (rows.context[judged.start - 1 : judged.stop - 1] @ GAP_WEIGHTS)[:, :2]
    reached, possible = (
        1 - ((actual - forecast) ** 2).sum(axis=0) / (actual**2).sum(axis=0)
        for forecast in (found, oracle)
    )
    known = 0.01**2 * (GAP_WEIGHTS[:, :2] ** 2).sum(axis=0)
    np.testing.assert_allclose(possible, known / (known + GAP_NOISE**2 + LATER_NOISE**2), atol=0.05)
    assert (reached > possible - 0.02).all()


def test_parts_add_up_to_the_whole() -> None:
    found = LINEAR.predict(ROWS, ORIGINS)
    fitted = ROWS.dates[LAGS:] >= LINEAR.dates[0]
    np.testing.assert_allclose((found.gap + found.open_to_close)[fitted], found.log_roi[fitted])
    assert np.isnan(found.gap[~fitted]).all()
    assert not found.log_roi[~fitted].any()


def test_without_a_lead_next_to_nothing_is_published() -> None:
    rows = planted_rows(lead=0.0)
    found = Linear.fit(rows, 250).predict(rows, ORIGINS)
    assert np.abs(found.published).mean() < 0.0004


def test_the_factor_falls_after_the_lead_has_ended() -> None:
    lead, none = planted_rows(700), planted_rows(700, seed=9, lead=0.0)
    names = ("log_roi", "gap", "filled", "context")
    changed = replace(
        planted_rows(1400),
        **{name: np.concatenate([getattr(lead, name), getattr(none, name)]) for name in names},
    )

    found = Linear.fit(changed, half_life=100)

    before = found.factors[found.dates < changed.dates[700]][-1]
    assert before > 0.8
    assert found.factors[-1] < 0.5 * before


@settings(deadline=None, max_examples=15)
@given(row=st.integers(120, 699), factor=st.sampled_from([-5.0, 0.0, 50.0]))
def test_nothing_from_a_row_on_changes_its_forecast_or_an_earlier_one(
    row: int, factor: float
) -> None:
    changed = replace(
        ROWS,
        **{
            name: np.concatenate([getattr(ROWS, name)[:row], factor * getattr(ROWS, name)[row:]])
            for name in ("log_roi", "gap", "context")
        },
    )
    known = range(LAGS, row + 1)

    expected = LINEAR.predict(ROWS, known)
    found = Linear.fit(changed, 250).predict(changed, known)

    np.testing.assert_array_equal(found.published, expected.published)


def test_the_context_move_of_the_last_row_counts() -> None:
    context = ROWS.context.copy()
    context[-1] += 0.05
    origin = range(len(ROWS.dates), len(ROWS.dates) + 1)
    next_date = ROWS.dates[-1] + 1

    before, after = (
        LINEAR.predict(rows, origin, next_date).log_roi
        for rows in (ROWS, replace(ROWS, context=context))
    )

    np.testing.assert_allclose(
        after - before, 0.05 * (LINEAR.fits[-1].gap + LINEAR.fits[-1].rest).sum(axis=0)[np.newaxis]
    )


def test_contributions_of_the_context_are_the_published_forecast_without_own_lags() -> None:
    date = ROWS.dates[-1] + 1
    origin = range(len(ROWS.dates), len(ROWS.dates) + 1)
    still = replace(ROWS, log_roi=np.zeros(ROWS.log_roi.shape))

    found = LINEAR.contributions(ROWS, date)

    assert found.shape == (2, 3)
    np.testing.assert_allclose(
        found.sum(axis=0), LINEAR.predict(still, origin, date).published[0], atol=1e-15
    )


def test_later_fits_are_the_same_from_the_rows_that_they_need_as_from_all() -> None:
    # 30 assets would rest on fewer rows; three rest on four half-lives.
    half_life = 60
    whole = Linear.fit(ROWS, half_life)
    stop = 560
    stored = Linear.fit(ROWS.first(stop), half_life)
    start = stop - rows_needed(3, half_life)
    recent = ROWS.between(start, len(ROWS.dates))

    found = stored.extended(recent)

    assert found.dates.tolist() == whole.dates.tolist()
    np.testing.assert_allclose(found.factors, whole.factors, rtol=1e-9)
    for one, other in zip(found.fits, whole.fits, strict=True):
        np.testing.assert_allclose(one.gap, other.gap, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(one.lags, other.lags, rtol=1e-9, atol=1e-15)


def test_the_next_date_may_begin_a_month() -> None:
    first = refit_rows(ROWS.dates, "month")[-1]
    known = ROWS.first(first)

    found = Linear.fit(known, 250, ROWS.dates[first])

    assert found.dates[-1] == ROWS.dates[first]
    assert Linear.fit(known, 250).dates[-1] < ROWS.dates[first]


def test_many_assets_rest_on_fewer_rows() -> None:
    assert most_targets(23, 250) == 1000
    assert most_targets(5000, 250) == 500


def test_what_is_written_is_read_again() -> None:
    found = Linear.from_bytes(LINEAR.to_bytes(), ("A", "B"), ROWS.symbols)

    np.testing.assert_array_equal(
        found.predict(ROWS, ORIGINS).published, LINEAR.predict(ROWS, ORIGINS).published
    )
    assert found.half_life == 250


def test_fits_of_no_month_are_read_again() -> None:
    nothing = Linear.fit(ROWS.first(60), 250)
    found = Linear.from_bytes(nothing.to_bytes(), ("A", "B"), ROWS.symbols)
    assert not found.predict(ROWS.first(60), range(LAGS, 60)).published.any()


@pytest.mark.parametrize(
    ("content", "context"), [(b"nothing", ("A", "B")), (LINEAR.to_bytes(), ("A",))]
)
def test_a_damaged_file_or_one_of_other_assets_is_refused(
    content: bytes, context: tuple[str, ...]
) -> None:
    with pytest.raises(RegistryError, match=r"linear part is damaged.*roll back"):
        Linear.from_bytes(content, context, ROWS.symbols)
