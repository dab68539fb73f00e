from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from network.saved_network import random_network, save_network
from network.synthetic_dataset import synthetic_dataset, with_wild_rows_from
from roi_forecast.config import MultiStep
from roi_forecast.errors import RegistryError
from roi_forecast.features import refits
from roi_forecast.features.dataset import Dataset, split_targets
from roi_forecast.features.returns import known_sum, smooth
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.files.verified import VerifiedDirectory, open_verified
from roi_forecast.forecaster.calibration import METHODS
from roi_forecast.forecaster.conformal import TRAILING
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.through_time import ThroughTime, rows_needed
from roi_forecast.linear.fit import LAGS
from roi_forecast.network.predictor import Predictor, load_predictor
from roi_forecast.scale import through_time
from roi_forecast.scale.averages import MEMORY

HALF_LIFE = 60.0
WHOLE = synthetic_dataset(rows=430, context=2, lead=0.4)
ROWS = 400
HORIZONS = (1, 2, 5)


def first_rows(dataset: Dataset, rows: int) -> Dataset:
    """What was known after so many rows, in the same scaled units."""
    split = split_targets(rows, dataset.seq_len, dataset.smoothing, 0.2, 0.2)
    return dataset.of_rows(slice(0, rows), split, f"first-{rows}")


DATASET = first_rows(WHOLE, ROWS)
TEST = DATASET.split.test


def fit(dataset: Dataset, predictor: Predictor | None) -> Forecaster:
    return Forecaster.fit(dataset, predictor, ThroughTime.fit(dataset, HALF_LIFE))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("version")


@pytest.fixture(scope="module")
def forecaster(directory: Path) -> Forecaster:
    """Of an ensemble whose two members differ, with half of what they add published."""
    for number, size in enumerate((0.05, 0.1)):
        save_network(directory / f"member_{number}", random_network(size=size, context=2))
    fitted = fit(DATASET, load_predictor(directory))
    ahead = {method: np.full(30, 0.3) for method in METHODS}
    return replace(fitted, calibration=replace(fitted.calibration, network=0.5, ahead=ahead))


@pytest.fixture(scope="module")
def files(directory: Path, forecaster: Forecaster) -> VerifiedDirectory:
    forecaster.save(directory, DATASET)
    write_manifest(directory, {})
    return open_verified(directory, RegistryError)


def assert_same(found: Forecasts, expected: Forecasts, rtol: float = 0.0) -> None:
    """They say the same of the same number of origins."""
    for name in ("log_roi", "smoothed", "gap", "open_to_close", "member_spread_pct"):
        own, other = getattr(found, name), getattr(expected, name)
        assert (own is None) == (other is None)
        if own is not None:
            np.testing.assert_allclose(own, other, rtol=rtol, atol=rtol * 1e-3, err_msg=name)
    np.testing.assert_array_equal(found.context_missing, expected.context_missing)
    assert len(found.intervals) == len(expected.intervals) == len(found.horizons)
    for one, other in zip(found.intervals, expected.intervals, strict=True):
        for mine, its in zip(one, other, strict=True):
            np.testing.assert_allclose(mine.lower, its.lower, rtol=max(rtol, 1e-12))
            np.testing.assert_allclose(mine.upper, its.upper, rtol=max(rtol, 1e-12))


def test_parts_add_up_to_the_published_log_roi_of_the_next_session(forecaster: Forecaster) -> None:
    found = forecaster.forecast(DATASET, TEST, HORIZONS, "direct")
    assert found.gap is not None
    assert found.open_to_close is not None
    np.testing.assert_allclose(found.gap + found.open_to_close, found.log_roi[0], atol=1e-15)
    linear = forecaster.linear.predict(DATASET, TEST)
    np.testing.assert_array_equal(found.gap, linear.factor[:, np.newaxis] * linear.gap)
    assert np.abs(found.gap).mean() > 0.001
    # What the network adds lies after the opening.
    assert not np.allclose(found.log_roi[0], linear.published)


