"""`make compare`: two versions side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence

from roi_forecast.labels import figure_label
from roi_forecast.number_text import short
from roi_forecast.quoting import quoted
from roi_forecast.registry.compare import ComparedFact, compare_versions
from roi_local.command import run_command
from roi_local.environment import Home
from roi_local.errors import LocalError
from roi_local.postgres.databases import open_market

FIRST_VARIABLE, SECOND_VARIABLE = "ROI_A", "ROI_B"

_LONGEST = 40


def print_comparison(home: Home, first: str, second: str) -> None:
    """Print the differences between two versions, and all their metrics.

    Args:
        home: The installation; its PostgreSQL is started if it does not run, and stopped again.
        first: A version's id, or a model name for its champion.
        second: Likewise.

    Raises:
        LocalError: A version is not named.
        RegistryError: There is no such version.
    """
    if not first or not second:
        raise LocalError(
            f"A: received {quoted(first)}, B: received {quoted(second)}; name two versions or "
            "model names, as in make compare A=reference B=20241231T221500Z-1a2b3c4d"
        )
    with open_market(home) as engine, engine.connect() as connection:
        facts = compare_versions(connection, first, second)
    print("\n".join(comparison_lines(facts)))


def comparison_lines(facts: Sequence[ComparedFact]) -> list[str]:
    """Return the comparison as lines: every metric, and the other facts that differ."""
    lines: list[str] = []
    width = max((len(_name(fact)) for fact in facts), default=0)
    for section in dict.fromkeys(fact.section for fact in facts):
        own = [fact for fact in facts if fact.section == section]
        shown = own if section == "metrics" else [fact for fact in own if fact.differs]
        lines += ["", section]
        for fact in shown:
            mark = "*" if fact.differs else " "
            values = (_word(fact.first), _word(fact.second))
            lines.append(
                f"{mark} {_name(fact):<{width}} {values[0]:<{_LONGEST}} {values[1]}".rstrip()
            )
        same = len(own) - len(shown)
        if same:
            lines.append(f"  {same} more are the same")
    return lines[1:]


def _name(fact: ComparedFact) -> str:
    return figure_label(fact.name) if fact.section == "metrics" else fact.name


def _word(value: object) -> str:
    if value is None or value in ({}, []):
        return "-"
    if isinstance(value, float):
        return short(value)
    text = ", ".join(value) if isinstance(value, (dict, list, tuple)) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


if __name__ == "__main__":
    run_command(
        "compare",
        lambda: print_comparison(
            Home.from_environment(),
            os.environ.get(FIRST_VARIABLE, ""),
            os.environ.get(SECOND_VARIABLE, ""),
        ),
    )
