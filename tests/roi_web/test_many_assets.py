"""Pages of more assets than anybody reads: what matters first, the rest counted and in the CSV."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from planted import planted_market
from roi_local.postgres.server import EmbeddedPostgres

ASSETS = 600
RUN = "scheduled__reference__2026-11-20T22:15:00%2B00:00"
LARGEST_PAGE_BYTES = 250_000


@pytest.fixture(scope="module")
def client(postgres: EmbeddedPostgres, market_template: str) -> Iterator[TestClient]:
    with planted_market(
        postgres, market_template, {"assets": ASSETS, "sessions": 4, "versions": 1}
    ) as market:
        with market.engine.begin() as connection:
            # Of 150 assets the newest bar is missing; the last one is furthest behind zero.
            connection.execute(
                text(
                    "DELETE FROM roi.daily_prices WHERE trading_date = '2026-11-20' AND symbol IN "
                    "(SELECT symbol FROM roi.assets ORDER BY symbol DESC OFFSET 100 LIMIT 150)"
                )
            )
            connection.execute(
                text("UPDATE roi.predictions SET predicted_roi_pct = 50 WHERE symbol = '^NSEI'")
            )
        with market.client() as client:
            yield client


def test_no_page_grows_with_the_number_of_assets(client: TestClient) -> None:
    for path in ("/", "/track-record?period=all&backfills=true", "/health", f"/runs/{RUN}"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert len(answer.content) < LARGEST_PAGE_BYTES, path


def test_the_track_record_has_the_assets_furthest_behind_zero_first(client: TestClient) -> None:
    page = client.get("/track-record?period=all&backfills=true").text
    assert "Numbers of 100 of 600 assets, furthest behind a forecast of zero first" in page
    rows = page.partition("<h2>By asset</h2>")[2].split("<tr>")
    assert len(rows) == 2 + 100
    assert "^NSEI" in rows[2]
    csv = client.get(
        "/api/v1/track-record/assets?model_name=reference&period=all&backfills=true&format=csv"
    )
    assert len(csv.text.splitlines()) == 1 + ASSETS


def test_health_draws_and_lists_what_to_look_at_first(client: TestClient) -> None:
    page = client.get("/health").text
    assert "500 of 600 assets are drawn, those to look at first." in page
    assert page.count('role="img" aria-label="') == 500
    # Those without a newest bar, the one whose extraction failed and the one with a failed check.
    assert "The first 100 of 152; the CSV has all." in page
    squares = page.partition('<div class="squares">')[2]
    assert 'class="square well"' not in "".join(squares.split("<svg")[1:153])
    assert "450 of 600" in page


def test_a_run_lists_failed_extractions_first(client: TestClient) -> None:
    page = client.get(f"/runs/{RUN}").text
    assert "1 of 600 extractions failed from yahoo." in page
    assert "100 of 600 assets, failed ones first" in page
    rows = page.partition("Rows stored")[2].partition("</table>")[0].split("<tr>")
    assert len(rows) == 1 + 100
    assert "<td>failed</td>" in rows[1]