def test_the_next_log_roi_is_the_linear_part_and_half_of_what_the_network_adds(
    forecaster: Forecaster,
) -> None:
    assert forecaster.predictor is not None
    found = forecaster.forecast(DATASET, TEST, (1,), "direct", with_bounds=False)
    span, scaler = DATASET.smoothing, DATASET.scaler
    published = forecaster.linear.predict(DATASET, TEST).published
    known = known_sum(DATASET.log_roi, TEST, span)
    baseline = scaler.transform((known + published) / span)
    smoothed = scaler.inverse(forecaster.predictor.predict(DATASET.inputs, baseline, TEST))
    added = span * smoothed - known - published
    np.testing.assert_allclose(found.log_roi[0], published + 0.5 * added, atol=1e-7)
    np.testing.assert_allclose(found.smoothed[0], (known + found.log_roi[0]) / span, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_smoothed_forecasts_are_those_of_known_log_rois_and_what_is_published(
    forecaster: Forecaster, method: str
) -> None:
    horizons = tuple(range(1, 9))
    found = forecaster.forecast(DATASET, TEST, horizons, method, with_bounds=False)
    steps = np.diff(found.log_roi, axis=0, prepend=0.0)
    for place in (0, 7, len(TEST) - 1):
        row = TEST.start + place
        series = np.concatenate([DATASET.log_roi[:row], steps[:, place]])
        expected = smooth(series, DATASET.smoothing)[-8:]
        np.testing.assert_allclose(found.smoothed[:, place], expected, atol=1e-12)


def test_a_lead_is_forecast_without_a_network_too() -> None:
    alone = fit(DATASET, None)
    found = alone.forecast(DATASET, TEST, HORIZONS, "recursive")
    linear = alone.linear.predict(DATASET, TEST)
    np.testing.assert_array_equal(found.log_roi, np.tile(linear.published, (3, 1, 1)))
    assert found.member_spread_pct is None
    led = 0.4 * DATASET.context[TEST.start - 1 : TEST.stop - 1].sum(axis=1)
    assert np.corrcoef(found.log_roi[0].mean(axis=1), led)[0, 1] > 0.9


def test_an_asset_without_opens_has_no_parts_and_all_others_have() -> None:
    gap = DATASET.gap.copy()
    gap[:, 1] = np.nan
    found = fit(replace(DATASET, gap=gap), None).forecast(
        replace(DATASET, gap=gap), TEST, (1,), "direct"
    )
    assert found.gap is not None
    assert found.open_to_close is not None
    assert np.isnan(found.gap[:, 1]).all()
    assert np.isnan(found.open_to_close[:, 1]).all()
    assert np.isfinite(found.log_roi).all()
    np.testing.assert_allclose(
        (found.gap + found.open_to_close)[:, [0, 2]], found.log_roi[0][:, [0, 2]]
    )


def test_missing_context_is_that_of_the_row_before_each_origin(forecaster: Forecaster) -> None:
    found = forecaster.forecast(DATASET, TEST, (1,), "direct", with_bounds=False)
    assert found.context_missing is not None
    for place, row in enumerate(TEST):
        np.testing.assert_array_equal(
            found.context_missing[place], DATASET.context_missing[row - 1]
        )
    assert found.context_missing.any()
    assert not found.context_missing.all()


def test_the_forecast_of_a_horizon_does_not_depend_on_the_others(forecaster: Forecaster) -> None:
    horizons = (1, 2, 5, 9)
    together = forecaster.forecast(DATASET, TEST, horizons, "recursive")
    for some in ((1, 5), (2,)):
        chosen = [horizons.index(horizon) for horizon in some]
        expected = replace(
            together,
            horizons=some,
            log_roi=together.log_roi[chosen],
            smoothed=together.smoothed[chosen],
            intervals=tuple(together.intervals[number] for number in chosen),
        )
        assert_same(forecaster.forecast(DATASET, TEST, some, "recursive"), expected)


@pytest.mark.parametrize("method", METHODS)
def test_an_origin_by_itself_is_forecast_as_among_others(
    forecaster: Forecaster, method: str
) -> None:
    row = TEST.start + 40
    whole = forecaster.forecast(DATASET, TEST, HORIZONS, method)
    alone = forecaster.forecast(DATASET, range(row, row + 1), HORIZONS, method)
    assert_same(alone, whole.between(range(row, row + 1)), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("row", [TEST.start + 20, TEST.start + 41, ROWS])
def test_nothing_at_or_after_an_origin_changes_its_forecast_or_its_bounds(
    forecaster: Forecaster, method: str, row: int
) -> None:
    """Prices, gaps, volumes, ranges and context; what is known of them was also fitted on."""
    wild = with_wild_rows_from(WHOLE, row)
    known = range(TEST.start, min(row + 1, ROWS + 1))
    expected = forecaster.forecast(WHOLE, known, HORIZONS, method)
    assert_same(forecaster.forecast(wild, known, HORIZONS, method), expected)
    later = range(row + 1, row + 2)
    after = forecaster.forecast(wild, later, HORIZONS, method)
    assert (after.log_roi != forecaster.forecast(WHOLE, later, HORIZONS, method).log_roi).any()


@pytest.mark.parametrize("row", [TEST.start, TEST.start + 30])
def test_no_row_of_the_test_changes_a_version_but_for_the_fits_of_later_months(
    forecaster: Forecaster, row: int
) -> None:
    wild = with_wild_rows_from(DATASET, row)
    origins = range(TEST.start, row + 1)
    refitted = fit(wild, forecaster.predictor)
    expected = fit(DATASET, forecaster.predictor)
    assert_same(
        refitted.forecast(wild, origins, HORIZONS, "direct"),
        expected.forecast(DATASET, origins, HORIZONS, "direct"),
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_next_session_is_forecast_as_once_its_row_is_there(
    forecaster: Forecaster, method: str
) -> None:
    origin = range(ROWS, ROWS + 1)
    date = WHOLE.dates[ROWS]
    before = forecaster.forecast(DATASET, origin, HORIZONS, method, next_date=date)
    assert_same(before, forecaster.forecast(WHOLE, origin, HORIZONS, method), rtol=1e-9)


def test_a_context_move_of_the_last_row_moves_the_next_forecast(forecaster: Forecaster) -> None:
    context, scaled = DATASET.context.copy(), DATASET.scaled_context.copy()
    context[-1] += 0.03
    scaled[-1] = DATASET.scaler.transform_context(context[-1])
    moved = replace(DATASET, context=context, scaled_context=scaled)
    alone = replace(forecaster, predictor=None)
    before, after = (
        alone.forecast(
            rows, range(ROWS, ROWS + 1), (1,), "direct", next_date=WHOLE.dates[ROWS]
        ).log_roi[0, 0]
        for rows in (DATASET, moved)
    )
    # Two context assets, each with a lead of 0.4, of which the factor believes most.
    assert (after - before > 0.6 * 2 * 0.4 * 0.03).all()
    assert (after - before < 1.4 * 2 * 0.4 * 0.03).all()


def test_months_after_the_versions_data_are_forecast_by_fits_of_their_own(
    forecaster: Forecaster,
) -> None:
    later = first_rows(WHOLE, ROWS - 70)
    stored = replace(
        forecaster,
        linear=ThroughTime.fit(later, HALF_LIFE).linear,
        calibration=replace(forecaster.calibration, scale=ThroughTime.fit(later, HALF_LIFE).scale),
    )
    origins = range(TEST.start, ROWS)
    # The version knows nothing of the last two months; those of all rows are stored with the other.
    assert len(stored.linear.dates) < len(forecaster.linear.dates)
    assert_same(
        stored.forecast(DATASET, origins, HORIZONS, "direct"),
        forecaster.forecast(DATASET, origins, HORIZONS, "direct"),
        rtol=1e-9,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_network_that_is_not_published_changes_no_published_forecast(
    forecaster: Forecaster, share: float, method: MultiStep
) -> None:
    calibration = replace(forecaster.calibration, network=share)
    with_network = replace(forecaster, calibration=calibration)
    alone = replace(with_network, predictor=None)
    own, other = (each.forecast(DATASET, TEST, HORIZONS, method) for each in (with_network, alone))
    is_same = np.allclose(own.log_roi, other.log_roi, rtol=1e-12, atol=1e-15)
    assert is_same != calibration.publishes_network(method)
    if is_same:
        assert_same(replace(own, member_spread_pct=None), other, rtol=1e-12)


@pytest.fixture
def small_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scale that rests on 200 rows, so that it does not need all of a small dataset."""
    monkeypatch.setattr(refits, "MAX_PAIRS", 600)
    monkeypatch.setattr(through_time, "MAX_DRAWN", 600)
    monkeypatch.setattr(refits, "MIN_ROWS", 100)


@pytest.mark.usefixtures("small_fits")
@pytest.mark.parametrize("network", [False, True])
def test_the_forecast_of_all_rows_is_that_of_the_rows_that_serving_loads(
    forecaster: Forecaster, network: bool
) -> None:
    rows, version_rows, longest = 1000, 900, 5
    whole = synthetic_dataset(rows=rows, context=2, lead=0.4)
    version = fit(first_rows(whole, version_rows), forecaster.predictor if network else None)
    # As in serving/forecast_store.py, but without the holidays that it allows for.
    scored = rows - TRAILING - longest - max(whole.seq_len, MEMORY)
    fitted = version_rows - rows_needed(len(whole.symbols), HALF_LIFE)
    start = min(scored, fitted)
    assert start > 300
    recent = whole.of_rows(slice(start, rows), whole.split, "recent")
    date = whole.dates[-1] + 1

    expected = version.forecast(whole, range(rows, rows + 1), HORIZONS, "direct", next_date=date)
    count = rows - start
    found = version.forecast(recent, range(count, count + 1), HORIZONS, "direct", next_date=date)

    assert_same(found, expected, rtol=1e-6)


def test_a_version_that_is_read_again_forecasts_the_same(
    forecaster: Forecaster, files: VerifiedDirectory
) -> None:
    read = Forecaster.load(files)
    read.check_sample(files)
    assert read.linear.half_life == HALF_LIFE
    origin = range(ROWS, ROWS + 1)
    for method in METHODS:
        assert_same(
            read.forecast(DATASET, origin, HORIZONS, method, next_date=WHOLE.dates[ROWS]),
            forecaster.forecast(DATASET, origin, HORIZONS, method, next_date=WHOLE.dates[ROWS]),
        )


def test_a_version_whose_network_forecasts_something_else_is_refused(
    forecaster: Forecaster, files: VerifiedDirectory
) -> None:
    assert forecaster.predictor is not None
    first = replace(forecaster.predictor, networks=forecaster.predictor.networks[:1])
    with pytest.raises(RegistryError, match="its forecast differs from the stored one by"):
        replace(forecaster, predictor=first).check_sample(files)


@pytest.mark.parametrize("name", ["linear.npz", "calibration.json"])
def test_a_damaged_part_is_refused_by_its_name(
    forecaster: Forecaster, tmp_path: Path, name: str
) -> None:
    for number in range(2):
        save_network(tmp_path / f"member_{number}", random_network(context=2))
    forecaster.save(tmp_path, DATASET)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:100])
    write_manifest(tmp_path, {})
    with pytest.raises(RegistryError, match=name):
        Forecaster.load(open_verified(tmp_path, RegistryError))


def test_a_linear_part_of_other_context_is_refused(forecaster: Forecaster, tmp_path: Path) -> None:
    save_network(tmp_path, random_network(context=1))
    fewer = DATASET.of_context([0])
    fit(fewer, load_predictor(tmp_path)).save(tmp_path, fewer)
    (tmp_path / "linear.npz").write_bytes(forecaster.linear.to_bytes())
    write_manifest(tmp_path, {})
    with pytest.raises(RegistryError, match=r"linear\.npz: the linear part is damaged"):
        Forecaster.load(open_verified(tmp_path, RegistryError))


def test_a_version_without_a_network_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="only a version with a network is saved"):
        fit(DATASET, None).save(tmp_path, DATASET)


def test_the_spread_of_members_is_that_of_their_smoothed_forecasts(forecaster: Forecaster) -> None:
    assert forecaster.predictor is not None
    found = forecaster.forecast(DATASET, TEST, (1,), "direct")
    published = forecaster.linear.predict(DATASET, TEST).published
    known = known_sum(DATASET.log_roi, TEST, DATASET.smoothing)
    baseline = DATASET.scaler.transform((known + published) / DATASET.smoothing)
    one, other = (
        100
        * np.expm1(
            DATASET.scaler.inverse(
                Predictor((network,), Path()).predict(DATASET.inputs, baseline, TEST)
            )
        )
        for network in forecaster.predictor.networks
    )
    np.testing.assert_allclose(found.member_spread_pct, np.abs(one - other) / np.sqrt(2), rtol=1e-6)
    without_bounds = forecaster.forecast(DATASET, TEST, (1,), "direct", with_bounds=False)
    assert without_bounds.member_spread_pct is None
    assert without_bounds.intervals == ()


def test_rows_before_the_first_fit_publish_nothing() -> None:
    alone = fit(DATASET, None)
    early = range(DATASET.seq_len, 30)
    found = alone.forecast(DATASET, early, (1,), "direct", with_bounds=False)
    assert DATASET.dates[30] < alone.linear.dates[0]
    assert DATASET.seq_len >= LAGS
    assert not found.log_roi.any()
    assert found.gap is not None
    assert np.isnan(found.gap).all()
