"""Where to look after a run: the last lines of every command that carries one out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TextIO


class NextStep(NamedTuple):
    """One line of advice: what a person wants, and the command, address or path that gives it."""

    wanted: str
    how: str


def sql_step(wanted: str, question: str) -> NextStep:
    """Return the step that asks a question in SQL, without double quotes."""
    return NextStep(wanted, f'make sql QUERY="{question}"')


def print_next_steps(steps: Sequence[NextStep], out: TextIO) -> None:
    """Print steps below each other; a long command is not wrapped, so that it can be copied."""
    width = max(len(step.wanted) for step in steps) + 2
    print("\nWhere to look next:", file=out)
    for step in steps:
        print(f"  {step.wanted:<{width}}{step.how}", file=out)
    out.flush()
