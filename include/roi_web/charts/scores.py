"""Test scores of versions beside those of the baselines, on one line each."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from roi_forecast.reading.records import VersionSummary
from roi_web.formatting import number
from roi_web.svg import Scale, element
from roi_web.svg import percent as at

BASELINES = {
    "training_mean_r2": "training mean",
    "persistence_r2": "persistence",
    "ridge_r2": "ridge",
    "noise_limit_r2": "noise limit",
}
_HEIGHT = 36
_MIDDLE = _HEIGHT / 2


def score_scale(versions: Sequence[VersionSummary]) -> Scale:
    """Return a scale of R2 on which all versions and their baselines fit."""
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
    ticks = [
        element("text", number(tick, 2), x=at(scale(tick)), y="13", class_="tick middle")
        for tick in scale.ticks(4)
    ]
    return element(
        "svg", *ticks, class_="chart axis", width="100%", height="18", aria_hidden="true"
    )


def score_line(version: VersionSummary, scale: Scale) -> Markup:
    """Return a version's test R2 as a disc among the marks of its baselines."""
    parts = [
        element(
            "line",
            x1=at(scale(tick)),
            x2=at(scale(tick)),
            y1="0",
            y2=_HEIGHT,
            class_="zero" if tick == 0 else "grid",
        )
        for tick in scale.ticks(4)
    ]
    said = []
    for name, label in BASELINES.items():
        value = getattr(version, name)
        if value is None:
            continue
        said.append(f"{label} {number(value, 3)}")
        x = at(scale(value))
        kind = name.removesuffix("_r2").replace("_", "-")
        tall = 13.0 if name in ("noise_limit_r2", "ridge_r2") else 9.0
        parts.append(
            element(
                "g",
                element("title", said[-1]),
                element(
                    "line",
                    x1=x,
                    x2=x,
                    y1=_MIDDLE - tall,
                    y2=_MIDDLE + tall,
                    class_=f"baseline {kind}",
                ),
            )
        )
    if version.r2 is not None:
        said.insert(0, f"this version {number(version.r2, 3)}")
        parts.append(
            element(
                "g",
                element("title", said[0]),
                element("circle", cx=at(scale(version.r2)), cy=_MIDDLE, r="5.5", class_="point"),
            )
        )
    words = "Test R2: " + (", ".join(said) or "not evaluated")
    return element(
        "svg", *parts, class_="chart", width="100%", height=_HEIGHT, role="img", aria_label=words
    )
