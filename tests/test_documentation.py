"""Every command, query and snippet of the documentation works, and what it names exists."""

from __future__ import annotations

import json
import pkgutil
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import Engine, create_engine, text

from documentation import (
    EXECUTED,
    NOT_EXECUTED,
    PAGES,
    SHOWN_ONLY,
    SNIPPETS,
    USER_PAGES,
    all_commands,
    commands,
    group_of,
    read_blocks,
    snippet,
    snippets,
)
from roi_airflow.assets import CHAMPION, DATASET, FORECASTS, PRICES
from roi_forecast.config import (
    BacktestRunConfig,
    RunConfig,
    TuningRunConfig,
    parameter_schemas,
    parse_config,
)
from roi_forecast.market.sources.csv_files.layout.formats import (
    FORMATS,
    ROWS_WITHOUT_HEADER,
    SYMBOL_A_COLUMN,
)
from roi_forecast.price_sources import LIVE_SOURCES
from roi_forecast.reading.forecasts import LatestForecast
from roi_forecast.settings import key_variable, url_variable
from roi_forecast.universe import load_universe
from roi_local.environment import REPOSITORY
from roi_local.postgres.server import EmbeddedPostgres
from roi_web import api

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
MAX_WORDS = 14_700
"""Words that people wrote and others read; generated tables and queries are looked up."""

_LOOKED_UP = re.compile(
    r"<!-- tables -->.*|<!-- (markets|formats|views) -->.*?<!-- end of \1 -->|^```sql$.*?^```$",
    re.DOTALL | re.MULTILINE,
)
CONFIGURATIONS = {"run": RunConfig, "backtest": BacktestRunConfig, "tune": TuningRunConfig}


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_command_and_snippet_is_executed_by_a_test_or_says_why_not() -> None:
    taken, others = set(), []
    for command in all_commands():
        group = group_of(command)
        if group is not None:
            taken.add(group)
        elif not any(re.match(pattern, command.text) for pattern in NOT_EXECUTED):
            others.append(str(command))
    assert others == [], "name a group for it in documentation.py, and execute it in a test"
    assert taken == set(EXECUTED)
    shown = {(block.language, block.page) for block in read_blocks()}
    assert {
        (language, page)
        for language, page in shown
        if language not in ("bash", *SHOWN_ONLY)
        and not {(language, page), (language, None)} & {*SNIPPETS}
    } == set()


@pytest.mark.parametrize("group", EXECUTED)
def test_a_test_takes_each_group_from_the_pages(group: str) -> None:
    asked = re.compile(rf'\bcommands\("{group}"\)')
    files = (REPOSITORY / "tests").rglob("*.py")
    assert any(asked.search(read(path)) for path in files if path != Path(__file__))


@pytest.mark.parametrize(("language", "page"), SNIPPETS)
def test_a_test_takes_the_snippets_from_the_pages(language: str, page: str | None) -> None:
    asked = f'snippet("{language}", "{page}")' if page else f'snippets("{language}")'
    assert any(asked in read(path) for path in (REPOSITORY / "tests").rglob("*.py"))


def test_every_task_of_the_flow_chart_exists() -> None:
    chart = snippet("mermaid", "README.md")
    folders = (REPOSITORY / "dags", REPOSITORY / "include" / "roi_airflow" / "tasks")
    code = "\n".join(read(path) for folder in folders for path in folder.glob("*.py"))
    tasks = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", chart))
    assert len(tasks) >= 10
    assert tasks <= set(re.findall(r"def (\w+)\(", code))


@pytest.fixture(scope="module")
def reader(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Engine]:
    engine = create_engine(postgres.url(market_template))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("query", [block.text for block in snippets("sql")])
def test_a_reader_may_run_every_query(reader: Engine, query: str) -> None:
    with reader.connect() as connection:
        connection.execute(text("SET ROLE roi_reader"))
        connection.execute(text(query.rstrip("; \n")))


def test_every_table_and_view_that_a_page_names_exists(reader: Engine) -> None:
    with reader.connect() as connection:
        statement = text(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'roi'"
        )
        columns = {tuple(row) for row in connection.execute(statement)}
    names = {name for name, _ in columns} | {f"{name}.{column}" for name, column in columns}
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"(?<!airflow\.)\broi\.([a-z_]+(?:\.[a-z_]+)?)", read(page))
    }
    assert {entry for entry in named if entry[1] not in names} == set()


def test_every_route_of_the_api_is_documented() -> None:
    page = read(REPOSITORY / "docs" / "pages.md")
    cells = " ".join(re.findall(r"^\| (`/.*?) \|", page, re.MULTILINE))
    documented = {f"/api/v1{path}" for path in re.findall(r"`([^`]+)`", cells)}
    assert documented == {route.path for route in api.router.routes}


def test_every_conf_is_accepted() -> None:
    found = [
        (command.text.split()[1], json.loads(word.removeprefix("CONF=")))
        for command in commands("runs")
        for word in shlex.split(command.text)
        if word.startswith("CONF=")
    ]
    assert len(found) >= 8
    for target, conf in found:
        parse_config(CONFIGURATIONS[target], conf)


def test_every_asset_of_the_dags_is_documented() -> None:
    page = read(REPOSITORY / "docs" / "airflow.md")
    for asset in (PRICES, DATASET, CHAMPION, FORECASTS):
        assert f"| `{asset.name}` |" in page


