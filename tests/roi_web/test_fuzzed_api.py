"""Unusual requests, generated from the API's own description."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from planted import TOKEN, Planted
from roi_web.api import router

PATHS = [route.path for route in router.routes if isinstance(route, APIRoute)]


@pytest.fixture(scope="module")
def described(planted: Planted) -> OpenApiSchema:
    return schemathesis.openapi.from_asgi("/roi/openapi.json", planted.application(), headers=TOKEN)


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_as_described(
    described: OpenApiSchema, path: str, mode: GenerationMode
) -> None:
    """Status, content type and body are those of the description, and nothing ends in a 500."""
    asked = []

    @given(case=described[path]["GET"].as_strategy(generation_mode=mode))
    @settings(
        max_examples=15,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        # Starlette's mounts match no path with a line break: it never reaches the application.
        assume("\n" not in unquote(case.formatted_path))
        # Of an empty list nothing is sent, so that the request may be a right one.
        assume([] not in case.query.values())
        # No schema can describe which cursors exist.
        response = case.call_and_validate(headers=TOKEN, excluded_checks=[positive_data_acceptance])
        asked.append(response.status_code)

    ask()

    assert len(asked) >= 5
