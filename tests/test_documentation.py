"""The commands and tables that the documentation shows are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from roi_forecast.config import BacktestRunConfig, parameter_schemas, parse_run_config
from roi_local.environment import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")])
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")

QUERIES = re.findall(r"make sql QUERY='([^']+)'", README)


def test_readme_shows_queries() -> None:
    assert len(QUERIES) >= 5


@pytest.mark.parametrize("query", QUERIES)
def test_query_of_the_readme_runs_on_a_migrated_database(market_engine: Engine, query: str) -> None:
    with market_engine.connect() as connection:
        connection.execute(text(query))


def test_conf_of_the_readme_is_accepted() -> None:
    (conf,) = re.findall(r"make run CONF='([^']+)'", README)
    config = parse_run_config(json.loads(conf))
    assert config.symbols == ("M&M.NS", "INFY.NS")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_and_links_exist(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", content, re.MULTILINE)) <= targets
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", content)
    missing = [
        link for link in links if not link.startswith("http") and not (page.parent / link).exists()
    ]
    assert missing == []


def test_every_test_that_the_page_on_training_names_exists() -> None:
    page = (REPOSITORY / "docs" / "training.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", page)
    assert len(named) >= 25
    for file, name in named:
        path = REPOSITORY / (file if "/" in file else f"tests/model/{file}")
        assert f"def {name}(" in path.read_text(encoding="utf-8"), f"{file}::{name}"


def test_every_parameter_stands_in_the_documentation_with_its_default_and_meaning() -> None:
    page = (REPOSITORY / "docs" / "running.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    for name, schema in {**parameter_schemas(BacktestRunConfig), **parameter_schemas()}.items():
        default, meaning = rows[name].split(" | ")
        assert meaning == schema["description"], name
        if schema["default"] is None:
            assert default == "empty", name
        elif name != "symbols":
            assert (
                json.loads(
                    default.strip("`").join('""')
                    if schema["type"] == "string"
                    else default.strip("`")
                )
                == schema["default"]
            ), name


def test_licence_is_apache_2() -> None:
    licence = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
