"""The sums of the track record after any sequence of changes, recomputed from prices by pandas."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import (
    Connection,
    Engine,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from planted import planted_market
from roi_forecast.database.counting import count_outcomes
from roi_forecast.database.migrate import migrate
from roi_forecast.database.tables import (
    counted_days,
    counted_months,
    daily_prices,
    model_versions,
    predictions,
    uncounted,
)
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.store import replace_bars, upsert_bars
from roi_local.postgres.server import EmbeddedPostgres

SUMS = [
    "forecasts",
    "inside_80",
    "inside_95",
    "directions",
    "direction_hits",
    "sum_of_errors_pct",
    "sum_of_errors_of_zero_pct",
]
DAYS = ["model_name", "source", "target_date", "backfill"]
MONTHS = ["model_name", "source", "symbol", "month", "backfill"]
SYMBOLS = ["GC=F", "M&M.NS", "^NSEI"]


def recomputed(connection: Connection, keys: list[str]) -> pd.DataFrame:
    """Return the sums by some keys from the tables of prices, forecasts and versions alone."""
    bars = pd.read_sql(select(daily_prices), connection, parse_dates=["trading_date"]).sort_values(
        "trading_date"
    )
    rows = pd.read_sql(
        select(predictions).where(predictions.c.horizon == 1),
        connection,
        parse_dates=["as_of_date", "target_date"],
    )
    versions = pd.read_sql(select(model_versions), connection, parse_dates=["last_date"])
    rows = rows.merge(versions[["version_id", "model_name", "last_date"]], on="version_id")
    rows = rows[rows["last_date"] <= rows["as_of_date"]]
    # An empty table has columns of objects.
    names = {"source": "str", "symbol": "str"}
    price = bars[["source", "symbol", "trading_date", "adj_close"]].astype(names)
    rows = rows.astype(names)
    rows = rows.merge(
        price.rename(columns={"trading_date": "target_date", "adj_close": "end"}),
        on=["source", "symbol", "target_date"],
    )
    rows = pd.merge_asof(
        rows.sort_values("as_of_date"),
        price.rename(columns={"adj_close": "start"}),
        left_on="as_of_date",
        right_on="trading_date",
        by=["source", "symbol"],
    ).dropna(subset="start")
    roi, predicted = 100 * (rows["end"] / rows["start"] - 1), rows["predicted_roi_pct"]
    figures = pd.DataFrame(
        {
            "forecasts": 1,
            "inside_80": roi.between(rows["lower_80_pct"], rows["upper_80_pct"]).astype(int),
            "inside_95": roi.between(rows["lower_95_pct"], rows["upper_95_pct"]).astype(int),
            "directions": ((roi != 0) & (predicted != 0)).astype(int),
            "direction_hits": (roi * predicted > 0).astype(int),
            "sum_of_errors_pct": (roi - predicted).abs(),
            "sum_of_errors_of_zero_pct": roi.abs(),
        }
    )
    months = rows["target_date"].dt.to_period("M").dt.start_time
    found = pd.concat([rows.assign(month=months), figures], axis="columns")
    return found.groupby(keys)[SUMS].sum()


def assert_views_agree(engine: Engine, done: object) -> None:
    """Check both views against the tables, in one snapshot."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        for view, keys in (("track_record_days", DAYS), ("track_record_months", MONTHS)):
            dates = [key for key in keys if key in ("target_date", "month")]
            found = pd.read_sql(
                text(f"SELECT * FROM roi.{view}"), connection, parse_dates=dates
            ).set_index(keys)[SUMS]
            expected = recomputed(connection, keys)
            pd.testing.assert_frame_equal(
                found.sort_index(),
                expected.sort_index(),
                check_dtype=False,
                check_index_type=False,
                rtol=1e-9,
                obj=f"{view} after {done}",
            )


