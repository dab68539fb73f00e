"""Each kind of leak is planted into a sound dataset; the audit finds it and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, column, select, table

from daily_run import prepare
from databases import REAL_PRICES
from roi_forecast.config import parse_run_config
from roi_forecast.features.build import assemble_dataset
from roi_forecast.features.dataset import Dataset, Split
from roi_forecast.features.leakage import MANIFEST_KEY, LeakageAudit, audit_dataset
from roi_forecast.features.rows import align_rows
from roi_forecast.features.scaling import Scaler
from roi_forecast.settings import Settings
from roi_forecast.universe import Publish

from .prices import AS_OF, ASSETS, CONTEXT, START, context_bars, simulated_bars

CHECKS = {
    "as_of_date",
    "targets_after_windows",
    "gap_before_validation",
    "gap_before_test",
    "scaler_fit",
    "filling",
    "returns",
    "true_range",
    "opening_gap",
    "volume",
    "publication",
    "context",
}
GOLD = 3
GONE = (date(2023, 3, 14), date(2023, 3, 15))


def bars_with_a_gap() -> pd.DataFrame:
    """Gold has no bar on two days in a row."""
    bars = simulated_bars()
    gone = (bars["symbol"] == "GC=F") & bars["trading_date"].isin(pd.to_datetime(list(GONE)))
    assert gone.sum() == 2
    return bars[~gone]


def sound(bars: pd.DataFrame, scaler: str = "minmax") -> Dataset:
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1)
    config = parse_run_config({"seq_len": 12, "scaler": scaler})
    return assemble_dataset(rows, config, "simulated", Path())


def found(dataset: Dataset, bars: pd.DataFrame, as_of: date = AS_OF) -> set[str]:
    return {finding.check_name for finding in audit_dataset(dataset, bars, as_of).findings}


@pytest.mark.parametrize("scaler", ["minmax", "standard"])
def test_nothing_is_found_in_a_sound_dataset(scaler: str) -> None:
    bars = bars_with_a_gap()
    dataset = sound(bars, scaler)
    assert dataset.filled.any()
    audit = audit_dataset(dataset, bars, AS_OF)
    assert audit.findings == ()
    assert {check.check_name for check in audit.checks} == CHECKS


def test_nothing_is_found_where_bars_lack_prices_and_volumes() -> None:
    bars = bars_with_a_gap().astype({"volume": "float64"})
    columns = ["open", "high", "low", "volume"]
    bars.loc[bars["symbol"] == "TCS.NS", columns] = np.nan
    empty = np.random.default_rng(4).random((len(bars), len(columns))) < 0.1
    bars[columns] = bars[columns].mask(empty)
    dataset = sound(bars)
    assert np.isnan(dataset.true_range[:, 1]).all()
    assert found(dataset, bars) == set()


def test_nothing_is_found_where_a_bar_between_two_rows_lacks_its_high() -> None:
    # Gold trades on 2023-01-26, a holiday of the NSE; the range of its next row is then unknown.
    bars = simulated_bars()
    between = (bars["symbol"] == "GC=F") & (bars["trading_date"] == pd.Timestamp(2023, 1, 26))
    bars.loc[between, "high"] = np.nan
    dataset = sound(bars)
    row = int(np.flatnonzero(dataset.dates == np.datetime64("2023-01-27"))[0])
    assert np.isnan(dataset.true_range[row, GOLD])
    assert found(dataset, bars) == set()


@pytest.mark.parametrize("name", ["true_range", "gap"])
def test_a_value_where_the_bar_has_none_is_found(name: str) -> None:
    bars = simulated_bars()
    bars.loc[bars["symbol"] == "TCS.NS", ["open", "high"]] = np.nan
    dataset = sound(bars)
    values = getattr(dataset, name).copy()
    values[50, 1] = 0.01
    leaky = replace(dataset, **{name: values})
    assert found(leaky, bars) == {{"gap": "opening_gap"}.get(name, name)}


def test_nothing_is_found_in_real_prices_with_holidays_of_their_own(
    real_prices_path: Path,
) -> None:
    assert real_prices_path == REAL_PRICES
    bars = pd.read_csv(real_prices_path).rename(columns={"date": "trading_date"})
    bars = bars[bars["symbol"].isin([asset.symbol for asset in ASSETS])]
    bars["trading_date"] = pd.to_datetime(bars["trading_date"])
    bars = bars[bars["trading_date"].between("2022-07-01", "2024-12-30")]
    rows = align_rows(bars, ASSETS, date(2022, 7, 1), date(2024, 12, 30), 0.1)
    dataset = assemble_dataset(rows, parse_run_config({}), "csv:daily_prices", Path())
    assert dataset.filled.any()
    assert found(dataset, bars, date(2024, 12, 30)) == set()


def test_nothing_is_found_where_a_price_stood_still_over_the_training_rows() -> None:
    bars = simulated_bars()
    calm = (bars["symbol"] == "GC=F") & (bars["trading_date"] < pd.Timestamp("2023-11-01"))
    bars.loc[calm, ["high", "low", "close", "adj_close"]] = 100.0
    assert found(sound(bars), bars) == set()


@pytest.mark.parametrize("scaler", ["minmax", "standard"])
@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_scaler_that_saw_later_rows_is_found_and_how_far_it_saw(scaler: str, part: str) -> None:
    bars = simulated_bars()
    clean = sound(bars, scaler)
    stop = getattr(clean.split, part).stop
    fitted = Scaler.fit(clean.smoothed[:stop], clean.log_roi[:stop], clean.scaler.kind)
    leaky = replace(clean, scaler=fitted)
    assert found(leaky, bars) == {"scaler_fit"}
    (finding,) = audit_dataset(leaky, bars, AS_OF).findings
    assert finding.observed == stop
    assert f"rows up to {clean.dates[stop - 1]}" in finding.message


def test_a_scaler_that_saw_one_row_more_than_training_is_found() -> None:
    bars = simulated_bars()
    clean = sound(bars)
    stop = clean.split.train.stop + 1
    fitted = Scaler.fit(clean.smoothed[:stop], clean.log_roi[:stop], "minmax")
    assert found(replace(clean, scaler=fitted), bars) == {"scaler_fit"}


def test_a_scaler_of_unknown_rows_is_found() -> None:
    bars = simulated_bars()
    clean = sound(bars)
    other = replace(clean.scaler, offset=clean.scaler.offset - 0.01)
    (finding,) = audit_dataset(replace(clean, scaler=other), bars, AS_OF).findings
    assert finding.check_name == "scaler_fit"
    assert finding.observed is None


def test_a_price_filled_backward_is_found_with_its_asset_and_date() -> None:
    bars = bars_with_a_gap()
    clean = sound(bars)
    rows = np.flatnonzero(clean.filled[:, GOLD])
    prices = clean.prices.copy()
    prices[rows, GOLD] = prices[rows[-1] + 1, GOLD]
    log_roi, smoothed = recomputed(clean, prices)
    leaky = replace(clean, prices=prices, log_roi=log_roi, smoothed=smoothed)
    leaky = replace(leaky, scaler=refitted(leaky))
    (finding,) = audit_dataset(leaky, bars, AS_OF).findings
    assert finding.check_name == "filling"
    assert finding.observed == 2
    assert f"2 of them are the next one; the first is GC=F on {GONE[0]}" in finding.message


def test_a_price_filled_before_the_assets_first_bar_is_found() -> None:
    bars = simulated_bars()
    clean = sound(bars)
    late = (bars["symbol"] == "GC=F") & (bars["trading_date"] < clean.dates[3])
    prices = clean.prices.copy()
    prices[:3, GOLD] = prices[3, GOLD]
    filled = clean.filled.copy()
    filled[:3, GOLD] = True
    log_roi, smoothed = recomputed(clean, prices)
    ranges = clean.true_range.copy()
    gaps, volumes = clean.gap.copy(), clean.volume.copy()
    ranges[:4, GOLD] = gaps[:4, GOLD] = volumes[:3, GOLD] = np.nan
    leaky = replace(clean, prices=prices, log_roi=log_roi, smoothed=smoothed, filled=filled)
    leaky = replace(leaky, true_range=ranges, gap=gaps, volume=volumes, scaler=refitted(leaky))
    assert found(leaky, bars[~late]) == {"filling"}


def test_a_filled_row_that_counts_as_a_bar_is_found() -> None:
    bars = bars_with_a_gap()
    clean = sound(bars)
    assert found(replace(clean, filled=np.zeros_like(clean.filled)), bars) == {"filling"}


@pytest.mark.parametrize("name", ["validation", "test"])
def test_a_gap_shorter_than_the_smoothing_is_found(name: str) -> None:
    bars = simulated_bars()
    clean = sound(bars)
    split = clean.split
    shorter = {
        "validation": replace(split, train=range(split.train.start, split.train.stop + 1)),
        "test": replace(split, validation=range(split.validation.start, split.validation.stop + 1)),
    }[name]
    leaky = replace(clean, split=shorter)
    leaky = replace(leaky, scaler=refitted(leaky))
    (finding,) = audit_dataset(leaky, bars, AS_OF).findings
    assert finding.check_name == f"gap_before_{name}"
    assert (finding.observed, finding.allowed) == (clean.smoothing - 1, clean.smoothing)


def test_parts_that_overlap_are_found() -> None:
    bars = simulated_bars()
    clean = sound(bars)
    validation = range(clean.split.train.stop - 3, clean.split.validation.stop)
    leaky = replace(clean, split=replace(clean.split, validation=validation))
    assert found(leaky, bars) == {"gap_before_validation"}


def test_a_row_after_the_as_of_date_is_found() -> None:
    bars = simulated_bars()
    (finding,) = audit_dataset(sound(bars), bars, AS_OF - timedelta(days=1)).findings
    assert finding.check_name == "as_of_date"
    assert finding.observed == 1


def test_rows_out_of_order_are_found() -> None:
    bars = simulated_bars()
    clean = sound(bars)
    dates = clean.dates.copy()
    dates[-1] = dates[-2]
    names = found(replace(clean, dates=dates), bars)
    assert "targets_after_windows" in names


def test_a_target_without_a_whole_window_before_it_is_found() -> None:
    bars = simulated_bars()
    clean = sound(bars)
    split = Split(range(5, clean.split.train.stop), clean.split.validation, clean.split.test)
    assert found(replace(clean, split=split), bars) == {"targets_after_windows"}


@pytest.mark.parametrize("shift", [1, 2])
def test_a_mean_that_reaches_into_the_rows_after_it_is_found(shift: int) -> None:
    bars = simulated_bars()
    clean = sound(bars)
    smoothed = np.vstack([clean.smoothed[shift:], clean.smoothed[-shift:]])
    leaky = replace(clean, smoothed=smoothed)
    leaky = replace(leaky, scaler=refitted(leaky))
    assert found(leaky, bars) == {"returns"}


def test_true_ranges_that_reach_into_the_row_after_are_found() -> None:
    bars = bars_with_a_gap()
    clean = sound(bars)
    ranges = np.vstack([clean.true_range[1:], clean.true_range[-1:]])
    assert found(replace(clean, true_range=ranges), bars) == {"true_range"}
    widened = clean.true_range.copy()
    widened[40, GOLD] += 0.01
    (finding,) = audit_dataset(replace(clean, true_range=widened), bars, AS_OF).findings
    assert (finding.check_name, finding.observed) == ("true_range", 1)
    assert finding.message.endswith(f"the first is {clean.dates[40]}")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda manifest: manifest.pop(MANIFEST_KEY),
        lambda manifest: manifest.update({MANIFEST_KEY: []}),
        lambda manifest: manifest.update({MANIFEST_KEY: [{"check": "older"}]}),
    ],
)
def test_a_manifest_without_a_readable_audit_gives_none(
    spoil: Callable[[dict[str, object]], object],
) -> None:
    bars = simulated_bars()
    manifest: dict[str, object] = {MANIFEST_KEY: audit_dataset(sound(bars), bars, AS_OF).to_json()}
    assert LeakageAudit.from_manifest(manifest) == audit_dataset(sound(bars), bars, AS_OF)
    spoil(manifest)
    assert LeakageAudit.from_manifest(manifest) is None


def test_a_built_dataset_holds_its_audit_in_files_and_database(
    market_engine: Engine, settings: Settings
) -> None:
    _, dataset = prepare(market_engine, settings, "run", {})
    view = table("leakage_audits", *map(column, ("dataset_id", "check_name", "passed")))
    view.schema = "roi"
    with market_engine.connect() as connection:
        rows = connection.execute(select(view)).all()
    assert {row.check_name for row in rows} == CHECKS
    assert all(row.passed and row.dataset_id == dataset.dataset_id for row in rows)
    assert MANIFEST_KEY in (dataset.directory / "manifest.json").read_text(encoding="utf-8")


def recomputed(dataset: Dataset, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The returns of changed prices; the rows whose return reaches before the first stay."""
    log_roi = dataset.log_roi.copy()
    log_roi[1:] = np.diff(np.log(prices), axis=0)
    smoothed = dataset.smoothed.copy()
    for row in range(dataset.smoothing - 1, len(prices)):
        smoothed[row] = log_roi[row - dataset.smoothing + 1 : row + 1].mean(axis=0)
    return log_roi, smoothed


