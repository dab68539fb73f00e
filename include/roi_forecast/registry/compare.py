"""Two versions side by side: what they were trained with, on and by, and what they scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from roi_forecast.database.views import view_columns
from roi_forecast.errors import RegistryError

_versions = view_columns(
    "versions",
    "version_id",
    "model_name",
    "state",
    "run_id",
    "seed",
    "code_revision",
    "created_at",
    "source",
    "dataset_id",
    "first_date",
    "last_date",
    "symbols",
    "context_symbols",
    "publish",
    "hyperparameters",
)
_records = view_columns(
    "training_records", "version_id", "dataset_rows", "training_record", "metrics"
)


@dataclass(frozen=True)
class ComparedFact:
    """One fact of two versions.

    Attributes:
        section: What kind of fact: version, data, parameters, libraries, training or metrics.
        name: Of the fact.
        first: The first version's value; None where it has none.
        second: The second version's value; None where it has none.
    """

    section: str
    name: str
    first: Any
    second: Any

    @property
    def differs(self) -> bool:
        """Whether the two values are not the same."""
        return bool(self.first != self.second)


def compare_versions(connection: Connection, first: str, second: str) -> list[ComparedFact]:
    """Return all facts of two versions, section by section.

    Args:
        connection: Market database; the right to read its views is enough.
        first: A version's id, or a model name for its champion.
        second: Likewise.

    Raises:
        RegistryError: There is no such version.
    """
    facts = [dict(_facts(_find(connection, wanted))) for wanted in (first, second)]
    keys = dict.fromkeys([*facts[0], *facts[1]])
    sections = {
        section: place for place, section in enumerate(dict.fromkeys(key[0] for key in keys))
    }
    return [
        ComparedFact(*key, facts[0].get(key), facts[1].get(key))
        for key in sorted(keys, key=lambda key: sections[key[0]])
    ]


def _find(connection: Connection, wanted: str) -> Mapping[str, Any]:
    version = _versions.c
    serves = (version.model_name == wanted) & (version.state == "champion")
    row = (
        connection.execute(
            select(
                _versions, _records.c.dataset_rows, _records.c.training_record, _records.c.metrics
            )
            .join(_records, _records.c.version_id == version.version_id)
            .where((version.version_id == wanted) | serves)
            # A model name may be another version's id: the name wins.
            .order_by(serves.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise RegistryError(
            f"no model version and no model name with a champion is called {wanted!r}; "
            "see the view roi.versions"
        )
    return dict(row)


def _facts(version: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    for name in ("version_id", "model_name", "state", "run_id", "seed", "code_revision"):
        yield ("version", name), version[name]
    yield ("version", "created_at"), f"{version['created_at']:%Y-%m-%d %H:%M} UTC"
    for name in ("source", "dataset_id"):
        yield ("data", name), version[name]
    yield ("data", "rows"), version["dataset_rows"]
    yield ("data", "first_date"), str(version["first_date"])
    yield ("data", "last_date"), str(version["last_date"])
    yield ("data", "symbols"), ", ".join(version["symbols"])
    yield ("data", "context_symbols"), ", ".join(version["context_symbols"]) or "none"
    yield ("data", "publish"), version["publish"]
    record: Mapping[str, Any] = version["training_record"] or {}
    for name, value in sorted((record.get("parameters") or version["hyperparameters"]).items()):
        if name != "symbols":
            yield ("parameters", name), value
    for name in ("python", "platform"):
        yield ("libraries", name), record.get(name)
    for name, value in sorted(record.get("libraries", {}).items()):
        yield ("libraries", name), value
    yield ("training", "base_version_id"), record.get("base_version_id")
    for number, member in enumerate(record.get("members", []), start=1):
        for name in ("device", "epochs", "best_epoch"):
            yield ("training", f"network {number} {name}"), member[name]
        for stage, seconds in member["seconds"].items():
            yield ("training", f"network {number} seconds to {stage}"), seconds
    for name, value in sorted(version["metrics"].items()):
        yield ("metrics", name), value
