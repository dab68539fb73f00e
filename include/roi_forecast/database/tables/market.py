"""The tables of assets, their prices, and what extraction and the price checks found."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Double,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from roi_forecast.database.tables.schema import (
    MOMENT,
    NOW,
    as_of_date,
    column,
    metadata,
    run_id,
    source,
    symbol,
)

assets = Table(
    "assets",
    metadata,
    symbol(primary_key=True),
    column("name", Text, "name of the asset"),
    column("asset_class", Text, "stock, commodity or another class of the universe"),
    column("exchange", Text, "code of the exchange"),
    column("calendar", Text, "code of the exchange's trading calendar"),
    column("currency", Text, "ISO 4217 code of the currency of its prices"),
    comment="Every asset that a run has extracted.",
)

daily_prices = Table(
    "daily_prices",
    metadata,
    source(primary_key=True),
    symbol(primary_key=True),
    column("trading_date", Date, "session of the bar", primary_key=True),
    column("open", Double, "opening price, in the asset's currency"),
    column("high", Double, "highest price of the session, in the asset's currency"),
    column("low", Double, "lowest price of the session, in the asset's currency"),
    column("close", Double, "closing price, in the asset's currency"),
    column("adj_close", Double, "close adjusted for splits and dividends, in the asset's currency"),
    column(
        "volume",
        BigInteger,
        "shares or contracts traded in the session; null if the source gives no valid number",
        nullable=True,
    ),
    column("fetched_at", MOMENT, "when the bar was fetched from its source"),
    CheckConstraint("volume >= 0", name="volume"),
    comment="Daily bars by source, as the source last gave them.",
)

extractions = Table(
    "extractions",
    metadata,
    run_id(primary_key=True),
    symbol(primary_key=True),
    source(),
    column("requested_start", Date, "first date requested"),
    column("requested_end", Date, "last date requested"),
    column("status", Text, "ok or failed"),
    column("rows", Integer, "rows inserted or changed"),
    column("error", Text, "why it failed; null if it succeeded", nullable=True),
    column("finished_at", MOMENT, "when it finished"),
    CheckConstraint("status IN ('ok', 'failed')", name="status"),
    Index("ix_extractions_coverage", "source", "symbol", "status"),
    comment="What each run requested from a source for each asset, and the result.",
)

price_checks = Table(
    "price_checks",
    metadata,
    column("id", BigInteger, "number of the row", Identity(), primary_key=True),
    run_id(),
    source(),
    column("symbol", Text, "the asset's symbol; null if the check covers the run", nullable=True),
    column(
        "trading_date", Date, "session of the bar; null if the check covers more", nullable=True
    ),
    column("check_name", Text, "name of the check"),
    column("severity", Text, "effect of a failure: warn, drop_bar, drop_asset or stop_run"),
    column("passed", Boolean, "true: passed"),
    column("observed", Double, "the figure compared with the limit, in its unit", nullable=True),
    column("allowed", Double, "limit of the check; null if it has none", nullable=True),
    column("message", Text, "what the check found, in words"),
    column("checked_at", MOMENT, "when it was checked", server_default=NOW),
    CheckConstraint("severity IN ('warn', 'drop_bar', 'drop_asset', 'stop_run')", name="severity"),
    Index("ix_price_checks_run_id", "run_id"),
    Index("ix_price_checks_failed", "run_id", "symbol", postgresql_where=text("NOT passed")),
    comment="Results of each run's price checks.",
)

price_restatements = Table(
    "price_restatements",
    metadata,
    column("id", BigInteger, "number of the row", Identity(), primary_key=True),
    source(),
    symbol(),
    column("run_id", Text, "the run that detected it"),
    column("compared_on", Date, "date of the bar that revealed it"),
    column("close_ratio", Double, "new over stored close, at the oldest bar in both"),
    column("adj_close_ratio", Double, "new over stored adj_close, at the oldest bar in both"),
    column("first_date", Date, "first bar fetched again"),
    column("last_date", Date, "last bar fetched again"),
    column("rows", Integer, "rows inserted, changed or removed"),
    column("detected_at", MOMENT, "when it was detected", server_default=NOW),
    Index("ix_price_restatements_symbol", "source", "symbol"),
    comment="Every time a source restated prices that were already stored.",
)

datasets = Table(
    "datasets",
    metadata,
    column("dataset_id", Text, "hash of the dataset's content", primary_key=True),
    source(),
    column("symbols", ARRAY(Text), "symbols of the assets, in the order of the dataset's columns"),
    as_of_date(),
    column("first_date", Date, "first trading date of the rows"),
    column("last_date", Date, "last trading date of the rows"),
    column("rows", Integer, "number of rows"),
    column("path", Text, "folder of its files"),
    column("manifest", JSONB, "the manifest of its files"),
    column("created_at", MOMENT, "when the row was stored", server_default=NOW),
    comment="Datasets that runs built; their arrays are files.",
)
