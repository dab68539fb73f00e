"""The leakage audit: does anything in a dataset come from the future?

From the bars and the dataset's arrays alone it recomputes what was known on each row. It calls none
of the code that builds datasets, so that a fault there cannot hide itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Self

import numpy as np

from roi_forecast.array_types import BoolArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.leaked.context import ContextFindings, audit_context
from roi_forecast.features.leaked.values import ValueFindings, audit_values
from roi_forecast.market.bars import Bars

MANIFEST_KEY = "leakage_audit"


@dataclass(frozen=True)
class LeakageCheck:
    """The result of one check of the audit.

    Attributes:
        check_name: Name of the check.
        passed: Whether nothing was found.
        observed: The deciding figure, or None where there is none.
        allowed: Its limit: a maximum, for the gaps a minimum.
        message: One sentence for people, with the relevant dates.
    """

    check_name: str
    passed: bool
    observed: float | None
    allowed: float | None
    message: str


@dataclass(frozen=True)
class LeakageAudit:
    """The results of all checks of one dataset."""

    checks: tuple[LeakageCheck, ...]

    @property
    def findings(self) -> tuple[LeakageCheck, ...]:
        """The failed checks."""
        return tuple(check for check in self.checks if not check.passed)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the audit as JSON values for the dataset's manifest."""
        return [asdict(check) for check in self.checks]

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Self | None:
        """Read the audit from a manifest, or return None if it has none of this form."""
        checks = manifest.get(MANIFEST_KEY)
        if not isinstance(checks, Sequence) or not checks:
            return None
        try:
            return cls(tuple(LeakageCheck(**check) for check in checks))
        except TypeError:
            return None


def audit_dataset(
    dataset: Dataset, bars: Bars, as_of_date: date, context_bars: Bars | None = None
) -> LeakageAudit:
    """Check that every value of a dataset was known on its row, and context when it is published.

    Args:
        dataset: The dataset to audit.
        bars: The bars that it was built from, with symbol, trading_date, prices and volume.
        as_of_date: The last session that the dataset may know.
        context_bars: The bars of its context assets; None: they are among `bars`.

    Returns:
        One check each for the as-of date, the windows, the two gaps, the scaler, the filling, the
        returns, the true ranges, the gaps at the opening, the volumes, the publication times and
        the context moves.
    """
    split, found = dataset.split, audit_values(dataset, bars)
    context = audit_context(dataset, bars if context_bars is None else context_bars)
    return LeakageAudit(
        (
            _no_row_after(dataset, as_of_date),
            _windows_end_before_targets(dataset),
            _gap(dataset, "validation", split.train, split.validation),
            _gap(dataset, "test", split.validation, split.test),
            _scaler_saw_training_rows_only(dataset, found),
            _prices_were_known(dataset, found),
            _returns_end_on_their_row(dataset, found),
            _ranges_end_on_their_row(dataset, found),
            _of_its_own_bar(dataset, "opening_gap", "gap at the opening", found.wrong_gaps),
            _of_its_own_bar(dataset, "volume", "volume", found.wrong_volumes),
            _published_between_sessions(dataset, context),
            _context_was_known(dataset, context),
        )
    )


def _no_row_after(dataset: Dataset, as_of_date: date) -> LeakageCheck:
    later = int((dataset.dates > np.datetime64(as_of_date)).sum())
    message = f"the last row is {dataset.dates[-1]}, the as-of date is {as_of_date}"
    return _none_allowed("as_of_date", later, message)


def _windows_end_before_targets(dataset: Dataset) -> LeakageCheck:
    backward = int((np.diff(dataset.dates) <= np.timedelta64(0, "D")).sum())
    parts = (dataset.split.train, dataset.split.validation, dataset.split.test)
    short = sum(max(0, dataset.seq_len - part.start) for part in parts)
    message = (
        f"{backward} of {len(dataset.dates)} rows are not later than the previous row, {short} "
        f"targets do not have a whole window of {dataset.seq_len} rows before them"
    )
    return _none_allowed("targets_after_windows", backward + short, message)


def _gap(dataset: Dataset, name: str, before: range, after: range) -> LeakageCheck:
    gap = after.start - before.stop
    message = (
        f"the previous targets end on {dataset.dates[before.stop - 1]}, those of {name} start on "
        f"{dataset.dates[after.start]}: {gap} rows between, at least {dataset.smoothing} are needed"
    )
    passed = gap >= dataset.smoothing
    return LeakageCheck(f"gap_before_{name}", passed, gap, dataset.smoothing, message)


