"""What a run does if its source does not answer when it starts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from roi_forecast.config import RunConfig
from roi_forecast.errors import PreflightError, RoiForecastError, SourceUnavailableError
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)


def resolve_with_fallback(
    config: RunConfig, resolve: Callable[[RunConfig], ResolvedRun], *, will_retry: bool
) -> ResolvedRun:
    """Return the resolved run, with its fallback source if its own does not answer.

    Prices of two sources differ, so the fallback source has a model name, and with it candidates, a
    champion and forecasts, of its own.

    Args:
        config: The parameters as given.
        resolve: Resolves parameters.
        will_retry: Whether the caller tries again if the source does not answer.

    Raises:
        SourceUnavailableError: The source does not answer, and `will_retry`.
        PreflightError: It does not answer, and there is no fallback source, or the run cannot start
            with that one either.
    """
    try:
        return resolve(config)
    except SourceUnavailableError as error:
        if will_retry:
            raise
        if config.fallback_source is None:
            raise _cannot_start(str(error)) from error
        return _replaced(config.with_fallback_source(), resolve, f"source {config.source}: {error}")


@contextmanager
def source_required() -> Iterator[None]:
    """Turn a source that does not answer into an error that says that the run cannot start."""
    try:
        yield
    except SourceUnavailableError as error:
        raise _cannot_start(str(error)) from error


def _replaced(
    config: RunConfig, resolve: Callable[[RunConfig], ResolvedRun], failure: str
) -> ResolvedRun:
    try:
        run = resolve(config)
    except RoiForecastError as error:
        raise _cannot_start(f"{failure}; fallback_source {config.source}: {error}") from error
    logger.warning(
        "no answer from %s; this run uses source %s, under the model name %s, with prices, "
        "candidates and a champion of its own",
        failure,
        config.source,
        config.model_name,
    )
    return run


def _cannot_start(reason: str) -> PreflightError:
    return PreflightError(f"the run cannot start: {reason}")
