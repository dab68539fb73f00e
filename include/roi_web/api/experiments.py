"""Backtests, searches for hyperparameters, and compared versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from roi_forecast.reading.experiments import (
    BacktestFold,
    PairedComparison,
    TuningStudy,
    TuningTrial,
)
from roi_web.api.routes import ApiRoute
from roi_web.api.shapes import RESPONSES, ListQuery, NameQuery, Page, RunQuery, VersionQuery, Word
from roi_web.database import ReadConnection

router = APIRouter(tags=["experiments"], responses=RESPONSES, route_class=ApiRoute)


class FoldQuery(RunQuery):
    """Scores of backtests."""

    predictor: Word | None = Field(None, description="Only this predictor, such as linear.")


class StudyQuery(NameQuery):
    """Searches for hyperparameters."""

    study: Word | None = Field(None, description="Only this study.")


class TrialQuery(ListQuery):
    """Trials of searches."""

    study: Word | None = Field(None, description="Only this study.")


class ComparisonQuery(VersionQuery, RunQuery):
    """Compared versions."""

    opponent: Word | None = Field(None, description="Only comparisons with this version.")


@router.get("/backtests")
def list_backtests(
    connection: ReadConnection, query: Annotated[FoldQuery, Query()]
) -> Page[BacktestFold]:
    """List what each predictor scored in each fold; without a fold: in all folds together."""
    return query.read(connection, BacktestFold)


@router.get("/tuning-studies")
def list_tuning_studies(
    connection: ReadConnection, query: Annotated[StudyQuery, Query()]
) -> Page[TuningStudy]:
    """List the searches for hyperparameters: progress, best trial, importance."""
    return query.read(connection, TuningStudy)


@router.get("/tuning-trials")
def list_tuning_trials(
    connection: ReadConnection, query: Annotated[TrialQuery, Query()]
) -> Page[TuningTrial]:
    """List the finished trials of searches with their parameters and scores."""
    return query.read(connection, TuningTrial)


@router.get("/comparisons")
def list_comparisons(
    connection: ReadConnection, query: Annotated[ComparisonQuery, Query()]
) -> Page[PairedComparison]:
    """List each candidate against the version that served, on the same sessions."""
    return query.read(connection, PairedComparison)
