from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from markupsafe import escape
from sqlalchemy import cast, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from planted import DAG_ID, TOKEN, Planted, planted_market
from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import assets, evaluations, model_versions, predictions
from roi_forecast.files.artifacts import create_folder, write_file, write_manifest
from roi_forecast.runs.attempts import Attempt, Ending, record_start, recorded
from roi_local.postgres.server import EmbeddedPostgres
from roi_web.formatting import MINUS, percent, signed
from roi_web.navigation import Tab
from roi_web.pages import TABS
from special_files import SPECIAL_FILES

PAGES = ("/", "/track-record", "/versions", "/backtests", "/tuning", "/runs", "/health")


@pytest.fixture(scope="module")
def client(planted: Planted) -> TestClient:
    return planted.client()


@pytest.fixture(scope="module")
def crowd(postgres: EmbeddedPostgres, market_template: str) -> Iterator[TestClient]:
    """500 assets, a few sessions."""
    with planted_market(
        postgres, market_template, {"assets": 500, "sessions": 12, "versions": 1}
    ) as market:
        yield market.client()


@pytest.fixture
def lonely(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Planted]:
    """One asset and one version, for a test that changes them."""
    with planted_market(
        postgres, market_template, {"assets": 1, "sessions": 5, "versions": 1}
    ) as market:
        yield market


def page(client: TestClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return response.text


def shown_symbols(html: str) -> list[str]:
    return [
        symbol.replace("&amp;", "&")
        for symbol in re.findall(
            r'<h2><a [^>]+>[^<]+</a> <span class="symbol">([^<]+)</span>', html
        )
    ]


@pytest.mark.parametrize("path", PAGES)
def test_page_of_an_empty_database_says_what_to_do(unplanted: Planted, path: str) -> None:
    html = page(unplanted.client(), path)
    assert re.search(r"No (forecasts|outcome|version|backtest|search|run) yet", html)
    dag = {"/backtests": "backtest", "/tuning": "tune"}.get(path, "daily")
    assert f'href="/dags/{dag}_roi_forecast" data-airflow' in html


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.title)
def test_page_has_the_title_of_its_entry_in_the_navigation(client: TestClient, tab: Tab) -> None:
    html = page(client, f"/{tab.path}")
    assert f"<title>{tab.title} · ROI Forecast</title>" in html
    assert re.findall(r'aria-current="page">([^<]+)</a>', html) == [tab.title]


def test_name_without_a_champion_says_why_there_is_no_forecast(lonely: Planted) -> None:
    with lonely.engine.begin() as connection:
        connection.execute(update(model_versions).values(state="rejected"))
    html = page(lonely.client(), "/")
    assert "No version serves yet" in html
    assert "rejected" in page(lonely.client(), "/versions")
    assert "does not forecast this asset" in page(lonely.client(), "/assets/GC%3DF")


def test_real_prices_are_shown_first_and_simulated_ones_are_labelled(client: TestClient) -> None:
    assert "Simulated prices." not in page(client, "/")
    for path in PAGES:
        assert "Simulated prices." in page(client, f"{path}?model_name=simulated")
    assert "Simulated prices." in page(client, "/versions/simulated-version-00")


def test_skill_is_next_to_the_forecasts_in_fitting_words(client: TestClient) -> None:
    for path in ("/", "/assets/GC%3DF"):
        html = page(client, path)
        assert f"Next-day R2 against zero on test rows: {MINUS}0.0003</strong>" in html
        assert f"(95 %: {MINUS}0.002 to +0.001;" in html
        assert "That cannot be told from chance: read the interval, not the point." in html


@pytest.mark.parametrize(
    ("lower", "upper", "words", "of_network"),
    [
        (0.01, 0.03, "more than chance explains", ", more than chance explains."),
        (-0.03, -0.01, "worse than a forecast of zero", ": it costs accuracy."),
        (-0.01, 0.03, "cannot be told from chance", ": nothing that can be told from"),
        (None, None, "cannot be told from chance", ": nothing that can be told from"),
    ],
)
def test_skill_and_the_network_are_judged_by_their_bounds(
    lonely: Planted, lower: float | None, upper: float | None, words: str, of_network: str
) -> None:
    own = {"network_r2_gain_lower_95": lower, "network_r2_gain_upper_95": upper}
    metrics = model_versions.c.metrics.concat(cast(own, JSONB))
    with lonely.engine.begin() as connection:
        connection.execute(update(model_versions).values(metrics=metrics))
        for bound, value in (("lower", lower), ("upper", upper)):
            of_bound = evaluations.c.metric == f"r2_against_zero_{bound}_95"
            connection.execute(update(evaluations).where(of_bound).values(value=value))
    assert words in page(lonely.client(), "/")
    for path in ("/versions", "/versions/reference-version-00"):
        html = page(lonely.client(), path)
        assert "The network adds +0.0001 to the linear part's next-day R2" in html
        assert of_network in html
        assert "8 % of what it says is published." in html


