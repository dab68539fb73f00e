"""The REST API, version 1."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from roi_web.api import experiments, forecasts, health, prices, runs, track_record, versions
from roi_web.api.routes import check_request

router = APIRouter(prefix="/api/v1", dependencies=[Depends(check_request)])
for _part in (forecasts, prices, track_record, versions, health, runs, experiments):
    router.include_router(_part.router)