def refitted(dataset: Dataset) -> Scaler:
    """The scaler of the dataset's training rows."""
    stop = dataset.split.train.stop
    return Scaler.fit(dataset.smoothed[:stop], dataset.log_roi[:stop], dataset.scaler.kind)


@pytest.mark.parametrize("leak", ["none", "next price", "returns", "scaler"])
def test_blocks_of_assets_give_the_audit_of_all_bars_at_once(leak: str) -> None:
    bars = bars_with_a_gap()
    dataset = sound(bars)
    if leak == "next price":
        prices = dataset.prices.copy()
        prices[40:50, 1:] = prices[41:51, 1:]
        dataset = replace(dataset, prices=prices)
    elif leak == "returns":
        dataset = replace(dataset, log_roi=np.roll(dataset.log_roi, -1, axis=0))
    elif leak == "scaler":
        values = dataset.smoothed, dataset.log_roi
        dataset = replace(dataset, scaler=Scaler.fit(*values, "minmax"))
    of_symbol = [own for _, own in bars.groupby("symbol", sort=False)]
    blocks = [pd.concat(of_symbol[2:]), *of_symbol[:2]]
    whole = audit_dataset(dataset, bars, AS_OF)
    assert audit_dataset(dataset, blocks, AS_OF) == whole
    assert bool(whole.findings) == (leak != "none")


