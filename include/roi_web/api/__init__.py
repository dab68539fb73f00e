"""The REST API, version 1."""

from __future__ import annotations

from fastapi import APIRouter

from roi_web.api import forecasts, health, versions

router = APIRouter(prefix="/api/v1")
for _part in (forecasts, versions, health):
    router.include_router(_part.router)
