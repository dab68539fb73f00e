from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from plain_words import not_for_people
from roi_forecast.database.tables import model_versions
from roi_forecast.errors import RegistryError
from roi_forecast.registry.compare import compare_versions
from roi_local.commands.compare import comparison_lines

if TYPE_CHECKING:
    from serving_version import Served


def change(served: Served, version_id: str) -> None:
    """Give a version another dropout and another score."""
    table = model_versions
    with served.engine.begin() as connection:
        row = connection.execute(table.select().where(table.c.version_id == version_id)).one()
        record = {**row.training_record}
        record["parameters"] = {**record["parameters"], "lstm_dropout": 0.45}
        connection.execute(
            update(table)
            .where(table.c.version_id == version_id)
            .values(training_record=record, metrics={**row.metrics, "r2": 0.5})
        )


def test_versions_are_compared_by_parameters_libraries_training_and_metrics(
    served: Served,
) -> None:
    champion = served.champion.version_id
    other = served.add_candidate("other")
    change(served, other)

    with served.engine.connect() as connection:
        facts = {
            (fact.section, fact.name): fact
            for fact in compare_versions(connection, "simulated", other)
        }

    assert facts["version", "version_id"].first == champion
    differing = {key for key, fact in facts.items() if fact.differs}
    assert ("parameters", "lstm_dropout") in differing
    assert ("metrics", "r2") in differing
    assert facts["parameters", "lstm_dropout"].second == 0.45
    assert ("parameters", "epochs") not in differing
    assert facts["data", "dataset_id"].first == served.outcome.dataset.dataset_id
    assert facts["libraries", "tensorflow"].first
    assert facts["training", "network 1 epochs"].first == 1
    assert facts["version", "code_revision"].first


def test_the_lines_have_no_name_of_a_metric_and_no_number_that_is_none(served: Served) -> None:
    other = served.add_candidate("other")
    change(served, other)
    with served.engine.connect() as connection:
        facts = compare_versions(connection, "simulated", other)
    metrics = "\n".join(comparison_lines(facts)).partition("\nmetrics\n")[2]
    assert metrics
    assert not_for_people(metrics) == []


def test_the_lines_show_all_metrics_and_of_the_rest_what_differs(served: Served) -> None:
    other = served.add_candidate("other")
    change(served, other)

    with served.engine.connect() as connection:
        lines = comparison_lines(compare_versions(connection, "simulated", other))

    starts = [re.split(r"  +", line.strip())[0] for line in lines]
    assert "* lstm_dropout" in starts
    assert "epochs" not in starts
    assert "* R2 of the scaled smoothed ROI" in starts
    assert "MAE of the scaled smoothed ROI" in starts
    assert [line for line in lines if not line.startswith((" ", "*"))] == [
        "version",
        "",
        "data",
        "",
        "parameters",
        "",
        "libraries",
        "",
        "training",
        "",
        "metrics",
    ]


def test_an_unknown_version_is_named(served: Served) -> None:
    with (
        served.engine.connect() as connection,
        pytest.raises(RegistryError, match="is called 'absent'; see the view"),
    ):
        compare_versions(connection, "simulated", "absent")
