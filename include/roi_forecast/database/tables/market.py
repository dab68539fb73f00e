"""The tables of assets, their prices, and what extraction and the price checks found."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from roi_forecast.database.tables.schema import (
    MOMENT,
    as_of_date,
    column,
    metadata,
    now,
    nullable,
    number,
    run_id,
    source,
    symbol,
)

assets = sa.Table(
    "assets",
    metadata,
    symbol(primary_key=True),
    column("name", sa.Text, "name of the asset"),
    column("asset_class", sa.Text, "stock, commodity or another class of the universe"),
    column("exchange", sa.Text, "code of the exchange"),
    column("calendar", sa.Text, "code of the exchange's trading calendar"),
    column("currency", sa.Text, "currency of its prices: an ISO 4217 code, or GBp for pence"),
    comment="Every asset that a run has extracted.",
)

daily_prices = sa.Table(
    "daily_prices",
    metadata,
    source(primary_key=True),
    symbol(primary_key=True),
    column("trading_date", sa.Date, "session of the bar", primary_key=True),
    nullable("open", sa.Double, "opening price, in its currency; null if the source lacks it"),
    nullable("high", sa.Double, "highest price, in its currency; null if the source lacks it"),
    nullable("low", sa.Double, "lowest price, in its currency; null if the source lacks it"),
    column("close", sa.Double, "closing price, in the asset's currency"),
    column(
        "adj_close",
        sa.Double,
        "close adjusted for splits and dividends, in its currency; close if the source lacks it",
    ),
    nullable("volume", sa.BigInteger, "shares or contracts traded; null if the source lacks it"),
    now("fetched_at", "when the bar was fetched from its source"),
    sa.CheckConstraint("volume >= 0", name="volume"),
    comment="Daily bars by source, as the source last gave them.",
)

extractions = sa.Table(
    "extractions",
    metadata,
    run_id(primary_key=True),
    symbol(primary_key=True),
    source(),
    column(
        "context",
        sa.Boolean,
        "true: only context of the run, no asset of it or of the champion",
        server_default=sa.false(),
    ),
    column("requested_start", sa.Date, "first date requested"),
    column("requested_end", sa.Date, "last date requested"),
    column("status", sa.Text, "ok or failed"),
    column("rows", sa.Integer, "rows inserted or changed"),
    nullable("error", sa.Text, "why it failed; null if it succeeded"),
    nullable(
        "missing_columns",
        ARRAY(sa.Text),
        "columns of a bar that the source lacks for the asset; null if no attempt succeeded",
    ),
    nullable("currency", sa.Text, "currency that the source stated; null if it stated none"),
    column("finished_at", MOMENT, "when it finished"),
    sa.CheckConstraint("status IN ('ok', 'failed')", name="status"),
    sa.Index("ix_extractions_coverage", "source", "symbol", "status"),
    sa.Index("ix_extractions_failed", "run_id", postgresql_where=sa.text("status = 'failed'")),
    comment="What each run requested from a source for each asset, and the result.",
)

price_checks = sa.Table(
    "price_checks",
    metadata,
    number(),
    run_id(),
    source(),
    nullable("symbol", sa.Text, "the asset's symbol; null if the check covers the run"),
    nullable("trading_date", sa.Date, "session of the bar; null if the check covers more"),
    column("check_name", sa.Text, "name of the check"),
    column("severity", sa.Text, "effect of a failure: warn, drop_bar, drop_asset or stop_run"),
    column("passed", sa.Boolean, "true: passed"),
    nullable("observed", sa.Double, "the figure compared with the limit, in its unit"),
    nullable("allowed", sa.Double, "limit of the check; null if it has none"),
    column("message", sa.Text, "what the check found, in words"),
    now("checked_at", "when it was checked"),
    sa.CheckConstraint(
        "severity IN ('warn', 'drop_bar', 'drop_asset', 'stop_run')", name="severity"
    ),
    sa.Index("ix_price_checks_run_id", "run_id", "symbol"),
    sa.Index("ix_price_checks_failed", "run_id", "symbol", postgresql_where=sa.text("NOT passed")),
    comment="Results of each run's price checks.",
)

price_restatements = sa.Table(
    "price_restatements",
    metadata,
    number(),
    source(),
    symbol(),
    column("run_id", sa.Text, "the run that detected it"),
    column("compared_on", sa.Date, "date of the bar that revealed it"),
    column("close_ratio", sa.Double, "new over stored close, at the oldest bar in both"),
    column("adj_close_ratio", sa.Double, "new over stored adj_close, at the oldest bar in both"),
    column("first_date", sa.Date, "first bar fetched again"),
    column("last_date", sa.Date, "last bar fetched again"),
    column("rows", sa.Integer, "rows inserted, changed or removed"),
    now("detected_at", "when it was detected"),
    sa.Index("ix_price_restatements_symbol", "source", "symbol"),
    comment="Every time a source restated prices that were already stored.",
)

datasets = sa.Table(
    "datasets",
    metadata,
    column("dataset_id", sa.Text, "hash of the dataset's content", primary_key=True),
    source(),
    column("symbols", ARRAY(sa.Text), "symbols, in the order of the dataset's columns"),
    as_of_date(),
    column("first_date", sa.Date, "first trading date of the rows"),
    column("last_date", sa.Date, "last trading date of the rows"),
    column("rows", sa.Integer, "number of rows"),
    column("path", sa.Text, "folder of its files"),
    column("manifest", JSONB, "the manifest of its files"),
    now("created_at", "when the row was stored"),
    comment="Datasets that runs built; their arrays are files.",
)