def test_an_asset_without_any_bar_is_found() -> None:
    bars = simulated_bars()
    (finding,) = (
        check
        for check in audit_dataset(sound(bars), [bars[bars["symbol"] != "GC=F"]], AS_OF).findings
        if check.check_name == "filling"
    )
    assert "the first is GC=F" in finding.message


def with_known_context(publish: Publish = "after_close") -> tuple[Dataset, pd.DataFrame]:
    """A dataset whose context lacks one bar of many, and the bars of assets and context."""
    of_context = context_bars(AS_OF + timedelta(days=10))
    gone = (of_context["symbol"] == "CL=F") & (of_context["trading_date"] == pd.Timestamp(GONE[0]))
    bars = pd.concat([simulated_bars(), of_context[~gone]], ignore_index=True)
    context = replace(CONTEXT, publish=publish)
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1, context=context)
    config = parse_run_config({"seq_len": 12})
    return assemble_dataset(rows, config, "simulated", Path()), bars


@pytest.mark.parametrize("publish", ["after_close", "before_open"])
def test_nothing_is_found_in_a_sound_context(publish: Publish) -> None:
    dataset, bars = with_known_context(publish)
    assert dataset.context_missing.any()
    assert (np.abs(dataset.context) > 0).mean() > 0.9
    assert found(dataset, bars) == set()
    # Bars of the context may come on their own.
    of_context = bars["symbol"].isin(CONTEXT.symbols)
    apart = audit_dataset(dataset, bars[~of_context], AS_OF, bars[of_context])
    assert apart == audit_dataset(dataset, bars, AS_OF)


