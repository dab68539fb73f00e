"""The pages: each module here has the routes of one, and the entry of the navigation it is under.

A new module is found by itself: it defines `router`, and `TAB` if the navigation shows it.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter

from roi_web.navigation import Tab

_modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]

TABS: list[Tab] = sorted(
    {module.TAB for module in _modules if hasattr(module, "TAB")}, key=lambda tab: tab.position
)

router = APIRouter(include_in_schema=False)
for _module in _modules:
    router.include_router(_module.router)
