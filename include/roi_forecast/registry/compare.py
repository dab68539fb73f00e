"""Two versions side by side: what they were trained with, on and by, and what they scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select

from roi_forecast.database.tables import datasets, model_versions
from roi_forecast.errors import RegistryError
from roi_forecast.registry.versions import find_champion


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


def compare_versions(engine: Engine, first: str, second: str) -> list[ComparedFact]:
    """Return all facts of two versions, section by section.

    Args:
        engine: Market database.
        first: A version's id, or a model name for its champion.
        second: Likewise.

    Raises:
        RegistryError: There is no such version.
    """
    with engine.connect() as connection:
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
    champion = find_champion(connection, wanted)
    version_id = champion.version_id if champion else wanted
    row = (
        connection.execute(
            select(model_versions, datasets.c.manifest, datasets.c.rows)
            .join(datasets, datasets.c.dataset_id == model_versions.c.dataset_id)
            .where(model_versions.c.version_id == version_id)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise RegistryError(
            f"no model version and no model name with a champion is called {wanted!r}; "
            "see the view roi.model_leaderboard"
        )
    return dict(row)


def _facts(version: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    for name in ("version_id", "model_name", "state", "run_id", "seed", "code_revision"):
        yield ("version", name), version[name]
    yield ("version", "created_at"), f"{version['created_at']:%Y-%m-%d %H:%M} UTC"
    for name in ("source", "dataset_id", "rows"):
        yield ("data", name), version[name]
    yield ("data", "first_date"), str(version["first_date"])
    yield ("data", "last_date"), str(version["last_date"])
    yield ("data", "symbols"), ", ".join(version["symbols"])
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
