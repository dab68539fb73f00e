"""Every page, read as a person reads it: no word of the program, no number that is none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape

from fastapi.testclient import TestClient
from sqlalchemy import update

from plain_words import not_for_people, visible_text
from planted import Planted, planted_market
from roi_forecast.database.tables import evaluations, gate_decisions, model_versions
from roi_local.postgres.server import EmbeddedPostgres
from roi_web.formatting import ABSENT

PAGES_OF_A_KIND = 2
COMPARISON = "/roi/compare?a=reference-version-01&b=reference-version-00"


def pages(client: TestClient, *further: str) -> Iterator[tuple[str, str]]:
    """Yield every page that links lead to from the first one, a few of each kind, and others."""
    waiting, known, kinds = ["/roi/", *further], {"/roi/"}, Counter[tuple[str, int]]()
    while waiting:
        path = waiting.pop(0)
        response = client.get(path.removeprefix("/roi"))
        assert response.status_code == 200, path
        yield path, response.text
        for link in re.findall(r'<a\b[^>]*? href="(/roi/[^"]*)"', response.text):
            target = unescape(link)
            plain = target.partition("?")[0]
            kind = (plain.split("/")[2], plain.count("/"))
            # The page on the API names the fields of programs.
            for_programs = plain.startswith(("/roi/api/", "/roi/docs"))
            if target in known or for_programs or plain.endswith(".png"):
                continue
            known.add(target)
            kinds[kind] += 1
            if kinds[kind] <= PAGES_OF_A_KIND:
                waiting.append(target)


def test_pages_are_written_for_people(planted: Planted) -> None:
    read = dict(pages(planted.client(), COMPARISON))
    assert {path.split("/")[2].partition("?")[0] for path in read} >= {
        "",
        "assets",
        "backtests",
        "compare",
        "health",
        "runs",
        "track-record",
        "tuning",
        "versions",
    }
    for path, html in read.items():
        assert not_for_people(visible_text(html)) == [], path


def test_figures_that_are_not_defined_are_dashes(
    postgres: EmbeddedPostgres, market_template: str
) -> None:
    small = {"assets": 1, "sessions": 5, "versions": 2}
    with planted_market(postgres, market_template, small) as market:
        with market.engine.begin() as connection:
            connection.execute(update(model_versions).values(metrics={}))
            connection.execute(update(evaluations).values(value=None))
            connection.execute(update(gate_decisions).values(observed=None, threshold=None))
        for path, html in pages(market.client(), COMPARISON):
            assert not_for_people(visible_text(html)) == [], path
            assert f"{ABSENT} to {ABSENT}" not in html, path
            # What happened to forecasts is still known.
            if not path.startswith("/roi/track-record"):
                assert "direction right in" not in html.casefold(), path
