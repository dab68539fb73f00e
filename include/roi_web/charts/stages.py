"""The stages of a run as bars in time: what took long, and what failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from roi_forecast.reading.runs import StageAttempt
from roi_web.formatting import count, seconds
from roi_web.svg import Scale, chart, element, titled
from roi_web.svg import percent as at

_ROW = 34
_LABEL = 13
_BAR = 9
_NARROWEST = 0.004
"""Share of the width that the shortest bar takes."""


def seconds_of(attempt: StageAttempt, now: datetime) -> float | None:
    """Return how long an attempt took, or has taken so far; None if its process was killed."""
    if attempt.ended_at is not None:
        return (attempt.ended_at - attempt.started_at).total_seconds()
    if attempt.state == "running":
        return max(0.0, (now - attempt.started_at).total_seconds())
    return None


def stage_timeline(attempts: Sequence[StageAttempt], now: datetime) -> Markup:
    """Return a row of bars for each stage, in the order in which the stages first started.

    Args:
        attempts: Of one run, at least one.
        now: Where the bar of a running stage ends.
    """
    first = min(attempt.started_at for attempt in attempts)
    ends = [
        (attempt.started_at - first).total_seconds() + (seconds_of(attempt, now) or 0.0)
        for attempt in attempts
    ]
    across = Scale(0.0, max(*ends, 1.0) if len(ends) > 1 else max(ends[0], 1.0), 0.0, 0.995)
    stages: dict[str, list[StageAttempt]] = {}
    for attempt in attempts:
        stages.setdefault(attempt.stage, []).append(attempt)
    parts: list[Markup] = []
    for row, (stage, found) in enumerate(stages.items()):
        top = row * _ROW
        parts.append(
            element("text", _label(stage, found, now), x="0", y=top + _LABEL, class_="tick strong")
        )
        for attempt in found:
            start = across((attempt.started_at - first).total_seconds())
            length = seconds_of(attempt, now) or 0.0
            end = across((attempt.started_at - first).total_seconds() + length)
            bar = element(
                "rect",
                x=at(start),
                y=top + _LABEL + 5,
                width=at(max(end - start, _NARROWEST)),
                height=_BAR,
                rx="2",
                class_=f"stage {attempt.state}",
            )
            words = f"{stage}, attempt {attempt.attempt}: {attempt.state}, {seconds(length)}"
            parts.append(titled(words, bar))
    words = f"{count(len(stages), 'stage')} in {seconds(across.high)}: " + "; ".join(
        _label(stage, found, now) for stage, found in stages.items()
    )
    return chart(words, _ROW * len(stages), *parts)


def _label(stage: str, attempts: Sequence[StageAttempt], now: datetime) -> str:
    """Return a stage with its duration from the first start to the last end, and how it went."""
    last = max((attempt for attempt in attempts), key=lambda attempt: attempt.attempt_id)
    known = [
        (attempt.started_at, length)
        for attempt in attempts
        if (length := seconds_of(attempt, now)) is not None
    ]
    words = stage
    if known:
        begin = min(start for start, _ in known)
        took = max((start - begin).total_seconds() + length for start, length in known)
        words += f" {seconds(took)}"
    instances = len({attempt.map_index for attempt in attempts})
    tries = max(attempt.attempt for attempt in attempts)
    if instances > 1:
        words += f", {instances} instances"
    if tries > 1:
        words += f", {count(tries, 'attempt')}"
    failed = sum(attempt.state == "failed" for attempt in attempts)
    if last.state not in ("succeeded", "failed"):
        words += f", {last.state}"
    elif failed:
        words += f", {failed} failed" if len(attempts) > 1 else ", failed"
    return words