@dataclass
class Market:
    """A market of two model names over the same prices, which random changes happen to."""

    engine: Engine
    random: random.Random
    dates: list[date]
    forecast_of: Mapping[str, Any]

    def bars(self, connection: Connection, symbol: str) -> pd.DataFrame:
        """Return the stored bars of an asset."""
        found = pd.read_sql(
            select(daily_prices).where(
                daily_prices.c.source == "yahoo", daily_prices.c.symbol == symbol
            ),
            connection,
        )
        return found[["symbol", *BAR_COLUMNS]].assign(
            trading_date=pd.to_datetime(found["trading_date"])
        )

    def one_bar(self, symbol: str, day: date) -> pd.DataFrame:
        """Return a new bar of an asset."""
        price = self.random.uniform(50, 150)
        values = {name: [price] for name in BAR_COLUMNS if name != "trading_date"}
        return pd.DataFrame(
            {"symbol": [symbol], "trading_date": [pd.Timestamp(day)], **values, "volume": [1]}
        )[["symbol", *BAR_COLUMNS]]

    def next_session(self, connection: Connection) -> None:
        """Store the bars of a new session, of some assets only."""
        day = self.dates[-1] + timedelta(days=self.random.choice([1, 1, 3, 20]))
        self.dates.append(day)
        for symbol in SYMBOLS:
            if self.random.random() < 0.8:
                upsert_bars(connection, "yahoo", self.one_bar(symbol, day))

    def late_bar(self, connection: Connection) -> None:
        """Store a bar of an earlier session, new or not."""
        day, symbol = self.random.choice(self.dates), self.random.choice(SYMBOLS)
        upsert_bars(connection, "yahoo", self.one_bar(symbol, day))

    def restate(self, connection: Connection) -> None:
        """Restate the closes or adjusted closes of an asset up to a day."""
        bars = self.bars(connection, self.random.choice(SYMBOLS))
        if bars.empty:
            return
        columns = self.random.choice([["adj_close"], ["close"], ["open", "close", "adj_close"]])
        up_to = bars["trading_date"] <= pd.Timestamp(self.random.choice(self.dates))
        bars.loc[up_to, columns] *= self.random.choice([0.5, 1.01, 10.0])
        upsert_bars(connection, "yahoo", bars)

    def fewer_bars(self, connection: Connection) -> None:
        """Replace an asset's bars by some of them."""
        symbol = self.random.choice(SYMBOLS)
        bars = self.bars(connection, symbol)
        kept = bars[[self.random.random() < 0.8 for _ in range(len(bars))]]
        if not kept.empty:
            replace_bars(connection, "yahoo", symbol, kept.drop(columns="symbol"))

    def edit_bar(self, connection: Connection) -> None:
        """Change stored bars by hand."""
        connection.execute(
            update(daily_prices)
            .where(daily_prices.c.trading_date == self.random.choice(self.dates))
            .values(adj_close=daily_prices.c.adj_close * 1.1)
        )

    def leave(self, connection: Connection) -> None:
        """Delete all bars of an asset, or of all of them."""
        if self.random.random() < 0.2:
            connection.execute(text("TRUNCATE roi.daily_prices"))
        else:
            connection.execute(
                delete(daily_prices).where(daily_prices.c.symbol == self.random.choice(SYMBOLS))
            )

    def forecast(self, connection: Connection) -> None:
        """Store forecasts of a session by some version, live or as a backfill."""
        place = self.random.randrange(len(self.dates))
        day = self.dates[place]
        target = (self.dates[place + 1 :] or [day + timedelta(days=1)])[0]
        version = self.random.choice(self._versions(connection))
        if version.last_date > day:
            return
        middles = [self.random.choice([0.0, self.random.uniform(-20, 20)]) for _ in SYMBOLS]
        rows = [
            {
                **self.forecast_of,
                "version_id": version.version_id,
                "symbol": symbol,
                "as_of_date": day,
                "target_date": target,
                "horizon": horizon,
                "method": "single_step" if horizon == 1 else "direct",
                "predicted_roi_pct": middle,
                "lower_80_pct": middle - 30,
                "upper_80_pct": middle + 30,
                "lower_95_pct": middle - 60,
                "upper_95_pct": middle + 60,
                "gap_roi_pct": None,
                "open_to_close_roi_pct": None,
                "backfill": self.random.random() < 0.3,
            }
            for symbol, middle in zip(SYMBOLS, middles, strict=True)
            for horizon in (1, 2)
        ]
        connection.execute(insert(predictions).on_conflict_do_nothing(), rows)

    def forget(self, connection: Connection) -> None:
        """Delete the forecasts of some sessions, or change them by hand."""
        day = self.random.choice(self.dates)
        chosen = predictions.c.as_of_date == day
        if self.random.random() < 0.5:
            connection.execute(delete(predictions).where(chosen))
            return
        may = [row.version_id for row in self._versions(connection) if row.last_date <= day]
        connection.execute(
            update(predictions)
            .where(chosen, predictions.c.version_id.in_(may))
            .values(backfill=~predictions.c.backfill)
        )

    def change_version(self, connection: Connection) -> None:
        """Let a version know fewer days, or give it to the other model name."""
        version = self.random.choice(self._versions(connection))
        values: dict[str, Any] = self.random.choice(
            [
                {"last_date": self.random.choice(self.dates)},
                {"model_name": self.random.choice(["reference", "other"]), "state": "retired"},
            ]
        )
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == version.version_id)
            .values(values)
        )

    def count(self, connection: Connection) -> None:
        """Bring the sums up to date."""
        count_outcomes(connection)

    def _versions(self, connection: Connection) -> Any:
        return connection.execute(
            select(model_versions).order_by(model_versions.c.version_id)
        ).all()

    @property
    def changes(self) -> list[Callable[[Connection], None]]:
        """Every kind of change, the usual ones more often."""
        usual = [self.next_session, self.forecast, self.restate, self.count]
        return [*usual, *usual, self.late_bar, self.fewer_bars, self.edit_bar, self.leave,
                self.forget, self.change_version]  # fmt: skip


