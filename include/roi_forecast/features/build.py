"""Building the dataset of a run from the stored prices."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.array_types import FloatArray
from roi_forecast.config import FeatureConfig
from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import datasets
from roi_forecast.errors import DatasetError
from roi_forecast.features.context import load_context_bars
from roi_forecast.features.dataset import Dataset, Split, split_targets
from roi_forecast.features.leakage import LeakageAudit, audit_dataset
from roi_forecast.features.movement import MIN_MOVE, MIN_MOVING_SHARE, measure_movement
from roi_forecast.features.returns import log_roi_and_smoothed
from roi_forecast.features.rows import ROW_COLUMNS, PriceRows, align_rows, with_context
from roi_forecast.features.scaling import Scaler
from roi_forecast.features.storage import describe_dataset, load_dataset, save_dataset
from roi_forecast.files.artifacts import delete_folder, is_published
from roi_forecast.market.bars import Bars
from roi_forecast.market.checks.check_results import CheckResult, replace_results
from roi_forecast.market.checks.price_checks import usable_context_symbols, usable_symbols
from roi_forecast.market.missing_columns import load_missing_columns
from roi_forecast.market.publication import warn_of_timing
from roi_forecast.market.reference_sessions import log_reference
from roi_forecast.market.stored_bars import StoredBars
from roi_forecast.number_text import percent
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import NO_CONTEXT, Asset, Context, load_universe, reference_exchange

logger = logging.getLogger(__name__)

# Part of every dataset's hash; raise it when the meaning of a stored array or the manifest changes.
_FORMAT = 6

MOVEMENT_CHECK = "movement"


def build_dataset(engine: Engine, run: ResolvedRun, directory: DataPath) -> Dataset:
    """Build, store and register the dataset of a run, or reuse one with the same content.

    Args:
        engine: Market database.
        run: The resolved run; no price after its as-of date is read.
        directory: Folder of the datasets.

    Raises:
        DatasetError: The stored prices do not give enough rows up to the as-of date.
    """
    # The bars are read several times, in blocks of assets, and must not change in between.
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        assets = load_universe().select(usable_symbols(connection, run.run_id))
        bars = StoredBars(
            connection,
            run.source_key,
            tuple(asset.symbol for asset in assets),
            run.start_date,
            run.as_of_date,
            ROW_COLUMNS,
        )
        usable = usable_context_symbols(connection, run.run_id)
        context = run.context.only(usable)
        context_bars = load_context_bars(
            connection, run.source_key, assets, context, run.start_date, run.as_of_date
        )
        rows, movement = align_moving_rows(
            bars, assets, run.start_date, run.as_of_date, run.config, context, context_bars
        )
        missing = load_missing_columns(
            connection, run.source_key, rows.symbols, rows.context_symbols
        )
        dataset = assemble_dataset(rows, run.config, run.source_key, directory, missing)
        audit = audit_dataset(dataset, bars, run.as_of_date, context_bars)
    if reference_exchange(assets).calendar != reference_exchange(run.assets).calendar:
        log_reference(assets, run.start_date, run.as_of_date)
    warn_of_timing(dataset.dates, load_universe().select(dataset.symbols), context)
    with engine.begin() as connection:
        replace_results(connection, run.run_id, run.source_key, (MOVEMENT_CHECK,), movement)
    _ensure_stored(dataset, audit)
    _register(engine, dataset, audit)
    logger.info(
        "dataset %s: %d assets x %d rows, %s to %s; windows: %d train, %d validation, %d test",
        dataset.dataset_id,
        len(dataset.symbols),
        len(dataset.dates),
        dataset.dates[0],
        dataset.dates[-1],
        len(dataset.split.train),
        len(dataset.split.validation),
        len(dataset.split.test),
    )
    for finding in audit.findings:
        logger.warning("leakage found by %s: %s", finding.check_name, finding.message)
    if not audit.findings:
        logger.info("leakage audit: %d checks passed", len(audit.checks))
    return dataset


def align_moving_rows(
    bars: Bars,
    assets: Sequence[Asset],
    start_date: date,
    as_of_date: date,
    config: FeatureConfig,
    context: Context = NO_CONTEXT,
    context_bars: Bars | None = None,
) -> tuple[PriceRows, list[CheckResult]]:
    """Align the assets whose prices move on the training rows, and leave out the others.

    The result is that of a run without the others. Nothing after the last training row decides.

    Args:
        bars: See `align_rows`, as for assets and dates.
        assets: The assets, in column order.
        start_date: First date of a row.
        as_of_date: Last date used.
        config: Smoothing and split.
        context: The context assets, and when the run publishes.
        context_bars: See `align_rows`.

    Returns:
        The rows, and one result of the check MOVEMENT_CHECK for each aligned asset.

    Raises:
        DatasetError: See `align_rows`; or there are too few rows, or no price moves.
    """
    results: list[CheckResult] = []
    while True:
        rows = align_rows(bars, assets, start_date, as_of_date)
        log_rois, smoothed = _log_rois(rows, config)
        movement = measure_movement(log_rois[: _split(len(smoothed), config).train.stop])
        found = [
            CheckResult(
                MOVEMENT_CHECK,
                "drop_asset",
                bool(passed),
                f"{symbol}: its price moves by more than {percent(MIN_MOVE, 2)} on {moving} of the "
                f"{movement.rows} training rows; on the others it is constant or grows at a "
                f"constant rate. An asset that moves on less than {percent(MIN_MOVING_SHARE)} "
                "is left out and has no forecast",
                symbol=symbol,
                observed=float(share),
                allowed=MIN_MOVING_SHARE,
            )
            for symbol, moving, share, passed in zip(
                rows.symbols, movement.moving, movement.shares, movement.suffices, strict=True
            )
        ]
        if movement.suffices.all():
            moving = [asset for asset in assets if asset.symbol in rows.symbols]
            known = bars if context_bars is None else context_bars
            return with_context(rows, moving, context, known), [*results, *found]
        constant = {result.symbol: result for result in found if not result.passed}
        results += constant.values()
        for result in constant.values():
            logger.warning("%s", result.message)
        assets = [asset for asset in assets if asset.symbol not in constant]
        if len(constant) == len(found):
            raise DatasetError(
                f"no price moves enough for a forecast: {'; '.join(r.message for r in results)}"
            )


def assemble_dataset(
    rows: PriceRows,
    config: FeatureConfig,
    source_key: str,
    directory: DataPath,
    missing_columns: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Dataset:
    """Compute a dataset from aligned prices without writing it.

    Its first row is the first one with a smoothed log ROI.

    Args:
        rows: The prices.
        config: Spans, scaler and split.
        source_key: Key of the price source.
        directory: Folder of the datasets.
        missing_columns: See `Dataset`.

    Raises:
        DatasetError: There are too few rows.
    """
    lost = config.smoothing
    log_rois, smoothed = _log_rois(rows, config)
    split = _split(len(smoothed), config)
    fitted = slice(0, split.train.stop)
    context = rows.context[lost:]
    scaler = Scaler.fit(smoothed[fitted], log_rois[fitted], config.scaler, context[fitted])
    dataset_id = _content_hash(rows, config, source_key, missing_columns)
    return Dataset(
        dataset_id=dataset_id,
        directory=directory / dataset_id,
        source=source_key,
        symbols=rows.symbols,
        seq_len=config.seq_len,
        smoothing=config.smoothing,
        dates=rows.dates[lost:],
        prices=rows.prices[lost:],
        log_roi=log_rois,
        smoothed=smoothed,
        scaled=scaler.transform(smoothed).astype(np.float32),
        filled=rows.filled[lost:],
        true_range=rows.true_range[lost:],
        gap=rows.gap[lost:],
        volume=rows.volume[lost:],
        published_at=rows.published_at[lost:],
        publish=rows.publish,
        context_symbols=rows.context_symbols,
        context=context,
        context_missing=rows.context_missing[lost:],
        scaled_context=scaler.transform_context(context).astype(np.float32),
        scaler=scaler,
        split=split,
        missing_columns=missing_columns,
    )


def _log_rois(rows: PriceRows, config: FeatureConfig) -> tuple[FloatArray, FloatArray]:
    if len(rows.dates) <= config.smoothing:
        raise DatasetError(
            f"{len(rows.dates)} price rows are too few for smoothing {config.smoothing}; "
            "choose an earlier start_date"
        )
    return log_roi_and_smoothed(rows.prices, config.smoothing)


def _split(rows: int, config: FeatureConfig) -> Split:
    return split_targets(
        rows, config.seq_len, config.smoothing, config.test_share, config.validation_share
    )


def _ensure_stored(dataset: Dataset, audit: LeakageAudit) -> None:
    if is_published(dataset.directory):
        try:
            load_dataset(dataset.directory)
        except DatasetError as error:
            logger.warning("dataset %s is written again: %s", dataset.dataset_id, error)
            delete_folder(dataset.directory)
        else:
            logger.info("dataset %s already exists", dataset.dataset_id)
            return
    save_dataset(dataset, audit)


def _content_hash(
    rows: PriceRows,
    config: FeatureConfig,
    source_key: str,
    missing_columns: Mapping[str, tuple[str, ...]],
) -> str:
    facts = {
        "format": _FORMAT,
        "source": source_key,
        "symbols": rows.symbols,
        "context_symbols": rows.context_symbols,
        "publish": rows.publish,
        "missing_columns": dict(missing_columns),
        "config": {name: getattr(config, name) for name in sorted(FeatureConfig.model_fields)},
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for array in (
        *(rows.dates, rows.prices, rows.filled, rows.true_range, rows.gap, rows.volume),
        *(rows.published_at, rows.context, rows.context_missing),
    ):
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:16]


def _register(engine: Engine, dataset: Dataset, audit: LeakageAudit) -> None:
    statement = insert(datasets).values(
        dataset_id=dataset.dataset_id,
        source=dataset.source,
        symbols=list(dataset.symbols),
        as_of_date=dataset.dates[-1].item(),
        first_date=dataset.dates[0].item(),
        last_date=dataset.dates[-1].item(),
        rows=len(dataset.dates),
        path=dataset.directory.name,
        manifest=describe_dataset(dataset, audit),
    )
    with engine.begin() as connection:
        connection.execute(statement.on_conflict_do_nothing())