def _scaler_saw_training_rows_only(dataset: Dataset, found: ValueFindings) -> LeakageCheck:
    allowed, starts = dataset.split.train.stop, dataset.dates[dataset.split.validation.start]
    matching = np.flatnonzero(found.gives_the_scaler) + 1
    if not len(matching):
        message = (
            "no number of rows from the first one on gives the scaler's statistics, so the rows it "
            f"was fitted on are unknown; the training rows are the first {allowed}"
        )
        return LeakageCheck(
            "scaler_fit", passed=False, observed=None, allowed=allowed, message=message
        )
    fitted = int(matching[0])
    message = (
        f"the scaler's statistics are those of the rows up to {dataset.dates[fitted - 1]}, "
        f"training ends on {dataset.dates[allowed - 1]}, validation starts on {starts}"
    )
    return LeakageCheck("scaler_fit", fitted <= allowed, fitted, allowed, message)


def _prices_were_known(dataset: Dataset, found: ValueFindings) -> LeakageCheck:
    message = f"each of {int(dataset.filled.sum())} filled prices is the asset's last earlier one"
    if found.first_wrong_price is not None:
        row, column = found.first_wrong_price
        message = (
            f"{found.wrong_prices} prices are not the asset's last one on or before their row, "
            f"{found.prices_from_the_next} of them are the next one; the first is "
            f"{dataset.symbols[column]} on {dataset.dates[row]}"
        )
    return _none_allowed("filling", found.wrong_prices, message)


def _returns_end_on_their_row(dataset: Dataset, found: ValueFindings) -> LeakageCheck:
    span, wrong = dataset.smoothing, found.wrong_returns
    count = int(wrong.sum())
    message = f"each return, and each mean of {span} returns, ends on its own row"
    if count:
        message = (
            f"{count} rows hold a return, or a mean of {span} returns, that does not end on them; "
            f"the first is {dataset.dates[int(wrong.argmax())]}"
        )
    return _none_allowed("returns", count, message)


def _ranges_end_on_their_row(dataset: Dataset, found: ValueFindings) -> LeakageCheck:
    wrong = found.wrong_ranges
    count = int(wrong.sum())
    message = "each true range covers the bars since the previous row, up to its own row"
    if count:
        message = (
            f"{count} rows hold a true range that covers other bars than those since the previous "
            f"row, up to their own; the first is {dataset.dates[int(wrong.argmax())]}"
        )
    return _none_allowed("true_range", count, message)


def _of_its_own_bar(dataset: Dataset, name: str, what: str, wrong: BoolArray) -> LeakageCheck:
    count = int(wrong.sum())
    message = f"each {what} is that of the bar on its own row"
    if count:
        message = (
            f"{count} rows hold a {what} that is not that of their own bar; the first is "
            f"{dataset.dates[int(wrong.argmax())]}"
        )
    return _none_allowed(name, count, message)


def _published_between_sessions(dataset: Dataset, found: ContextFindings) -> LeakageCheck:
    wrong = found.early | found.late
    count = int(wrong.sum())
    message = "each row is published once its bars are final, before an asset's exchange opens next"
    if count:
        message = (
            f"{int(found.early.sum())} rows are published before their bars are final, "
            f"{int(found.late.sum())} after an asset's exchange opens next; the first is "
            f"{dataset.dates[int(wrong.argmax())]}"
        )
    return _none_allowed("publication", count, message)


def _context_was_known(dataset: Dataset, found: ContextFindings) -> LeakageCheck:
    count = int(found.wrong_moves.sum())
    message = "each context move ends with the last bar that is final when its row is published"
    if count:
        row, column = np.argwhere(found.wrong_moves)[0]
        message = (
            f"{count} context moves do not end with the last bar that is final when their row is "
            f"published, {int(found.after_publication.sum())} of them end with the next one; the "
            f"first is {dataset.context_symbols[column]} on {dataset.dates[row]}"
        )
    return _none_allowed("context", count, message)


def _none_allowed(check_name: str, observed: int, message: str) -> LeakageCheck:
    return LeakageCheck(check_name, observed == 0, observed, 0, message)
