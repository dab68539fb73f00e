"""All assets of a run as small squares, so that one that is not well stands out."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from roi_forecast.reading.records import AssetHealth
from roi_web.formatting import count, day
from roi_web.svg import element


def asset_state(row: AssetHealth) -> str:
    """Return failed, checked, behind or well: the first that applies."""
    if row.extraction_status == "failed":
        return "failed"
    if row.failed_checks:
        return "checked"
    if row.last_bar_date is None or row.last_bar_date < row.as_of_date:
        return "behind"
    return "well"


def asset_squares(assets: Sequence[AssetHealth]) -> Markup:
    """Return one square for each asset; a mark besides the colour tells the states apart."""
    squares = []
    for row in assets:
        state = asset_state(row)
        words = (
            f"{row.symbol}: last bar {day(row.last_bar_date)}, extraction {row.extraction_status}, "
            f"{count(row.failed_checks, 'failed check')}"
        )
        mark = {
            "failed": "M4 4 L12 12 M12 4 L4 12",
            "checked": "M8 3 L8 9 M8 11.5 L8 13",
            "behind": "M4 8 L12 8",
        }.get(state)
        squares.append(
            element(
                "svg",
                element("title", words),
                element(
                    "rect",
                    x="0.5",
                    y="0.5",
                    width="15",
                    height="15",
                    rx="3",
                    class_=f"square {state}",
                ),
                element("path", d=mark, class_="square-mark") if mark else Markup(""),
                width="16",
                height="16",
                role="img",
                aria_label=words,
            )
        )
    return Markup("").join(squares)