def test_a_network_of_which_nothing_is_published_is_said_to_add_nothing(lonely: Planted) -> None:
    with lonely.engine.begin() as connection:
        connection.execute(update(model_versions).values(metrics={"network_factor": 0.0}))
    for path in ("/versions", "/versions/reference-version-00"):
        html = page(lonely.client(), path)
        assert "The network adds nothing" in html
        assert "+0.0001" not in html.partition("Test R2")[0]


def cells_of(html: str, region: str) -> list[list[str]]:
    """Return the words of each cell of a table's body."""
    table = html.partition(f'aria-label="{region}"')[2].partition("</table>")[0]
    return [
        [
            " ".join(re.sub("<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
    ]


def test_context_of_the_forecasts_is_shown_with_its_moves_and_what_they_add(
    client: TestClient,
) -> None:
    stored = client.get("/api/v1/forecasts/latest/context?symbol=GC%3DF").json()["items"]
    moves = {row["context_name"]: row["move_pct"] for row in stored}
    ordered = sorted(moves, key=lambda name: -abs(moves[name]))
    expected = [
        [
            f"{name} bar missing" if name == "Context 1" else name,
            percent(moves[name]),
            percent(0.1 * moves[name], 3),
        ]
        for name in ordered
    ]
    for path in ("/", "/assets/GC%3DF"):
        html = page(client, path)
        assert cells_of(html, "Context") == expected
        assert "cannot be earned by buying at the close before" in html
        assert "Made without a bar that was due: INR=X." in html
        assert "due 2026-11-20 22:00 UTC" in html
    assert "cannot be earned" not in page(client, "/?model_name=simulated")
    assert "Made without" not in page(client, "/?model_name=simulated")


def test_what_context_adds_to_an_asset_is_averaged_over_all_in_the_list(lonely: Planted) -> None:
    effects = {"A": 0.5, "B": -0.2}
    with lonely.engine.begin() as connection:
        row = dict(connection.execute(select(predictions)).mappings().all()[-1])
        for symbol, added in effects.items():
            context = {"^X": {"move_pct": 1.5, "added_pct": added}}
            connection.execute(
                insert(predictions).values(row | {"symbol": symbol, "context": context})
            )
    client = lonely.client()
    assert cells_of(page(client, "/"), "Context") == [["^X", "+1.50 %", "+0.150 %"]]
    for symbol, words in {"A": "+0.500 %", "B": f"{MINUS}0.200 %"}.items():
        assert cells_of(page(client, f"/assets/{symbol}"), "Context") == [["^X", "+1.50 %", words]]


def test_worth_of_forecasts_is_shown_lately_and_on_test_rows(client: TestClient) -> None:
    live = f"+0.0151 {MINUS}0.005 to +0.036"
    expected = [
        ["Next session", live, f"{MINUS}0.0003 {MINUS}0.002 to +0.001, t {MINUS}0.4"],
        ["Its opening gap", live, "+0.0312 +0.021 to +0.042, t 6.0"],
        ["Open to close", live, f"{MINUS}0.0006 {MINUS}0.002 to +0.001, t {MINUS}0.9"],
    ]
    for path in ("/", "/assets/GC%3DF"):
        html = page(client, path)
        assert cells_of(html, "R2 against zero") == expected
        assert "Newest 59 sessions" in html
    of_version = page(client, "/versions/reference-version-03")
    assert cells_of(of_version, "R2 against zero") == [[row[0], row[2]] for row in expected]


def test_version_page_names_context_and_time_of_publication(client: TestClient) -> None:
    assert "Context: ^GSPC, INR=X. Publishes after the close." in page(
        client, "/versions/reference-version-03"
    )
    assert "No context. Publishes after the close." in page(
        client, "/versions/simulated-version-00"
    )


def test_forecast_is_shown_with_its_parts(client: TestClient) -> None:
    (row,) = client.get("/api/v1/forecasts/latest?symbol=GC%3DF&model_name=reference").json()[
        "items"
    ]
    gap, rest = row["gap_roi_pct"], row["open_to_close_roi_pct"]
    assert f"gap {signed(gap)}, after {signed(rest)}" in page(client, "/")
    words = f"opening gap {percent(gap)}, open to close {percent(rest)}"
    assert words in page(client, "/assets/GC%3DF")


def test_asset_page_shows_the_spread_of_an_ensemble_s_networks(lonely: Planted) -> None:
    assert "ensemble" not in page(lonely.client(), "/assets/GC=F")
    with lonely.engine.begin() as connection:
        connection.execute(update(predictions).values(member_spread_pct=0.0124))
    assert "forecasts of the smoothed ROI differ by 0.012" in page(lonely.client(), "/assets/GC=F")
    (forecast,) = lonely.client().get("/api/v1/forecasts/latest").json()["items"]
    assert forecast["member_spread_pct"] == 0.0124


def test_asset_page_shows_every_odd_symbol(client: TestClient) -> None:
    for quoted, symbol in (("GC%3DF", "GC=F"), ("M%26M.NS", "M&amp;M.NS"), ("%5ENSEI", "^NSEI")):
        html = page(client, f"/assets/{quoted}?model_name=reference")
        assert f'<span class="symbol">{symbol}</span></h1>' in html
        assert "Price and forecast" in html
    assert client.get("/assets/NONE").status_code == 404


def test_links_of_the_list_lead_to_the_assets(client: TestClient) -> None:
    html = page(client, "/")
    links = [link.replace("&amp;", "&") for link in re.findall(r'<h2><a href="/roi([^"]+)', html)]
    assert len(links) == 5
    assert any(link.startswith("/assets/GC=F") for link in links), "without needless escapes"
    for link in links:
        page(client, link)


def test_track_record_counts_backfills_only_when_asked(client: TestClient) -> None:
    without = page(client, "/track-record?period=all")
    everything = page(client, "/track-record?period=all&backfills=true")
    assert "30 forecasts made after their session opened (backfills) are not counted" in without
    assert "265 forecasts of the next session, 53 sessions" in without
    assert "295 forecasts of the next session, 59 sessions" in everything
    assert "backfills included" in everything


def test_version_page_shows_the_gate_s_reasons(client: TestClient) -> None:
    html = page(client, "/versions/reference-version-02")
    assert "champion: R2 0.7560 against 0.7710" in html
    assert '<span class="failed">rejected</span>' in html
    assert 'href="/roi/runs/scheduled__reference__' in html


def test_run_links_keep_every_character_of_the_run_id(client: TestClient) -> None:
    run_id = "scheduled__reference__2026-11-20T22:15:00+00:00"
    assert f'href="/roi/runs/{run_id}"' in page(client, "/health")
    html = page(client, f"/runs/{run_id}")
    assert f"<h1>{run_id}</h1>" in html
    assert f'href="/dags/daily_roi_forecast/runs/{quote(run_id, safe="")}" data-airflow' in html


def begin(market: Planted, run_id: str, dag_id: str = DAG_ID) -> None:
    record_start(market.engine, run_id, dag_id, None, now=datetime(2026, 11, 23, 12, tzinfo=UTC))


def end(market: Planted, run_id: str, stage: str, ending: Ending) -> None:
    with recorded(
        market.engine,
        Attempt(run_id, stage, -1, 1),
        at_the_end=ending,
        after_error=lambda error: Ending("failed"),
    ):
        pass


def test_health_shows_the_state_and_the_complete_reason_of_every_run(lonely: Planted) -> None:
    reason = "symbols: received 'X<script>'; " + "name another one, " * 100 + "or none"
    for run_id in ("going", "asking", "refused"):
        begin(lonely, run_id)
    begin(lonely, "walking", "backtest_roi_forecast")
    end(lonely, "asking", "approve_promotion", Ending("waiting", "for a person's answer"))
    end(lonely, "walking", "walk_forward", Ending("succeeded", ends_run=True))
    end(lonely, "refused", "resolve_run", Ending("failed", reason))
    going = recorded(
        lonely.engine,
        Attempt("going", "train_member", 0, 1),
        at_the_end=Ending("succeeded"),
        after_error=lambda error: Ending("failed"),
    )
    with going:
        html = page(lonely.client(), "/health")
    listed = re.findall(r"<li>(.*?)</li>", html, re.DOTALL)
    found = {
        words[1]: (words[0], words[2].strip(), item)
        for item in listed
        if (
            words := re.findall(
                r'<span class="(?:passed|failed|tag)">([^<]+)</span>.*?<a href[^>]*>([^<]+)</a>'
                r'.*?<p class="reason">(.*?)</p>',
                item,
                re.DOTALL,
            )[0]
        )
    }
    assert found["going"][:2] == ("running", "train_member")
    assert found["asking"][:2] == ("waiting", "approve_promotion: for a person&#39;s answer")
    assert found["refused"][:2] == ("failed at resolve_run", str(escape(reason)))
    assert found["walking"][0] == "done"
    assert 'href="/roi/runs/walking"' in found["walking"][2]
    (planted,) = [state for run_id, (state, *_) in found.items() if "2026-11-20" in run_id]
    assert planted == "done"


def test_health_puts_a_failure_of_the_newest_run_first(lonely: Planted) -> None:
    begin(lonely, "refused")
    end(lonely, "refused", "resolve_run", Ending("failed", "epoch: unknown"))
    html = page(lonely.client(), "/health")
    assert "<strong>The newest run failed at resolve_run.</strong> epoch: unknown" in html
    assert html.index("The newest run failed") < html.index("<h2>Runs</h2>")


def test_unknown_name_is_a_page_with_one_sentence(client: TestClient) -> None:
    response = client.get("/?model_name=nobody")
    assert response.status_code == 404
    assert (
        "there is no model name &#39;nobody&#39;; there are: reference, simulated" in response.text
    )


def test_page_without_login_offers_one(planted: Planted) -> None:
    response = TestClient(planted.application()).get("/roi/")
    assert response.status_code == 401
    assert "Log in to Airflow" in response.text


def test_names_from_outside_are_escaped(postgres: EmbeddedPostgres, market_template: str) -> None:
    hostile = "<script>alert(1)</script>\"'&"
    with planted_market(
        postgres, market_template, {"assets": 1, "sessions": 5, "versions": 1}
    ) as market:
        with market.engine.begin() as connection:
            connection.execute(update(assets).values(name=hostile))
        client = market.client()
        for path in ("/", "/assets/GC%3DF", "/health", "/?search=<script>x"):
            html = page(client, path)
            assert "<script>alert" not in html
            assert "<script>x" not in html


def test_a_version_whose_files_were_found_damaged_is_marked(lonely: Planted) -> None:
    with lonely.engine.begin() as connection:
        version_id = connection.scalars(select(model_versions.c.version_id)).one()
    assert "files damaged" not in page(lonely.client(), f"/versions/{version_id}")
    with lonely.engine.begin() as connection:
        connection.execute(update(model_versions).values(damaged_at="2025-03-04T12:00Z"))
    assert "files damaged 2025-03-04 12:00" in page(lonely.client(), f"/versions/{version_id}")


def test_500_assets_are_shown_50_at_a_time(crowd: TestClient) -> None:
    pages = [page(crowd, f"/?page={number}") for number in range(1, 11)]
    shown = [symbol for html in pages for symbol in shown_symbols(html)]
    assert len(shown) == len(set(shown)) == 500
    assert all(len(shown_symbols(html)) == 50 for html in pages)
    assert 'rel="prev"' not in pages[0]
    assert 'rel="next"' not in pages[-1]
    assert shown_symbols(page(crowd, "/?page=9999")) == shown_symbols(pages[-1])


def test_search_and_sort_reach_all_500(crowd: TestClient) -> None:
    assert shown_symbols(page(crowd, "/?search=asset123")) == ["ASSET123.NS"]
    assert "No asset has “nothing”" in page(crowd, "/?search=nothing")
    highest = shown_symbols(page(crowd, "/?order=forecast"))
    rows = crowd.get("/api/v1/forecasts/latest?limit=1000").json()["items"]
    expected = sorted(rows, key=lambda row: -row["predicted_roi_pct"])[:50]
    assert highest == [row["symbol"] for row in expected]
    widest = shown_symbols(page(crowd, "/?order=width"))
    expected = sorted(rows, key=lambda row: row["lower_80_pct"] - row["upper_80_pct"])[:50]
    assert widest == [row["symbol"] for row in expected]


def test_heading_and_version_stay_whatever_is_found(crowd: TestClient) -> None:
    tops = {
        page(crowd, path).partition("<h1>")[2].partition("<form")[0]
        for path in ("/", "/?page=2", "/?order=width", "/?search=nothing")
    }
    assert len(tops) == 1
    assert "Forecast for" in tops.pop()


def test_pages_load_nothing_from_elsewhere(client: TestClient) -> None:
    for path in (*PAGES, "/assets/GC%3DF", "/versions/reference-version-02"):
        html = page(client, path)
        addresses = re.findall(r'(?:src|href|action)="([^"#]+)"', html)
        assert all(address.startswith(("/roi", "/dags")) for address in addresses)
        assert " style=" not in html
        for address in re.findall(r'"(/roi/static/[^"]+)"', html):
            assert client.get(address.removeprefix("/roi")).status_code == 200


def test_static_files_need_no_login(planted: Planted) -> None:
    anonymous = TestClient(planted.application())
    assert anonymous.get("/roi/static/roi.css").status_code == 200
    assert anonymous.get("/roi/static/../application.py").status_code in (401, 404)
    assert anonymous.get("/roi/static/none.css").status_code == 404


def test_login_covers_the_pages_of_every_path(planted: Planted) -> None:
    logged_in = TestClient(planted.application(), headers=TOKEN)
    assert logged_in.get("/roi/versions/").status_code == 404


@pytest.mark.parametrize("place", ["tmp_path", "stored_folder"])
def test_a_version_s_plots_are_shown_with_it_to_a_logged_in_person(
    planted: Planted, place: str, request: pytest.FixtureRequest
) -> None:
    models: DataPath = request.getfixturevalue(place)
    published = models / "reference" / "plots" / "reference-version-03"
    create_folder(published)
    write_file(published / "error_by_asset.png", b"\x89PNG of the test")
    write_manifest(published, {})
    client = planted.client(models_directory=models)

    html = page(client, "/versions/reference-version-03")

    (address,) = re.findall(r'<img src="/roi(/versions/[^"]+)"', html)
    picture = client.get(address)
    assert (picture.status_code, picture.content) == (200, b"\x89PNG of the test")
    assert picture.headers["Content-Type"] == "image/png"
    assert client.get(address, headers={"Authorization": "Bearer other"}).status_code == 401
    for missing in (
        "/versions/reference-version-03/plots/absent.png",
        "/versions/reference-version-03/plots/..%2f..%2f..%2fsecret.png",
        "/versions/absent/plots/error_by_asset.png",
    ):
        assert client.get(missing).status_code in (404, 422), missing
    assert "<img" not in page(client, "/versions/reference-version-02")


@pytest.mark.parametrize("kind", ["changed", "unlisted", *SPECIAL_FILES])
def test_a_plot_that_is_not_the_listed_file_is_not_sent(
    planted: Planted, tmp_path: Path, kind: str
) -> None:
    published = tmp_path / "reference" / "plots" / "reference-version-03"
    published.mkdir(parents=True)
    path = published / "error_by_asset.png"
    path.write_bytes(b"\x89PNG of the test")
    if kind == "unlisted":
        path.rename(published / "other.png")
    write_manifest(published, {})
    path.unlink(missing_ok=True)
    (SPECIAL_FILES | dict.fromkeys(["changed", "unlisted"], Path.touch))[kind](path)
    client = planted.client(models_directory=tmp_path)

    answer = client.get("/versions/reference-version-03/plots/error_by_asset.png")

    assert answer.status_code == 404
    assert str(tmp_path) not in answer.text
    assert client.get("/versions/reference-version-03").status_code == 200


@pytest.mark.parametrize("manifest", ["", "{", '{"files": {"../a.png": "0"}}'])
def test_a_version_without_a_valid_manifest_is_shown_without_plots(
    planted: Planted, tmp_path: Path, manifest: str
) -> None:
    published = tmp_path / "reference" / "plots" / "reference-version-03"
    published.mkdir(parents=True)
    (published / "error_by_asset.png").touch()
    if manifest:
        (published / "manifest.json").write_text(manifest)
    client = planted.client(models_directory=tmp_path)
    assert "<img" not in page(client, "/versions/reference-version-03")


LACKING = "no high, low: the interval scale rests on closes"


def test_pages_say_which_columns_an_asset_lacks_and_what_that_means(client: TestClient) -> None:
    assert f"Its bars have {LACKING}." in page(client, "/assets/GC=F")
    for path in ("/health", "/versions/reference-version-02"):
        assert f"GC=F: {LACKING}." in page(client, path)
    assert "Its bars have" not in page(client, "/assets/M%26M.NS")


def test_the_api_gives_the_missing_columns_of_versions_and_assets(client: TestClient) -> None:
    version = client.get("/api/v1/versions/reference-version-02").json()
    assert version["details"]["missing_columns"] == {"GC=F": ["high", "low"]}
    query = "/api/v1/health/assets?model_name=reference"
    found = {row["symbol"]: row for row in client.get(query).json()["items"]}
    assert found["GC=F"]["missing_columns"] == ["high", "low"]
    assert found["M&M.NS"]["missing_columns"] is None
    assert found["GC=F"]["stated_currency"] is None
