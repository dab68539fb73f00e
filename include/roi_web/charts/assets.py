"""All assets of a run as small squares, so that one with a problem stands out."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from roi_forecast.reading.health import AssetState
from roi_web.formatting import count, day
from roi_web.svg import element

_MARKS = {
    "failed": "M4 4 L12 12 M12 4 L4 12",
    "checked": "M8 3 L8 9 M8 11.5 L8 13",
    "behind": "M4 8 L12 8",
}


def asset_state(row: AssetState) -> str:
    """Return failed, checked, behind or well: the first that applies."""
    if row.extraction_status == "failed":
        return "failed"
    if row.failed_checks:
        return "checked"
    # A context asset that lacks a bar fails a check.
    if row.context:
        return "well"
    return "well" if asset_is_up_to_date(row) else "behind"


def asset_is_up_to_date(row: AssetState) -> bool:
    """Tell whether an asset has a bar of the as-of date."""
    return row.last_bar_date is not None and row.last_bar_date >= row.as_of_date


def asset_squares(assets: Sequence[AssetState]) -> Markup:
    """Return one square for each asset; a mark as well as the colour tells the states apart."""
    return Markup("").join(_square(row) for row in assets)


def _square(row: AssetState) -> Markup:
    state = asset_state(row)
    name = f"{row.symbol} (context)" if row.context else row.symbol
    words = (
        f"{name}: last bar {day(row.last_bar_date)}, extraction {row.extraction_status}, "
        f"{count(row.failed_checks, 'failed check')}"
    )
    frame = {"x": "0.5", "y": "0.5", "width": "15", "height": "15", "rx": "3"}
    parts = [element("title", words), element("rect", **frame, class_=f"square {state}")]
    if state in _MARKS:
        parts.append(element("path", d=_MARKS[state], class_="square-mark"))
    return element("svg", *parts, width="16", height="16", role="img", aria_label=words)