def test_context_of_the_row_after_is_found() -> None:
    dataset, bars = with_known_context()
    early = np.vstack([dataset.context[1:], dataset.context[-1:]])
    stop = dataset.split.train.stop
    scaler = Scaler.fit(
        dataset.smoothed[:stop], dataset.log_roi[:stop], dataset.scaler.kind, early[:stop]
    )
    leaky = replace(dataset, context=early, scaler=scaler)
    assert found(leaky, bars) == {"context"}


def test_a_bar_that_is_final_only_after_publication_is_found_with_its_asset_and_row() -> None:
    dataset, bars = with_known_context()
    row = 100
    own = bars[bars["symbol"] == "AAPL"].set_index("trading_date")["adj_close"]
    known = own[own.index <= pd.Timestamp(dataset.dates[row])].iloc[-1]
    planted = dataset.context.copy()
    planted[row, 0] += np.log(own[own.index > pd.Timestamp(dataset.dates[row])].iloc[0] / known)
    (finding,) = (
        each
        for each in audit_dataset(replace(dataset, context=planted), bars, AS_OF).findings
        if each.check_name == "context"
    )
    assert finding.observed == 1
    assert "1 of them end with the next one" in finding.message
    assert finding.message.endswith(f"the first is AAPL on {dataset.dates[row]}")


