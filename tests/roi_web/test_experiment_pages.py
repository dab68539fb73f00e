"""Pages and lists of runs, backtests, searches and compared versions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from planted import DAG_ID, NOW, Planted, plant_market, planted_market
from planted_experiments import (
    BACKTEST,
    BEST,
    FAILED_BACKTEST,
    PREDICTORS,
    SEARCH,
    STUDY,
    plant_comparison,
)
from roi_forecast.backtest.files import write_plot
from roi_forecast.config import RunConfig
from roi_forecast.database.tables import (
    extractions,
    promotions,
    runs,
    stage_attempts,
    stage_endings,
)
from roi_forecast.runs.attempts import record_start
from roi_local.postgres.server import EmbeddedPostgres
from roi_web.formatting import ABSENT, MINUS

RUN = "scheduled__reference__2026-11-20T22:15:00+00:00"


@pytest.fixture(scope="module")
def client(planted: Planted) -> TestClient:
    return planted.client()


@pytest.fixture
def own(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    """Two assets and two versions, for a test that changes them."""
    market = {"assets": 2, "sessions": 6, "versions": 2}
    with planted_market(postgres, market_template, market) as planted:
        yield planted


def page(client: TestClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return unescape(response.text)


def words(html: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", html).split())


def rows_of(html: str, region: str) -> list[list[str]]:
    table = html.partition(f'aria-label="{region}"')[2].partition("</table>")[0]
    return [
        [words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
    ]


# Runs


def attempt(
    market: Planted,
    stage: str,
    *,
    start: float,
    outcome: str,
    end: float,
    reason: str | None = None,
    number: int = 1,
    index: int = -1,
) -> None:
    begin = datetime(2026, 11, 20, 22, tzinfo=UTC)
    with market.engine.begin() as connection:
        attempt_id = connection.scalar(
            insert(stage_attempts)
            .values(
                run_id="failing",
                stage=stage,
                map_index=index,
                attempt=number,
                started_at=begin + timedelta(seconds=start),
            )
            .returning(stage_attempts.c.attempt_id)
        )
        connection.execute(
            insert(stage_endings).values(
                attempt_id=attempt_id,
                ended_at=begin + timedelta(seconds=end),
                outcome=outcome,
                ends_run=False,
                reason=reason,
            )
        )


@pytest.fixture
def failing(own: Planted) -> Planted:
    """A run of two stages; the second failed twice. One of two extractions failed."""
    config = RunConfig(symbols=("M&M.NS", "GC=F"), learning_rate=0.003).model_dump(mode="json")
    started = datetime(2026, 11, 20, 22, tzinfo=UTC)
    record_start(own.engine, "failing", DAG_ID, "reference", now=started)
    with own.engine.begin() as connection:
        connection.execute(
            insert(runs).values(
                run_id="failing",
                model_name="reference",
                source="yahoo",
                as_of_date=date(2026, 11, 20),
                published_at=started,
                resolved={"start_date": "2024-05-21", "config": config},
            )
        )
        connection.execute(
            insert(extractions),
            [
                {
                    "run_id": "failing",
                    "symbol": symbol,
                    "source": "yahoo",
                    "requested_start": date(2024, 5, 21),
                    "requested_end": date(2026, 11, 20),
                    "status": "ok" if error is None else "failed",
                    "rows": 12,
                    "error": error,
                    "finished_at": started,
                }
                for symbol, error in (("GC=F", None), ("M&M.NS", "no answer in 30 s"))
            ],
        )
    attempt(own, "resolve_run", start=0, end=2.5, outcome="succeeded")
    attempt(own, "extract_prices", start=3, end=63, outcome="retrying", reason="no answer", index=0)
    attempt(
        own,
        "extract_prices",
        start=70,
        end=100,
        outcome="failed",
        reason="all sources are away",
        index=0,
        number=2,
    )
    return own


def test_page_of_a_failed_run_says_where_why_and_how_long(failing: Planted) -> None:
    html = page(failing.client(), "/runs/failing")
    text = words(html)
    assert "It failed at extract_prices. all sources are away" in text
    assert "1 of 2 extractions failed from yahoo" in text
    assert text.index("no answer in 30 s") < text.index("Every asset")
    table = [[*row[:3], *row[4:]] for row in rows_of(html, "Attempts at stages")]
    assert table == [
        ["extract_prices 1", "retrying", "1", "60.0", "no answer"],
        ["extract_prices 1", "failed", "2", "30.0", "all sources are away"],
        ["resolve_run", "succeeded", "1", "2.5", ""],
    ]
    assert "extract_prices 1 min 37 s, 2 attempts, 1 failed" in text
    assert f'href="/dags/{DAG_ID}/runs/failing" data-airflow' in html
    assert f'href="/dags/{DAG_ID}/runs/failing/tasks/extract_prices/mapped/0"' in html


def test_page_of_a_run_lists_changed_parameters_before_the_others(failing: Planted) -> None:
    text = words(page(failing.client(), "/runs/failing"))
    changed, _, usual = text.partition("with their default")
    assert "learning_rate 0.003 (default: 0.001)" in changed
    assert "symbols M&M.NS, GC=F (default: 23 of them)" in changed
    assert "seq_len" not in changed
    assert "seq_len 60" in usual
    assert "learning_rate" not in usual


def test_page_of_a_done_run_shows_what_it_made(client: TestClient) -> None:
    html = page(client, f"/runs/{quote(RUN)}")
    text = words(html)
    assert f"<h1>{RUN}</h1>" in html
    assert "5 forecasts as of Fri 20 Nov 2026 of 5 assets, next session, by version" in text
    assert "the close moved by 12.0 %, more than 10.0 %" in text
    assert "forecasts due 2026-11-20 22:00 UTC" in text


def test_page_of_a_run_shows_candidate_verdict_and_promotion(client: TestClient) -> None:
    details = client.get("/api/v1/versions/reference-version-01").json()["details"]
    text = words(page(client, f"/runs/{quote(details['run_id'])}"))
    assert "Trained reference-version-01 retired" in text
    assert "promoted verdict all 6 rules passed" in text
    assert "Versions that it let serve reference-version-01 since" in text


def test_run_of_a_dag_that_records_nothing_leads_to_airflow(own: Planted) -> None:
    client = own.client()
    assert client.get("/runs/rollback-1").status_code == 404
    html = page(client, "/runs/rollback-1?dag_id=roll_back_champion")
    assert "Nothing is recorded of this run" in html
    assert 'href="/dags/roll_back_champion/runs/rollback-1" data-airflow' in html
    with own.engine.begin() as connection:
        connection.execute(
            insert(promotions).values(
                model_name="reference",
                version_id="reference-version-00",
                promoted_by="anna in run rollback-1",
                reason="rollback: too wide",
            )
        )
    text = words(page(client, "/runs/rollback-1?dag_id=roll_back_champion"))
    assert "It changed the champion" in text
    assert "anna in run rollback-1: rollback: too wide" in text
    assert client.get("/runs/back-1").status_code == 404, "the end of another run's id"


def test_runs_are_listed_by_state_over_pages(client: TestClient) -> None:
    html = page(client, "/runs")
    listed = re.findall(r'href="/roi/runs/([^"?]+)">', html)
    assert len(listed) == 30
    assert {BACKTEST, FAILED_BACKTEST, SEARCH} <= set(listed)
    (older,) = re.findall(r'rel="next" href="/roi([^"]+)"', html)
    following = re.findall(r'href="/roi/runs/([^"?]+)">', page(client, older))
    assert len(following) == 30
    assert not set(following) & set(listed)
    failed = page(client, "/runs?state=failed")
    assert re.findall(r'href="/roi/runs/([^"?]+)">', failed) == [FAILED_BACKTEST]
    assert "/roi/api/v1/runs?model_name=reference&state=failed&format=csv" in failed
    in_api = client.get("/api/v1/runs?model_name=reference&state=failed").json()["items"]
    assert [row["run_id"] for row in in_api] == [FAILED_BACKTEST]
    assert "No run is in this state" in page(client, "/runs?state=running")


@pytest.mark.parametrize("path", ["/runs", "/health"])
def test_run_that_was_refused_is_only_on_the_pages_of_its_name_if_that_has_pages(
    own: Planted, path: str
) -> None:
    for run_id, name in (("of-another", "reference"), ("of-none", None), ("of-new", "new")):
        record_start(own.engine, run_id, DAG_ID, name, now=NOW)
    plant_market(own.engine, assets=1, sessions=2, model_name="two", source="two", versions=1)
    html = page(own.client(), f"{path}?model_name=two")
    assert {"of-none", "of-new"} <= set(re.findall(r'href="/roi/runs/([^"?]+)">', html))
    assert "of-another" not in html
    assert "of-another" in page(own.client(), f"{path}?model_name=reference")


def test_run_that_has_not_resolved_its_parameters_was_not_refused(own: Planted) -> None:
    record_start(own.engine, "starting", DAG_ID, "reference", now=NOW)
    text = words(page(own.client(), "/runs/starting"))
    assert "Its parameters are not resolved yet" in text


def test_list_of_a_run_s_stages_and_extractions_is_in_the_api(failing: Planted) -> None:
    client = failing.client()
    stages = client.get("/api/v1/stages?run_id=failing&state=failed").json()["items"]
    assert [(row["stage"], row["attempt"], row["reason"]) for row in stages] == [
        ("extract_prices", 2, "all sources are away")
    ]
    found = client.get("/api/v1/extractions?run_id=failing&symbol=M%26M.NS").json()["items"]
    assert [(row["status"], row["error"]) for row in found] == [("failed", "no answer in 30 s")]
    record = client.get("/api/v1/runs/failing").json()
    assert record["run"]["state"] == "failed"
    assert record["resolved"]["parameters"]["learning_rate"] == 0.003
    assert len(record["stages"]) == 3
    assert client.get("/api/v1/runs/none").status_code == 404


# Backtests


def test_backtests_are_listed_with_those_that_failed(client: TestClient) -> None:
    text = words(page(client, "/backtests"))
    assert f"done {BACKTEST}" in text
    assert f"failed at resolve_backtest {FAILED_BACKTEST} refit_every: received 0" in text
    assert "model: +0.0200 (95 %: +0.010 to +0.030); in the 80 % interval 80.1 %" in text
    assert "No backtest yet" in page(client, "/backtests?model_name=simulated")


def test_backtest_shows_its_predictors_next_to_each_other(client: TestClient) -> None:
    html = page(client, f"/backtests/{quote(BACKTEST)}")
    together = {row[0]: row[1:] for row in rows_of(html, "Scores over all folds")}
    assert together["Next-day R2 against zero"] == [
        "+0.0200 +0.010 to +0.030 t 4.0",
        "+0.0150 +0.005 to +0.025 t 3.0",
        "+0.0100 0.000 to +0.020 t 2.0",
        f"+0.0050 {MINUS}0.005 to +0.015 t 1.0",
        f"0.0000 {MINUS}0.010 to +0.010 t 0.0",
    ]
    assert together["Direction right"] == ["52.0 %"] * 4 + [ABSENT]
    folds = rows_of(html, "Scores by fold")
    assert [row[0] for row in folds] == ["1"] * len(PREDICTORS) + ["2"] * len(PREDICTORS)
    assert folds[0][2] == "2026-08-03 to 2026-08-28"
    text = words(html)
    assert "refit_every 21" in text
    assert "symbols GC=F, M&M.NS" in text
    assert client.get(f"/backtests/{quote(RUN)}").status_code == 404, "a daily run"


def test_backtest_of_which_nothing_came_says_why(client: TestClient) -> None:
    text = words(page(client, f"/backtests/{quote(FAILED_BACKTEST)}"))
    assert "It failed. refit_every: received 0" in text
    assert "folds together" not in text


def test_plot_of_a_backtest_is_sent_only_as_it_was_written(
    planted: Planted, tmp_path: Path
) -> None:
    path = write_plot(tmp_path, BACKTEST, b"\x89PNG of the test")
    client = planted.client(backtests_directory=tmp_path)
    html = page(client, f"/backtests/{quote(BACKTEST)}")
    (address,) = re.findall(r'<img[^>]+src="/roi(/backtests/[^"]+)"', html)
    assert client.get(address).content == b"\x89PNG of the test"
    # The two ids have the same folder.
    other = address.replace(BACKTEST, BACKTEST.replace("+", "_"))
    assert other != address
    assert client.get(other).status_code == 404
    path.write_bytes(b"\x89PNG of somebody else")
    answer = client.get(address)
    assert answer.status_code == 404
    assert "somebody" not in answer.text


# Tuning


def test_study_shows_ranked_trials_best_set_and_importance(client: TestClient) -> None:
    html = page(client, f"/tuning/{STUDY}")
    text = words(html)
    assert "5 of 8 trials finished, 1 of them pruned" in text
    assert "Best set: trial 1, validation R2 0.7900" in text
    assert "The run's own set, the first trial, has 0.7812" in text
    assert [row[:3] for row in rows_of(html, "Trials")] == [
        ["1", "1", "0.7900"],
        ["2", "4", "0.7850"],
        ["3", "0", "0.7812"],
        ["4", "3", "0.7000"],
        [ABSENT, "2", "pruned"],
    ]
    assert [row[:2] for row in rows_of(html, "Importance of hyperparameters")] == [
        ["learning_rate", "75 %"],
        ["batch_size", "25 %"],
    ]
    assert f'href="/roi/tuning/{STUDY}"' in page(client, "/tuning")


def test_best_set_is_a_conf_that_a_run_takes(client: TestClient) -> None:
    html = page(client, f"/tuning/{STUDY}")
    of_study, of_values = (
        json.loads(conf) for conf in re.findall(r"make run CONF='([^']+)'", html)
    )
    assert of_study == {"tuned_study": STUDY}
    config = RunConfig.model_validate(of_values)
    assert config.batch_size == 32
    assert config.learning_rate == pytest.approx(BEST["learning_rate"], rel=1e-5)
    assert "0.0012345678" not in html


def test_searches_are_in_the_api(client: TestClient) -> None:
    (study,) = client.get("/api/v1/tuning-studies?model_name=reference").json()["items"]
    assert (study["complete"], study["pruned"], study["best_trial"]) == (4, 1, 1)
    trials = client.get(f"/api/v1/tuning-trials?study={STUDY}&limit=2").json()
    assert [row["trial"] for row in trials["items"]] == [0, 1]
    rest = client.get(f"/api/v1/tuning-trials?study={STUDY}&cursor={trials['next_cursor']}").json()
    assert [row["trial"] for row in rest["items"]] == [2, 3, 4]
    folds = client.get("/api/v1/backtests?predictor=linear").json()["items"]
    assert sorted(row["place"] for row in folds) == [-1, 0, 1]


# Two versions


@pytest.mark.parametrize(
    ("first", "second"), [("version-01", "version-00"), ("version-00", "version-01")]
)
def test_versions_that_a_run_compared_show_the_difference_with_its_bounds(
    own: Planted, first: str, second: str
) -> None:
    client = own.client()
    run_id = client.get("/api/v1/versions/reference-version-01").json()["details"]["run_id"]
    plant_comparison(
        own.engine,
        run_id=run_id,
        version_id="reference-version-01",
        dataset_id="reference-data",
    )
    text = words(page(client, f"/compare?a=reference-{first}&b=reference-{second}"))
    assert "reference-version-01 against reference-version-00 , 88 sessions" in text
    assert "next-day R2 against zero +0.0123 and +0.0100" in text
    assert (
        f"a difference of +0.0023 (95 %: {MINUS}0.0011 to +0.0057), nothing that can be told"
        in text
    )
    (row,) = client.get("/api/v1/comparisons?opponent=reference-version-00").json()["items"]
    assert (row["sessions"], row["r2_gain"], row["interval_gain"]) == (88, 0.0023, 0.01)


def test_versions_next_to_each_other_show_scores_rulings_and_what_differs(
    client: TestClient,
) -> None:
    html = page(client, "/compare?a=reference-version-03&b=reference-version-02")
    scores = {row[0]: row[1:] for row in rows_of(html, "Test scores of both")}
    assert scores["R2 of the smoothed ROI"] == ["0.774", "0.771"]
    assert ["last_date", "2026-10-26", "2026-10-12"] in rows_of(html, "What differs")
    rulings = {row[0]: row[1:] for row in rows_of(html, "Rulings of the gate")}
    assert rulings["verdict"] == [
        "promoted all 6 rules passed",
        "rejected champion: R2 0.7560 against 0.7710",
    ]
    assert "No run compared these two on the same sessions" in html


def test_versions_of_other_names_and_assets_are_compared(client: TestClient) -> None:
    text = words(page(client, "/compare?a=reference-version-03&b=simulated-version-00"))
    assert "Only A has 3 assets: ASSET000.NS, ASSET001.NS, ^NSEI." in text
    assert "Only A has the context: INR=X, ^GSPC." in text


def test_comparison_needs_two_known_versions(client: TestClient) -> None:
    assert "Two versions" in page(client, "/compare")
    assert "Two versions" in page(client, "/compare?a=reference-version-03")
    answer = client.get("/compare?a=reference-version-03&b=none")
    assert answer.status_code == 404
    assert "there is no version &#39;none&#39;" in answer.text
    html = page(client, "/compare?a=reference-version-03&b=reference-version-03")
    assert "Both are the same version." in html


# Old forecasts


@pytest.mark.parametrize("path", ["/", "/track-record", "/versions", "/backtests", "/tuning",
                                  "/runs", "/health", "/assets/GC=F", f"/runs/{quote(RUN)}",
                                  "/versions/reference-version-02", f"/tuning/{STUDY}",
                                  f"/backtests/{quote(BACKTEST)}"])  # fmt: skip
def test_every_page_says_on_top_that_forecasts_are_old(planted: Planted, path: str) -> None:
    # By Wednesday noon Mumbai had one session since Friday the 20th: Tuesday was a holiday.
    client = planted.client(clock=lambda: datetime(2026, 11, 25, 12, tzinfo=UTC))
    html = page(client, path)
    text = words(html)
    assert (
        "Old forecasts. The newest of reference are from prices up to Fri 20 Nov 2026, 1 session "
        "before those that were due last (Mon 23 Nov 2026). The last run, "
        f"{RUN} , is done, as of Fri 20 Nov 2026." in text
    )
    assert html.index("Old forecasts") < html.index("<h1>")
    assert f'<a href="/roi/runs/{RUN}">' in html


def test_forecasts_are_old_only_after_the_deadline(own: Planted) -> None:
    moment = datetime(2026, 11, 24, 6, tzinfo=UTC)
    late = own.client(clock=lambda: moment, deadline=timedelta(0))
    assert "1 session before" in page(late, "/")
    patient = own.client(clock=lambda: moment, deadline=timedelta(days=2))
    assert "Old forecasts" not in page(patient, "/")
    assert "Old forecasts" not in page(own.client(clock=lambda: NOW), "/")


def test_age_of_a_backfill_of_the_past_is_said_in_sessions(own: Planted) -> None:
    client = own.client(clock=lambda: datetime(2028, 11, 20, 12, tzinfo=UTC))
    (sessions,) = re.findall(r"([\d,]+) sessions before those", page(client, "/"))
    assert 480 < int(sessions) < 525


def test_last_run_is_named_with_its_failure(failing: Planted) -> None:
    client = failing.client(clock=lambda: datetime(2026, 11, 25, 12, tzinfo=UTC))
    assert "failing , failed at extract_prices." in words(page(client, "/"))