def test_every_gauge_to_watch_is_on_the_dashboard() -> None:
    page = read(REPOSITORY / "docs" / "operations.md")
    table = page.split("`airflow.roi.run.…`")[1].split("\n\n")[0]
    gauges = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert len(gauges) >= 5
    dashboard = read(REPOSITORY / "docs" / "grafana-dashboard.json")
    assert gauges <= set(re.findall(r"airflow_roi_run_(\w+)", dashboard))


def test_the_answer_of_the_api_has_the_documented_fields() -> None:
    answer = json.loads(snippet("json", "docs/pages.md"))
    assert set(answer) == {"items", "next_cursor"}
    assert set(answer["items"][0]) - {"…"} <= set(LatestForecast.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_make_targets_links_and_headings_exist(page: Path) -> None:
    content = read(page)
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", content, re.MULTILINE)) <= targets
    missing = []
    for link in re.findall(r"\]\(\s*([^)\s]+)\)", content):
        if link.startswith("http"):
            continue
        path, _, heading = link.partition("#")
        target = page.parent / unquote(path) if path else page
        if not target.exists() or (heading and heading not in headings(target)):
            missing.append(link)
    assert missing == []


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_make_target_is_documented() -> None:
    page = read(REPOSITORY / "docs" / "commands.md")
    targets = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
    assert [name for name in targets if name != "help" and f"`make {name}" not in page] == []


def test_every_environment_variable_that_a_page_names_is_read() -> None:
    sources = [REPOSITORY / "Makefile", REPOSITORY / "docker-compose.yaml"]
    for folder in ("include", "dags", "plugins", "benchmarks"):
        sources += (REPOSITORY / folder).rglob("*.py")
    code = "\n".join(read(path) for path in sources)
    for source in LIVE_SOURCES:
        code += f"\n{url_variable(source)} {key_variable(source)}"
    named = {name for page in PAGES for name in re.findall(r"\bROI_[A-Z_]*[A-Z]\b", read(page))}
    assert {name for name in named if not re.search(rf"\b{name}\b", code)} == set()


def test_every_test_that_a_page_names_exists() -> None:
    tests = {path.name: read(path) for path in (REPOSITORY / "tests").rglob("test_*.py")}
    functions = {name for code in tests.values() for name in re.findall(r"def (test_\w+)\(", code)}
    pages = (REPOSITORY / "SECURITY.md", REPOSITORY / "tests" / "README.md")
    named = {name for page in pages for name in re.findall(r"`(test_\w+(?:\.py)?)`", read(page))}
    assert len([name for name in named if not name.endswith(".py")]) >= 25
    assert named - functions - set(tests) == set()


def test_parameters_are_those_of_the_code_with_their_defaults_bounds_and_meanings() -> None:
    page = REPOSITORY / "docs" / "parameters.md"
    written = runpy.run_path(str(REPOSITORY / "docs" / "parameter_tables.py"))["page"]()
    assert read(page) == written, "run `python docs/parameter_tables.py`"
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (.*) \|$", read(page), re.MULTILINE))
    for kind in CONFIGURATIONS.values():
        for name, schema in parameter_schemas(kind).items():
            assert rows[name] == schema["description"], name


def test_markets_and_formats_are_those_that_tests_read() -> None:
    page = REPOSITORY / "docs" / "market-data.md"
    written = runpy.run_path(str(REPOSITORY / "docs" / "market_tables.py"))["page"]()
    assert read(page) == written, "run `python docs/market_tables.py`"
    text = read(page)
    tables = {
        name: text.split(f"<!-- {name} -->")[1].split(f"<!-- end of {name} -->")[0]
        for name in ("markets", "formats")
    }
    exchanges = load_universe().exchanges
    untested = [each.name for each in exchanges if f"| {each.name} | `" not in tables["markets"]]
    assert untested == []
    names = {known.name for known in (*FORMATS, SYMBOL_A_COLUMN, ROWS_WITHOUT_HEADER)}
    assert {name for name in names if f"| {name} |" not in tables["formats"]} == set()


def test_architecture_names_every_package_and_only_what_exists() -> None:
    page = read(REPOSITORY / "docs" / "architecture.md")
    library = REPOSITORY / "include" / "roi_forecast"
    packages = {path.parent.name for path in library.glob("*/__init__.py")}
    layout, rest = page.split("## To add X")
    assert packages <= set(re.findall(r"`([a-z_]+)`", layout))
    table, entries = rest.split("## Which function")
    for name in re.findall(r"`([\w/]+/(?:\w+\.\w+)?)`", table):
        assert any((root / name).exists() for root in (library, library.parent, REPOSITORY)), name
    for name in re.findall(r"`([a-z]\w*(?:\.\w+)+)`", entries.split("\n## ")[0]):
        assert name == "tests.daily_run" or pkgutil.resolve_name(f"roi_forecast.{name}"), name


def test_the_documentation_is_short() -> None:
    written = [_LOOKED_UP.sub("", read(page)) for page in USER_PAGES]
    assert sum(len(text.split()) for text in written) <= MAX_WORDS


def test_licence_is_apache_2() -> None:
    licence = read(REPOSITORY / "LICENSE")
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