@pytest.fixture
def market(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Market]:
    common = {"assets": len(SYMBOLS), "sessions": 30, "versions": 3}
    with planted_market(
        postgres, market_template, common, {**common, "model_name": "other", "source": "csv:own"}
    ) as planted:
        with planted.engine.connect() as connection:
            dates = connection.scalars(
                select(daily_prices.c.trading_date).distinct().order_by(daily_prices.c.trading_date)
            ).all()
            forecast = connection.execute(select(predictions).limit(1)).mappings().one()
        yield Market(planted.engine, random.Random(0), list(dates), forecast)


@pytest.mark.parametrize("seed", range(3))
def test_after_any_change_the_sums_are_those_of_prices_and_forecasts(
    market: Market, seed: int
) -> None:
    market.random.seed(seed)
    assert_views_agree(market.engine, "planting")
    done = []
    for _ in range(30):
        change = market.random.choice(market.changes)
        with market.engine.begin() as connection:
            change(connection)
        done.append(change.__name__)
        assert_views_agree(market.engine, done)


def test_counting_leaves_no_mark_and_stores_what_the_views_show(market: Market) -> None:
    with market.engine.begin() as connection:
        market.restate(connection)
        days = connection.execute(text("SELECT * FROM roi.track_record_days")).all()
        count_outcomes(connection)
        assert connection.scalar(select(func.count()).select_from(uncounted)) == 0
        assert connection.scalar(select(func.count()).select_from(counted_days)) == len(days)
        before = connection.execute(select(counted_months)).all()
        count_outcomes(connection)
        assert connection.execute(select(counted_months)).all() == before
    assert_views_agree(market.engine, "counting")


@pytest.mark.parametrize("change", ["next_session", "late_bar", "restate", "forecast"])
def test_a_change_committed_after_others_were_counted_is_still_seen(
    market: Market, change: str
) -> None:
    with market.engine.connect() as writer:
        getattr(market, change)(writer)
        with market.engine.begin() as other:
            market.forget(other)
        with market.engine.begin() as counting:
            count_outcomes(counting)
        assert_views_agree(market.engine, "counting")
        writer.commit()
    assert_views_agree(market.engine, f"{change} was committed")
    with market.engine.begin() as counting:
        count_outcomes(counting)
    assert_views_agree(market.engine, "counting again")


def test_migrating_counts_everything_again_if_marks_may_be_missing(market: Market) -> None:
    url = market.engine.url.render_as_string(hide_password=False)
    with market.engine.begin() as connection:
        count_outcomes(connection)
        connection.execute(
            text("ALTER TABLE roi.daily_prices DISABLE TRIGGER uncounted_when_updated")
        )
        connection.execute(
            update(daily_prices).values(adj_close=daily_prices.c.trading_date - date(2020, 1, 1))
        )
    with pytest.raises(AssertionError):
        assert_views_agree(market.engine, "a change without mark")
    migrate(url)
    assert_views_agree(market.engine, "migrating")
