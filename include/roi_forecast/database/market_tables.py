"""The tables of assets, their prices, and what was found while extracting and checking them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)

from roi_forecast.database.schema import metadata, moment

assets = Table(
    "assets",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("asset_class", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("calendar", Text, nullable=False),
    Column("currency", Text, nullable=False),
    comment="The assets that a run ever extracted.",
)

daily_prices = Table(
    "daily_prices",
    metadata,
    Column("source", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("trading_date", Date, primary_key=True),
    Column("open", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("close", Double, nullable=False),
    Column("adj_close", Double, nullable=False),
    Column("volume", BigInteger, comment="null where the source gives none that can be"),
    moment("fetched_at"),
    CheckConstraint("volume >= 0", name="volume"),
    comment="Daily bars by source, as the source gave them last.",
)

extractions = Table(
    "extractions",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("requested_start", Date, nullable=False, comment="first date asked for"),
    Column("requested_end", Date, nullable=False, comment="last date asked for"),
    Column("status", Text, nullable=False, comment="ok or failed"),
    Column("rows", Integer, nullable=False, comment="rows inserted or changed"),
    Column("error", Text, comment="why it failed; null where it did not"),
    moment("finished_at"),
    CheckConstraint("status IN ('ok', 'failed')", name="status"),
    Index("ix_extractions_coverage", "source", "symbol", "status"),
    comment="What each run asked a source for, asset by asset, and what came of it.",
)

price_checks = Table(
    "price_checks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("symbol", Text, comment="null where the check is about the whole run"),
    Column("trading_date", Date, comment="null where the check is about the whole series"),
    Column("check_name", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("observed", Double),
    Column("allowed", Double),
    Column("message", Text, nullable=False),
    moment("checked_at", now=True),
    CheckConstraint("severity IN ('warn', 'drop_bar', 'drop_asset', 'stop_run')", name="severity"),
    Index("ix_price_checks_run_id", "run_id"),
    comment="What each run's checks of the prices found.",
)

Index(
    "ix_price_checks_failed",
    price_checks.c.run_id,
    price_checks.c.symbol,
    postgresql_where=~price_checks.c.passed,
)

price_restatements = Table(
    "price_restatements",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("source", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("run_id", Text, nullable=False, comment="the run that noticed it"),
    Column("compared_on", Date, nullable=False, comment="date of the bar that revealed it"),
    Column(
        "close_ratio",
        Double,
        nullable=False,
        comment="new over stored, of the oldest that both have",
    ),
    Column(
        "adj_close_ratio",
        Double,
        nullable=False,
        comment="new over stored, of the oldest that both have",
    ),
    Column("first_date", Date, nullable=False, comment="first bar fetched again"),
    Column("last_date", Date, nullable=False, comment="last bar fetched again"),
    Column("rows", Integer, nullable=False, comment="rows inserted, changed or removed"),
    moment("detected_at", now=True, comment="when it was noticed"),
    Index("ix_price_restatements_symbol", "source", "symbol"),
    comment="Each time a source restated prices that were stored already.",
)
