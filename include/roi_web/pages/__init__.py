"""The pages: each route reads what it shows and hands it to a template."""

from __future__ import annotations

from fastapi import APIRouter

from roi_web.pages import asset, forecasts, health, track_record, versions

router = APIRouter(include_in_schema=False)
for _part in (forecasts, asset, track_record, versions, health):
    router.include_router(_part.router)