def test_a_move_without_any_bar_is_found() -> None:
    dataset, bars = with_known_context()
    without = bars[bars["symbol"] != "CL=F"]
    assert found(dataset, without) == {"context"}


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_publication_time_outside_its_session_and_the_next_is_found(hours: int) -> None:
    dataset, bars = with_known_context()
    shifted = dataset.published_at + np.timedelta64(hours, "h")
    assert "publication" in found(replace(dataset, published_at=shifted), bars)


@pytest.mark.parametrize("publish", ["after_close", "before_open"])
def test_a_row_published_after_a_session_that_the_calendar_lacks_opened_is_found(
    publish: Publish,
) -> None:
    _, bars = with_known_context(publish)
    friday = pd.Timestamp("2023-03-17")
    special = bars[bars["trading_date"] == friday]
    assert len(special) > len(ASSETS)
    saturday = special.assign(trading_date=friday + pd.Timedelta(days=1))
    bars = pd.concat([bars, saturday], ignore_index=True)
    rows = align_rows(bars, ASSETS, START, AS_OF, 0.1, context=replace(CONTEXT, publish=publish))
    dataset = assemble_dataset(rows, parse_run_config({"seq_len": 12}), "simulated", Path())
    row = dataset.dates.tolist().index(friday.date())
    assert dataset.dates[row + 1] == np.datetime64("2023-03-18")
    assert found(dataset, bars) == set()

    late = dataset.published_at.copy()
    # 9:15 in Mumbai.
    late[row] = np.datetime64("2023-03-18T03:45:00")
    (finding,) = (
        each
        for each in audit_dataset(replace(dataset, published_at=late), bars, AS_OF).findings
        if each.check_name == "publication"
    )
    assert finding.observed == 1
    assert finding.message.endswith(f"the first is {dataset.dates[row]}")


def test_a_context_scale_that_saw_later_rows_is_found() -> None:
    dataset, bars = with_known_context()
    scale = np.sqrt((dataset.context**2).mean(axis=0))
    leaky = replace(dataset, scaler=replace(dataset.scaler, context_scale=scale))
    assert found(leaky, bars) == {"scaler_fit"}


@pytest.mark.parametrize(("name", "check"), [("gap", "opening_gap"), ("volume", "volume")])
def test_a_gap_or_volume_of_the_row_after_is_found(name: str, check: str) -> None:
    bars = bars_with_a_gap()
    clean = sound(bars)
    early = np.vstack([getattr(clean, name)[1:], getattr(clean, name)[-1:]])
    assert found(replace(clean, **{name: early}), bars) == {check}
    one = getattr(clean, name).copy()
    one[40, GOLD] *= 2
    (finding,) = audit_dataset(replace(clean, **{name: one}), bars, AS_OF).findings
    assert (finding.check_name, finding.observed) == (check, 1)
    assert finding.message.endswith(f"the first is {clean.dates[40]}")
