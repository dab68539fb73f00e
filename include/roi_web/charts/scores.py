"""Test scores of versions next to those of the baselines, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from roi_forecast.reading.versions import VersionSummary
from roi_web.formatting import number
from roi_web.svg import Scale, chart, column_axis, column_grid, element, titled, vertical_line
from roi_web.svg import percent as at

BASELINES = {
    "persistence_r2": "persistence",
    "zero_r2": "zero",
    "linear_r2": "linear part",
    "no_skill_r2": "no-skill forecast",
}
_HEIGHT = 36
_MIDDLE = _HEIGHT / 2


def score_scale(versions: Sequence[VersionSummary]) -> Scale:
    """Return a scale of R2 that fits all versions and their baselines."""
    values = [
        value
        for version in versions
        for name in ("r2", *BASELINES)
        if (value := getattr(version, name)) is not None
    ]
    low = min([0.0, *(max(value, -0.5) for value in values)])
    return Scale(low - 0.05, 1.0, 0.02, 0.98)


def score_axis(scale: Scale) -> Markup:
    """Return the axis above a column of score lines."""
    return column_axis(scale, number)


def score_line(version: VersionSummary, scale: Scale) -> Markup:
    """Return a version's test R2 as a disc among the marks of its baselines."""
    parts = []
    labels = []
    for name, baseline in BASELINES.items():
        value = getattr(version, name)
        if value is None:
            continue
        labels.append(f"{baseline} {number(value, 3)}")
        half = 13.0 if name in ("no_skill_r2", "linear_r2") else 9.0
        class_ = f"baseline {name.removesuffix('_r2').replace('_', '-')}"
        line = vertical_line(scale(value), _MIDDLE - half, _MIDDLE + half, class_)
        parts.append(titled(labels[-1], line))
    if version.r2 is not None:
        labels.insert(0, f"this version {number(version.r2, 3)}")
        disc = element("circle", cx=at(scale(version.r2)), cy=_MIDDLE, r="5.5", class_="point")
        parts.append(titled(labels[0], disc))
    words = "Test R2: " + (", ".join(labels) or "not evaluated")
    return chart(words, _HEIGHT, *column_grid(scale, _HEIGHT), *parts)
