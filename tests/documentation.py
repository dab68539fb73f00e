"""The fenced blocks of all pages, and which test executes each of them.

A test takes the text that it executes from the page, by `commands` or `snippet`:

    @pytest.mark.parametrize("command", commands("queries"))

`EXECUTED` says by which group a command or snippet is known; `test_documentation.py` fails where a
page shows one that no group takes, or where no test asks for a group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from roi_local.environment import REPOSITORY

USER_PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PAGES = [
    *USER_PAGES,
    REPOSITORY / "SECURITY.md",
    REPOSITORY / "kubernetes" / "README.md",
    REPOSITORY / "tests" / "README.md",
    *sorted((REPOSITORY / "benchmarks").glob("*.md")),
]

# The first group that fits takes a command; a snippet in another language belongs to the language.
EXECUTED = {
    "queries": r"make sql QUERY=",
    "own tables": r"make sql OWNER=1 QUERY=",
    "connection": r"export ROI_DATABASE_URL=",
    "stack": r"make up",
    "runs": r"make (run|tune|backtest|check-csv)\b|export ROI_UNIVERSE=",
    "backfill": r"make airflow ARGS=.backfill create",
    "notifier": r"(export )?ROI_NOTIFIER|make airflow ARGS=.connections add",
    "installation": r"make (airflow|backup|restore|down|export|compare)\b",
    "environment file": r"make env",
    "team": r"docker compose (run --rm .*init|exec -T postgres)\b",
    "requests": r"token=|curl",
}
"""Commands by a pattern that their beginning matches."""

NOT_EXECUTED = {
    r"docker compose (build|up|logs|exec -T scheduler)|CODE_REVISION=": "needs containers",
    r"(kubectl|helm) ": "needs a cluster",
    r"make test-kubernetes": "needs a chart that no package registry has",
    r"sudo install": "changes owners",
    r"git (pull|clone)|cd ": "changes the clone",
}
"""Commands that no test executes, and why."""

SNIPPETS = (
    ("sql", None),
    ("python", "docs/airflow.md"),
    ("python", "docs/sql.md"),
    ("json", "docs/pages.md"),
    ("toml", "docs/first-steps.md"),
)
"""Snippets in other languages that tests take, by language and page; None: those of any page."""

SHOWN_ONLY = ("mermaid",)


@dataclass(frozen=True)
class Command:
    """One command of a page, its lines joined."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    language: str
    text: str


def read_blocks() -> list[Block]:
    """Return every fenced block that names a language."""
    fence = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(str(page.relative_to(REPOSITORY)), language, text)
        for page in PAGES
        for language, text in fence.findall(page.read_text(encoding="utf-8"))
    ]


def all_commands() -> Iterator[Command]:
    """Yield every command in the order of the pages."""
    for block in read_blocks():
        if block.language == "bash":
            for line in re.sub(r"\s*\\\n\s*", " ", block.text).splitlines():
                if text := re.sub(r"\s+# .*$", "", line):
                    yield Command(block.page, text)


def group_of(command: Command) -> str | None:
    """Return the group that takes a command; None: no test executes it."""
    found = (name for name, pattern in EXECUTED.items() if re.match(pattern, command.text))
    return next(found, None)


def commands(group: str) -> list[Command]:
    """Return the commands of a group, in the order of the pages, each once on each page."""
    return list(dict.fromkeys(each for each in all_commands() if group_of(each) == group))


def snippets(language: str) -> list[Block]:
    """Return all snippets in a language."""
    return [block for block in read_blocks() if block.language == language]


def snippet(language: str, page: str) -> str:
    """Return the only snippet in a language on a page."""
    (found,) = (block.text for block in snippets(language) if block.page == page)
    return found
