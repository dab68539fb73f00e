"""Reading the declared exchanges (exchanges.toml) and assets (universe.toml)."""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from roi_forecast.errors import UniverseError
from roi_forecast.quoting import quoted
from roi_forecast.universe.asset import MAX_CONTEXT, Asset
from roi_forecast.universe.exchange import Exchange, Text
from roi_forecast.universe.symbols import form_of_symbols, is_symbol
from roi_forecast.universe.universe import Universe, exchange_of

UNIVERSE_FILE = Path(__file__).with_name("universe.toml")
EXCHANGES_FILE = Path(__file__).with_name("exchanges.toml")
UNIVERSE_VARIABLE = "ROI_UNIVERSE"
"""Environment variable that names a universe file to take instead of `UNIVERSE_FILE`."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    symbol: str
    name: Text | None = None
    asset_class: Text | None = None
    currency: Text | None = None
    exchange: Text | None = None


class _Exchanges(BaseModel):
    model_config = ConfigDict(extra="forbid")

    exchanges: tuple[Exchange, ...] = ()


class _Assets(BaseModel):
    model_config = ConfigDict(extra="forbid")

    assets: tuple[_Entry, ...] = ()
    context: tuple[_Entry, ...] = ()


_Declared = TypeVar("_Declared", bound=BaseModel)


def load_universe(path: Path | None = None, exchanges_path: Path = EXCHANGES_FILE) -> Universe:
    """Read the universe file and the exchanges; a process reads each file once.

    Args:
        path: The universe file; None takes the one that `ROI_UNIVERSE` names, or the project's.
        exchanges_path: The file of the exchanges.

    Raises:
        UniverseError: A file is missing or not TOML, an entry is incomplete or duplicated, or
            `ROI_UNIVERSE` is no absolute path.
    """
    return _load(path or _universe_file(), exchanges_path)


def _universe_file() -> Path:
    given = os.environ.get(UNIVERSE_VARIABLE)
    if not given:
        return UNIVERSE_FILE
    path = Path(given)
    if not path.is_absolute():
        # Each process of Airflow has another current folder.
        raise UniverseError(
            f"the environment variable {UNIVERSE_VARIABLE} is {quoted(given)}; expected the "
            "absolute path of a file such as universe.toml"
        )
    return path


@lru_cache(maxsize=4)
def _load(path: Path, exchanges_path: Path) -> Universe:
    exchanges = _read(_Exchanges, exchanges_path).exchanges
    _refuse_duplicates(exchanges, exchanges_path)
    declared = _read(_Assets, path)
    assets = _as_assets(declared.assets, exchanges, path, exchanges_path)
    if not assets:
        raise UniverseError(f"{path} declares no assets; add at least one [[assets]] entry")
    context = _as_assets(declared.context, exchanges, path, exchanges_path)
    if len(context) > MAX_CONTEXT:
        raise UniverseError(
            f"{path} declares {len(context)} [[context]] entries; at most {MAX_CONTEXT} are allowed"
        )
    # One symbol has one name and class, whichever list it is in.
    context = {symbol: assets.get(symbol, asset) for symbol, asset in context.items()}
    return Universe(exchanges, tuple(assets.values()), exchanges_path, tuple(context.values()))


def _refuse_duplicates(exchanges: Sequence[Exchange], path: Path) -> None:
    declared: dict[str, Iterable[str]] = {
        "exchange": (exchange.name for exchange in exchanges),
        "suffix": (exchange.suffix for exchange in exchanges if exchange.suffix),
        "pattern of symbols": (exchange.symbols for exchange in exchanges if exchange.symbols),
        "index": (index for exchange in exchanges for index in exchange.indices),
    }
    for what, values in declared.items():
        for value, count in Counter(values).items():
            if count > 1:
                raise UniverseError(
                    f"{path}: the {what} {value!r} is declared twice; remove one entry"
                )


def _as_assets(
    entries: Sequence[_Entry], exchanges: tuple[Exchange, ...], path: Path, exchanges_path: Path
) -> dict[str, Asset]:
    assets: dict[str, Asset] = {}
    for entry in entries:
        symbol = entry.symbol
        if symbol in assets:
            raise UniverseError(
                f"{path}: the symbol {symbol!r} is declared twice; remove one entry"
            )
        exchange = _exchange_of(entry, exchanges, path, exchanges_path)
        asset_class = entry.asset_class or exchange.class_of(symbol)
        name = entry.name or symbol
        assets[symbol] = Asset(symbol, name, asset_class, exchange, entry.currency)
    return assets


def _exchange_of(
    entry: _Entry, exchanges: tuple[Exchange, ...], path: Path, exchanges_path: Path
) -> Exchange:
    """Return the exchange that an entry names, or that of its symbol."""
    if entry.exchange is None:
        return exchange_of(entry.symbol, exchanges, exchanges_path)
    if not is_symbol(entry.symbol):
        raise UniverseError(form_of_symbols(entry.symbol))
    for exchange in exchanges:
        if exchange.name == entry.exchange:
            return exchange.for_symbol(entry.symbol)
    raise UniverseError(
        f"{path}: {entry.symbol!r} names the exchange {quoted(entry.exchange)}; it must be the "
        f"name of an [[exchanges]] entry of {exchanges_path}"
    )


def _is_chosen(path: Path) -> bool:
    return os.environ.get(UNIVERSE_VARIABLE) == str(path)


def _read(model: type[_Declared], path: Path) -> _Declared:
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        source = f", which {UNIVERSE_VARIABLE} names" if _is_chosen(path) else ""
        raise UniverseError(f"cannot read the universe file {path}{source}: {reason}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        *place, key = first["loc"]
        where = " ".join(map(str, place))
        if first["type"] == "extra_forbidden" and not place:
            allowed = ", ".join(f"[[{name}]]" for name in model.model_fields)
            raise UniverseError(
                f"{path}: the key {quoted(key)} is not known; allowed are {allowed}"
            ) from error
        if first["type"] in {"missing", "missing_argument"}:
            raise UniverseError(f"{path}: {where} lacks the key {key!r}") from error
        raise UniverseError(
            f"{path}: {where} {key}: received {quoted(first['input'])}; {first['msg']}"
        ) from error
