"""Every question of docs/sql.md has an answer, and those with figures the right one."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from documentation import commands
from planted import Planted, planted_market
from roi_forecast.database.migrate import migrate
from roi_forecast.database.views import read_views
from roi_local.environment import REPOSITORY
from roi_local.postgres.programs import SUPERUSER, program
from roi_local.postgres.server import EmbeddedPostgres

from .questions import PAGE, QUESTIONS
from .story import MARKETS, TODAY, plant_story

LIVE = "horizon == 1 and not backfill"


@pytest.fixture(scope="module")
def story(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    with planted_market(postgres, market_template, *MARKETS) as market:
        plant_story(market.engine)
        yield market


@pytest.fixture(scope="module")
def forecasts(story: Planted) -> pd.DataFrame:
    """Stored forecasts of the name reference with what happened, by pandas alone."""
    with story.engine.connect() as connection:
        own = pd.read_sql(text("SELECT * FROM roi.predictions"), connection)
        prices = pd.read_sql(
            text("SELECT * FROM roi.daily_prices WHERE source = 'yahoo'"),
            connection,
        )
    own = own[own["version_id"].str.startswith("reference-")]
    close = prices.set_index(["symbol", "trading_date"])["adj_close"]
    start = close.reindex(pd.MultiIndex.from_frame(own[["symbol", "as_of_date"]])).to_numpy()
    end = close.reindex(pd.MultiIndex.from_frame(own[["symbol", "target_date"]])).to_numpy()
    own = own.assign(actual=100 * (end / start - 1))
    own = own.assign(error=own["actual"] - own["predicted_roi_pct"])
    return own[own["actual"].notna()]


def ask(story: Planted, number: int) -> pd.DataFrame:
    """Answer a question as a reader would have on the last day of the story."""
    query = QUESTIONS[number].replace("current_date", f"DATE '{TODAY}'")
    with story.reader.connect() as connection:
        return pd.read_sql(text(query), connection)


def coverage(rows: pd.DataFrame, level: int) -> pd.Series:
    return rows["actual"].between(rows[f"lower_{level}_pct"], rows[f"upper_{level}_pct"])


def test_the_page_asks_25_questions_with_an_answer_in_words() -> None:
    assert list(QUESTIONS) == list(range(1, 26))
    assert len(re.findall("^### ", PAGE, re.MULTILINE)) == 25
    for query in QUESTIONS.values():
        after = PAGE.split(query)[1].removeprefix("```").strip()
        assert re.match(r"[^#`\n]|`", after), query


@pytest.mark.parametrize("number", QUESTIONS)
def test_a_reader_gets_rows_of_the_named_model_alone(story: Planted, number: int) -> None:
    assert len(ask(story, number)) > 0
    query = QUESTIONS[number]
    if "model_name" in query:
        with story.reader.connect() as connection:
            other = query.replace("'reference'", "'nobody'")
            assert connection.execute(text(other)).all() == []


def test_forecasts_are_ranked_from_the_highest(story: Planted) -> None:
    found = ask(story, 1)
    assert list(found["rank"]) == [1, 2, 3, 4, 5]
    assert found["predicted_roi_pct"].is_monotonic_decreasing


def test_next_week_is_the_seven_days_from_monday_on(story: Planted) -> None:
    days = set(ask(story, 2)["target_date"])
    monday = TODAY + timedelta(days=7 - TODAY.weekday())
    assert days == {monday, monday + timedelta(days=4)}


def test_horizons_stand_side_by_side(story: Planted, forecasts: pd.DataFrame) -> None:
    with story.engine.connect() as connection:
        stored = pd.read_sql(text("SELECT * FROM roi.predictions"), connection)
    newest = stored[
        (stored["version_id"] == "reference-version-03") & (stored["as_of_date"] == TODAY)
    ]
    expected = newest.pivot(index="symbol", columns="horizon", values="predicted_roi_pct")
    found = ask(story, 3).set_index("symbol").loc[expected.index]
    names = ["next_session_pct", "in_5_sessions_pct", "in_20_sessions_pct"]
    np.testing.assert_array_equal(found[names].to_numpy(), expected[[1, 5, 20]].to_numpy())


def test_last_months_errors_are_those_of_pandas(story: Planted, forecasts: pd.DataFrame) -> None:
    live = forecasts.query(LIVE)
    last = live[live["target_date"].map(lambda day: (day.year, day.month) == (2026, 10))]
    groups = last.groupby("symbol")
    found = ask(story, 5).set_index("symbol").sort_index()
    assert list(found.index) == sorted(groups.groups)
    assert list(found["forecasts"]) == list(groups.size()) == [22] * 5
    errors = groups["error"].agg(lambda values: values.abs().mean())
    of_zero = groups["actual"].agg(lambda values: values.abs().mean())
    np.testing.assert_allclose(found["mean_absolute_error_pct"], errors)
    np.testing.assert_allclose(found["error_of_zero_pct"], of_zero)


def test_coverage_by_month_is_that_of_pandas(story: Planted, forecasts: pd.DataFrame) -> None:
    live = forecasts.query(LIVE)
    month = live["target_date"].map(lambda day: day.replace(day=1))
    found = ask(story, 6).set_index("month")
    assert len(found) >= 3
    for level in (80, 95):
        expected = coverage(live, level).groupby(month).mean()
        assert list(found.index) == list(expected.index)
        np.testing.assert_allclose(found[f"coverage_{level}"].astype(float), expected)


def test_bias_and_its_t_are_those_of_pandas(story: Planted, forecasts: pd.DataFrame) -> None:
    groups = forecasts.query(LIVE).groupby("symbol")["error"]
    found = ask(story, 7).set_index("symbol").sort_index()
    np.testing.assert_allclose(found["bias_pct"], groups.mean())
    np.testing.assert_allclose(found["t"], groups.mean() / groups.sem())


def test_an_asset_without_a_direction_is_left_out(story: Planted, forecasts: pd.DataFrame) -> None:
    live = forecasts.query(f"{LIVE} and predicted_roi_pct != 0 and actual != 0")
    right = (live["predicted_roi_pct"] > 0) == (live["actual"] > 0)
    expected = right.groupby(live["symbol"]).mean()
    found = ask(story, 8).set_index("symbol").sort_index()
    assert "M&M.NS" not in found.index
    assert list(found.index) == list(expected.index)
    np.testing.assert_allclose(found["share_right"].astype(float), expected)


def test_horizons_and_backfills_are_apart(story: Planted, forecasts: pd.DataFrame) -> None:
    groups = forecasts.groupby(["horizon", "backfill"])
    found = ask(story, 9).set_index(["horizon", "backfill"])
    assert list(found.index) == [(h, b) for h in (1, 5, 20) for b in (False, True)]
    assert list(found["forecasts"]) == list(groups.size())
    errors = groups["error"].agg(lambda values: values.abs().mean())
    np.testing.assert_allclose(found["mean_absolute_error_pct"], errors)


def test_r2_against_zero_by_year_is_that_of_pandas(story: Planted, forecasts: pd.DataFrame) -> None:
    live = forecasts.query(LIVE)
    (row,) = ask(story, 10).to_dict("records")
    assert (row["year"], row["sessions"]) == (2026, live["target_date"].nunique())
    squares = live[["error", "actual"]].pow(2).groupby(live["symbol"]).sum()
    expected = (1 - squares["error"] / squares["actual"]).mean()
    assert row["r2_against_zero"] == pytest.approx(expected)


def test_the_worst_misses_are_outside_and_sorted(story: Planted, forecasts: pd.DataFrame) -> None:
    live = forecasts.query(LIVE)
    outside = live[~coverage(live, 95)]
    worst = outside.reindex(outside["error"].abs().sort_values(ascending=False).index)[:20]
    found = ask(story, 11)
    assert list(zip(found["symbol"], found["target_date"], strict=True)) == list(
        zip(worst["symbol"], worst["target_date"], strict=True)
    )


def test_a_rejection_names_the_rules_that_failed(story: Planted) -> None:
    (row,) = ask(story, 12).to_dict("records")
    assert (row["version_id"], row["rule"]) == ("reference-version-02", "champion")


def test_each_version_served_until_the_next(story: Planted) -> None:
    found = ask(story, 13)
    assert list(found["served_until"])[:-1] == list(found["served_from"])[1:]
    assert pd.isna(found["served_until"].iloc[-1])


def test_only_changed_parameters_are_shown(story: Planted) -> None:
    found = ask(story, 14)
    assert list(found["parameter"]) == ["epochs", "units"]
    assert list(found["now"]) == [80, 32]
    assert found["before"][0] == 120
    assert pd.isna(found["before"][1])


def test_the_context_is_taken_out_of_the_forecast(story: Planted, forecasts: pd.DataFrame) -> None:
    live = forecasts.query(LIVE)
    found = ask(story, 16).set_index("context_symbol")
    for symbol in ("^GSPC", "^N225"):
        added = live["context"].map(lambda context, key=symbol: context[key]["added_pct"])
        without = (live["actual"] - (live["predicted_roi_pct"] - added)).abs().mean()
        assert found.loc[symbol, "error_without_pct"] == pytest.approx(without)
        assert found.loc[symbol, "error_pct"] == pytest.approx(live["error"].abs().mean())


def test_the_backtest_is_the_newest_with_all_folds_last(story: Planted) -> None:
    found = ask(story, 17)
    assert len(found) == 8
    assert found["fold"].isna().to_list() == [False] * 6 + [True] * 2


def test_the_best_trial_is_the_one_with_the_highest_score(story: Planted) -> None:
    (row,) = ask(story, 18).to_dict("records")
    assert (row["study"], row["trial"], row["parameters"]) == ("spring", 1, {"units": 32})


def test_stages_take_from_their_start_to_their_end(story: Planted) -> None:
    found = ask(story, 19)
    assert set(found["mean"]) == set(found["longest"]) == {timedelta(hours=1)}


def test_failures_of_the_last_seven_days_count(story: Planted) -> None:
    (row,) = ask(story, 20).to_dict("records")
    assert (row["symbol"], row["failures"]) == ("M&M.NS", 2)


def test_holdings_are_weighted(story: Planted) -> None:
    forecast = ask(story, 1).set_index("symbol")["predicted_roi_pct"]
    (row,) = ask(story, 23).to_dict("records")
    assert row["predicted_roi_pct"] == pytest.approx(0.6 * forecast["GC=F"])
    assert (row["assets"], float(row["weight"])) == (2, 1.0)


def test_prices_of_a_date_are_of_the_last_bar_before(story: Planted) -> None:
    found = ask(story, 24)
    assert len(found) == 5
    assert set(found["trading_date"]) == {date(2026, 10, 30)}


def test_a_load_takes_what_was_stored_since(story: Planted) -> None:
    found = ask(story, 25)
    assert set(found["as_of_date"]) == {date(2026, 11, 18), date(2026, 11, 19), TODAY}
    assert not found.duplicated(["version_id", "symbol", "as_of_date", "horizon"]).any()


def test_the_table_of_views_is_theirs() -> None:
    written = runpy.run_path(str(REPOSITORY / "docs" / "view_tables.py"))["page"]()
    assert written == PAGE, "run `python docs/view_tables.py`"
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == read_views().keys()


def test_a_table_of_ones_own_is_joined_by_readers_and_survives_an_update(
    story: Planted, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    (tmp_path / "holdings.csv").write_text("symbol,weight\nGC=F,0.25\nM&M.NS,0.75\n")
    database = str(story.engine.url.database)
    for command in commands("own tables"):
        query = shlex.split(command.text)[-1].removeprefix("QUERY=")
        connection = ["--host", str(postgres.socket_directory), "--username", SUPERUSER]
        subprocess.run(
            [
                str(program("psql")),
                *connection,
                "--dbname",
                database,
                "--command",
                query.removeprefix("QUERY="),
            ],
            cwd=tmp_path,
            check=True,
        )
    migrate(postgres.url(database))
    _, _, joined = QUESTIONS[23].partition(")\nSELECT")
    query = f"SELECT{joined}".replace("FROM holdings", "FROM mine.holdings")
    with story.reader.connect() as reader:
        (row,) = reader.execute(text(query)).all()
        assert (row.assets, row.weight) == (2, 1.0)
        with pytest.raises(DBAPIError, match=r"permission denied|read-only"):
            reader.execute(text("INSERT INTO mine.holdings VALUES ('A', 1)"))


def test_forecasts_fit_into_a_parquet_file(story: Planted, tmp_path: Path) -> None:
    with story.reader.connect() as connection:
        forecasts = pd.read_sql(text("SELECT * FROM roi.latest_forecasts"), connection)
    forecasts.to_parquet(tmp_path / "forecasts.parquet")
    again = pd.read_parquet(tmp_path / "forecasts.parquet")
    assert again["predicted_roi_pct"].tolist() == forecasts["predicted_roi_pct"].tolist()
