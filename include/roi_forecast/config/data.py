"""The parameters of the prices and of the features built from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from roi_forecast.config.base import NAME_PATTERN, RARE, Config, Day, Section
from roi_forecast.price_sources import LIVE_SOURCES, PRICE_SOURCES
from roi_forecast.universe import MAX_CONTEXT, Context, Publish, load_universe
from roi_forecast.universe.symbols import typed_symbols

if TYPE_CHECKING:
    SourceKind = str
    LiveSource = str
else:
    SourceKind = Literal[tuple(PRICE_SOURCES)]
    LiveSource = Literal[LIVE_SOURCES]


MAX_SYMBOLS = 5000
"""Assets of one run."""


_LISTS_OF_SYMBOLS = ("symbols", "context_symbols")
_NO_SYMBOLS = "[]"
"""How a list of symbols in the form says that it is meant to be empty."""


def _offer_universe(schema: dict[str, Any]) -> None:
    schema["offered"] = [asset.symbol for asset in load_universe().assets]


def _offer_context(schema: dict[str, Any]) -> None:
    schema["offered"] = [asset.symbol for asset in load_universe().context]


class DataConfig(Config):
    """The prices of a run, and the model name that they serve."""

    source: SourceKind = Field(
        "yahoo",
        description="Where prices come from.",
        json_schema_extra={
            "values_display": {name: entry.label for name, entry in PRICE_SOURCES.items()}
        },
    )
    csv_path: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="With source csv: the file (text or Parquet, plain or packed) or the folder of "
        "files, as the workers see it.",
    )
    symbols: tuple[str, ...] = Field(
        (),
        max_length=MAX_SYMBOLS,
        description="Any Yahoo symbols, in lines or with commas, in capitals or not; the suffix "
        "names the exchange. Empty: those of the universe, for source csv those that the file "
        "holds.",
        json_schema_extra=_offer_universe,
    )
    context_symbols: tuple[str, ...] | None = Field(
        None,
        max_length=MAX_CONTEXT,
        description="Any Yahoo symbols of context assets, which inform the forecasts and are not "
        "forecast themselves. Empty: those of the universe, for source csv none. `[]`: none.",
        json_schema_extra=_offer_context,
    )
    publish: Publish = Field(
        "after_close",
        description="When forecasts are published: once the bars of the as-of date are final, or "
        "an hour before the first of the assets' exchanges opens next, which lets context know "
        "more.",
        json_schema_extra={
            "values_display": {
                "after_close": "once the bars of the as-of date are final",
                "before_open": "before the next opening",
            }
        },
    )
    as_of_date: Day | None = Field(
        None,
        description="Last session whose prices the run may use. Empty: the last session whose "
        "bars are final.",
    )
    start_date: Day | None = Field(
        None,
        description="First date of the prices used. Empty: 2.5 years before the as-of date.",
    )
    model_name: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="Name under which candidates compete and one champion serves. Empty: "
        "reference for source yahoo, csv_<file name> for a file, otherwise the name of the source.",
    )
    quorum: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Share of the assets that must have usable prices for the run to continue.",
        json_schema_extra=RARE,
    )
    csv_dates: Literal["auto", "day_first", "month_first"] = Field(
        "auto",
        description="With source csv: how the file writes a date such as 01/02/2024. auto: as all "
        "dates of the file together show; a file that leaves it open is refused.",
        json_schema_extra={
            **RARE,
            "values_display": {
                "auto": "as the file shows",
                "day_first": "day first",
                "month_first": "month first",
            },
        },
    )
    csv_decimal: Literal["auto", "point", "comma"] = Field(
        "auto",
        description="With source csv: the decimal mark of the file's numbers. auto: as all numbers "
        "of the file together show; a file that leaves it open is refused.",
        json_schema_extra={
            **RARE,
            "values_display": {
                "auto": "as the file shows",
                "point": "a point: 1,234.5",
                "comma": "a comma: 1.234,5",
            },
        },
    )
    csv_suffix: str | None = Field(
        None,
        pattern=r"^([.=][A-Z]+)?$",
        max_length=10,
        description="With source csv: exchange suffix, such as .NS, for symbols that the file "
        "writes without one. Empty: none.",
        json_schema_extra=RARE,
    )

    @model_validator(mode="before")
    @classmethod
    def _name_the_assets(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        typed = {name: _typed(values[name]) for name in _LISTS_OF_SYMBOLS if name in values}
        values = {**values, **typed}
        if values.get("symbols") not in (None, [], ()):
            return values
        is_file = values.get("source") == "csv"
        universe = () if is_file else tuple(asset.symbol for asset in load_universe().assets)
        return {**values, "symbols": universe}

    @property
    def context(self) -> Context:
        """The context assets that the run uses, given or by default, and when it publishes."""
        universe = load_universe()
        if self.context_symbols is not None:
            return Context(universe.select(self.context_symbols), self.publish)
        return Context(() if self.source == "csv" else universe.context, self.publish)


def _typed(value: Any) -> Any:
    """Return the symbols in a list of lines, None if nothing but space is in it."""
    if not isinstance(value, list | tuple) or not all(isinstance(line, str) for line in value):
        return value
    symbols = typed_symbols(value)
    if symbols == [_NO_SYMBOLS] or not value:
        return []
    return symbols or None


class FallbackConfig(Config):
    """What a daily run does when its source does not answer."""

    fallback_source: LiveSource | None = Field(
        None,
        description="Source of the run if its own does not answer when it starts. Such a run has "
        "prices, candidates and a champion of its own, under the model name with the source "
        "appended. Empty: the run fails.",
        json_schema_extra={
            "values_display": {
                **{name: PRICE_SOURCES[name].label for name in LIVE_SOURCES},
                "None": "none, the run fails",
            }
        },
    )


class FeatureConfig(Config):
    """How prices become scaled windows."""

    form_section: ClassVar[Section] = "Features and network"

    seq_len: int = Field(60, ge=5, le=500, description="Sessions in one input window.")
    smoothing: int = Field(
        5,
        ge=1,
        le=60,
        description="Sessions in the moving average of the log ROI, which is the target.",
    )
    scaler: Literal["minmax", "standard"] = Field(
        "minmax",
        description="Scaling of each asset, fitted on training rows: minmax to [0, 1], standard "
        "to mean 0 and deviation 1.",
        json_schema_extra={
            **RARE,
            "values_display": {"minmax": "to [0, 1]", "standard": "to mean 0 and deviation 1"},
        },
    )
    test_share: float = Field(
        0.2,
        ge=0.05,
        le=0.5,
        description="Share of all windows, the newest ones, that is reserved for the test.",
        json_schema_extra=RARE,
    )
    validation_share: float = Field(
        0.15,
        ge=0.05,
        le=0.5,
        description="Share of the other windows, the newest ones, that is reserved for validation.",
        json_schema_extra=RARE,
    )
