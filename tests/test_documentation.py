"""Every command, query and snippet of the documentation works, and what it names exists."""

from __future__ import annotations

import ast
import json
import pkgutil
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
import yaml
from sqlalchemy import Engine, create_engine, text

from roi_airflow.assets import CHAMPION, DATASET, FORECASTS, PRICES
from roi_airflow.notification import create_notifier
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
from roi_forecast.reading.records import LatestForecast
from roi_forecast.settings import key_variable, url_variable
from roi_forecast.universe import load_universe
from roi_local.environment import REPOSITORY
from roi_local.postgres.server import EmbeddedPostgres
from roi_web import api

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
USER_PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PAGES = [
    *USER_PAGES,
    REPOSITORY / "SECURITY.md",
    REPOSITORY / "tests" / "README.md",
    *sorted((REPOSITORY / "benchmarks").glob("*.md")),
]
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8"))
MAX_WORDS = 11_500
"""Words that people wrote and others read; generated tables are looked up."""

_GENERATED = re.compile(
    r"<!-- tables -->.*|<!-- (markets|formats) -->.*?<!-- end of \1 -->", re.DOTALL
)
CONFIGURATIONS = {"run": RunConfig, "backtest": BacktestRunConfig, "tune": TuningRunConfig}


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [snippet for page in PAGES for snippet in fence.findall(read(page))]


COMMANDS = [
    line
    for snippet in snippets("bash")
    for line in re.sub(r"\s*\\\n\s*", " ", snippet).splitlines()
]
QUERIES = sorted(
    {
        *(query for page in PAGES for query in re.findall(r"make sql QUERY='([^']+)'", read(page))),
        *snippets("sql"),
    }
)


def test_every_snippet_is_of_a_kind_that_a_test_checks() -> None:
    found = {kind for page in PAGES for kind in re.findall(r"^```(\w*)$", read(page), re.MULTILINE)}
    assert found - {""} == {"bash", "sql", "python", "json", "mermaid"}


def test_every_task_of_the_flow_chart_exists() -> None:
    (chart,) = snippets("mermaid")
    folders = (REPOSITORY / "dags", REPOSITORY / "include" / "roi_airflow" / "tasks")
    code = "\n".join(read(path) for folder in folders for path in folder.glob("*.py"))
    tasks = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", chart))
    assert len(tasks) >= 10
    assert tasks <= set(re.findall(r"def (\w+)\(", code))


def test_readme_shows_queries() -> None:
    assert len(re.findall("make sql QUERY=", README)) >= 5


@pytest.fixture(scope="module")
def reader(postgres: EmbeddedPostgres, market_template: str) -> Iterator[Engine]:
    engine = create_engine(postgres.url(market_template))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("query", QUERIES)
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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_works(command: str) -> None:
    check_command(command)


def check_command(command: str) -> None:
    """Check one line of a shell as far as that goes without carrying it out."""
    match shlex.split(re.sub(r"^CODE_REVISION=\$\(git [^)]+\) ", "", command), comments=True):
        case ["sudo", *rest]:
            check_command(shlex.join(rest))
        case ["make", target, *assignments]:
            check_make(target, dict(word.split("=", 1) for word in assignments))
        case ["docker", "compose", *rest]:
            check_compose(rest)
        case ["airflow", *arguments]:
            check_airflow(arguments)
        case ["python", "-m", module, *arguments]:
            assert find_spec(module) is not None
            assert module != "roi_production.backup" or arguments[0] in ("save", "restore")
        case ["curl" | "token=$(curl", *_]:
            check_requests(command)
        case [setting] if "=" in setting:
            assert setting.partition("=")[0] in ("ROI_NOTIFIER", "ROI_NOTIFIER_ARGUMENTS")
        case ["git" | "cp" | "install" as program, *_]:
            assert shutil.which(program)
        case _:
            pytest.fail(f"no check for the command {command}")


def check_make(target: str, variables: dict[str, str]) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
    for name, value in variables.items():
        assert re.search(rf"\$\(value {name}\)", MAKEFILE), name
        if name == "CONF":
            parse_config(CONFIGURATIONS[target], json.loads(value))


def check_compose(words: list[str]) -> None:
    services = COMPOSE["services"]
    match words:
        case ["run", "--rm", "--volume", _, service, *inner] | ["exec", "-T", service, *inner]:
            assert service in services
            if inner[0] != "pg_dump":
                check_command(shlex.join(inner))
        case ["logs", service]:
            assert service in services
        case ["build"] | ["up", "--detach"]:
            pass
        case _:
            pytest.fail(f"no check for docker compose {words}")


def check_airflow(arguments: list[str]) -> None:
    """Let Airflow parse the arguments, in a process of its own since it reads its settings."""
    parse = "import sys; from airflow.cli.cli_parser import get_parser as p; p().parse_args()"
    subprocess.run([sys.executable, "-c", parse, *arguments], check=True, timeout=120)


def check_requests(command: str) -> None:
    addresses = set(re.findall(r"http://127\.0\.0\.1:8080([^\s'?]*)", command))
    assert addresses
    assert addresses - {"/auth/token"} <= {f"/roi{route.path}" for route in api.router.routes}


def test_every_route_of_the_api_is_documented() -> None:
    page = read(REPOSITORY / "docs" / "pages.md")
    cells = " ".join(re.findall(r"^\| (`/.*?) \|", page, re.MULTILINE))
    documented = {f"/api/v1{path}" for path in re.findall(r"`([^`]+)`", cells)}
    assert documented == {route.path for route in api.router.routes}


def test_every_conf_is_accepted() -> None:
    found = [
        (target, conf)
        for page in PAGES
        for target, conf in re.findall(
            r"make (run|backtest|tune)[^\n]*? CONF='(\{.*?\})'", read(page)
        )
    ]
    assert len(found) >= 8
    for target, conf in found:
        parse_config(CONFIGURATIONS[target], json.loads(conf))


def test_the_notifier_of_the_example_can_be_created() -> None:
    environment = dict(
        shlex.split(command)[0].split("=", 1)
        for command in COMMANDS
        if command.startswith("ROI_NOTIFIER")
    )
    notifier = create_notifier(environment)
    assert type(notifier).__name__ == environment["ROI_NOTIFIER"].rpartition(".")[2]


def test_the_dag_of_the_example_follows_the_forecasts(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = snippets("python")
    *statements, call = ast.parse(snippet).body
    names: dict[str, object] = {}
    exec(compile(ast.Module(statements, []), "snippet", "exec"), names)
    assert isinstance(call, ast.Expr)
    dag = eval(compile(ast.Expression(call.value), "snippet", "eval"), names)
    assert [(asset.name, asset.uri) for asset in dag.schedule] == [(FORECASTS.name, FORECASTS.uri)]
    event = SimpleNamespace(extra={"model_name": "reference", "as_of_date": "2024-12-31"})
    dag.get_task("send").python_callable(triggering_asset_events={FORECASTS: [event]})
    assert capsys.readouterr().out == "reference 2024-12-31\n"


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
    (snippet,) = snippets("json")
    answer = json.loads(snippet)
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
    written = [_GENERATED.sub("", read(page)) for page in USER_PAGES]
    assert sum(len(text.split()) for text in written) <= MAX_WORDS


def test_licence_is_apache_2() -> None:
    licence = read(REPOSITORY / "LICENSE")
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
