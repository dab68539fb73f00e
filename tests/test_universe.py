from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from roi_forecast.errors import UniverseError
from roi_forecast.universe import (
    EXCHANGES_FILE,
    MAX_CONTEXT,
    UNIVERSE_FILE,
    UNIVERSE_VARIABLE,
    load_universe,
    reference_exchange,
)


def test_reference_universe_has_twenty_stocks_and_three_metals() -> None:
    assets = load_universe().assets
    assert sum(asset.symbol.endswith(".NS") for asset in assets) == 20
    assert [asset.symbol for asset in assets if asset.asset_class == "commodity"] == [
        "GC=F",
        "SI=F",
        "PL=F",
    ]
    assert reference_exchange(assets).calendar == "XBOM"


def test_default_context_is_two_indices_a_currency_a_commodity_and_members_in_new_york() -> None:
    context = {asset.symbol: asset for asset in load_universe().context}
    assert {symbol: asset.asset_class for symbol, asset in context.items()} == {
        "^GSPC": "index",
        "^NDX": "index",
        "INR=X": "currency",
        "CL=F": "commodity",
        **dict.fromkeys(["INFY", "WIT", "HDB", "IBN"], "stock"),
    }
    assert load_universe().select(["CL=F", "TCS.NS"])[0] == context["CL=F"]
    assert context["INR=X"].currency == "INR"
    assert context["^GSPC"].exchange.calendar == "XNYS"


def test_a_currency_is_final_after_the_london_day() -> None:
    exchange = load_universe().asset("EURUSD=X").exchange
    assert exchange.final_at(date(2024, 7, 1)) == datetime(2024, 7, 1, 23, 14, tzinfo=UTC)
    assert exchange.final_at(date(2024, 12, 2)) == datetime(2024, 12, 3, 0, 14, tzinfo=UTC)


def test_a_symbol_may_be_asset_and_context_with_one_name(tmp_path: Path) -> None:
    edited = tmp_path / "universe.toml"
    edited.write_text(UNIVERSE_FILE.read_text() + '\n[[context]]\nsymbol = "GC=F"\nname = "x"\n')
    universe = load_universe(edited)
    assert universe.context[-1] == universe.asset("GC=F")
    assert universe.context[-1].name == "Gold futures"


def test_context_declared_twice_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "universe.toml"
    wrong.write_text(UNIVERSE_FILE.read_text() + '\n[[context]]\nsymbol = "INFY"\n')
    with pytest.raises(UniverseError, match="'INFY' is declared twice"):
        load_universe(wrong)


def test_more_context_than_a_run_may_have_is_refused(tmp_path: Path) -> None:
    edited = tmp_path / "universe.toml"
    entries = [f'[[context]]\nsymbol = "X{number}"\n' for number in range(42)]
    edited.write_text(UNIVERSE_FILE.read_text() + "\n" + "\n".join(entries))
    assert len(load_universe(edited).context) == MAX_CONTEXT == 50
    more = tmp_path / "more.toml"
    more.write_text(edited.read_text() + '\n[[context]]\nsymbol = "ONE"\n')
    with pytest.raises(UniverseError, match=r"51 \[\[context\]\] entries; at most 50"):
        load_universe(more)


def test_a_misspelt_list_is_named_instead_of_ignored(tmp_path: Path) -> None:
    wrong = tmp_path / "universe.toml"
    wrong.write_text(UNIVERSE_FILE.read_text() + '\n[[contexts]]\nsymbol = "AAPL"\n')
    with pytest.raises(UniverseError, match=r"'contexts' is not known; .*\[\[context\]\]"):
        load_universe(wrong)


def test_context_is_optional(tmp_path: Path) -> None:
    bare = tmp_path / "universe.toml"
    bare.write_text(UNIVERSE_FILE.read_text().partition("\n[[context]]")[0])
    assert load_universe(bare).context == ()


@pytest.mark.parametrize(
    ("symbol", "calendar", "currency"),
    [("M&M.NS", "XBOM", "INR"), ("AAPL", "XNYS", "USD"), ("HG=F", "CMES", "USD")],
)
def test_an_undeclared_symbol_takes_the_exchange_of_its_suffix(
    symbol: str, calendar: str, currency: str
) -> None:
    asset = load_universe().asset(symbol)
    assert (asset.exchange.calendar, asset.currency) == (calendar, currency)


def test_an_unknown_suffix_says_how_to_declare_it() -> None:
    with pytest.raises(UniverseError, match=r"'\.XY'.*\[\[exchanges\]\].*exchanges\.toml"):
        load_universe().asset("SAP.XY")


@pytest.mark.parametrize(
    ("symbol", "trading_date", "final"),
    [
        ("TCS.NS", date(2024, 7, 1), datetime(2024, 7, 1, 10, 15, tzinfo=UTC)),
        ("GC=F", date(2024, 7, 1), datetime(2024, 7, 1, 21, 15, tzinfo=UTC)),
        ("GC=F", date(2024, 12, 2), datetime(2024, 12, 2, 22, 15, tzinfo=UTC)),
    ],
)
def test_a_bar_is_final_after_the_local_cut_off_and_the_delay(
    symbol: str, trading_date: date, final: datetime
) -> None:
    assert load_universe().asset(symbol).exchange.final_at(trading_date) == final


def test_an_asset_is_added_by_editing_one_file(tmp_path: Path) -> None:
    edited = tmp_path / "universe.toml"
    entry = '\n[[assets]]\nsymbol = "M&M.NS"\nname = "Mahindra & Mahindra"\n'
    edited.write_text(UNIVERSE_FILE.read_text() + entry)
    assert load_universe(edited).assets[-1].name == "Mahindra & Mahindra"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[assets]]\nsymbol=", "cannot read"),
        ("", "declares no assets"),
        ("[[assets]]\nsymbol = 5\n", "assets 0 symbol: received 5; .*string"),
        ('[[assets]]\nname = "X"\n', "assets 0 lacks the key 'symbol'"),
        ("assets = 3\n", "assets: received 3"),
        (
            '[[assets]]\nsymbol = "X"\nexchange = "Mars"',
            "'X' names the exchange 'Mars'; it must be",
        ),
        ('[[exchanges]]\nname = "X"\n', r"'exchanges' is not known; allowed are \[\[assets\]\]"),
        (
            '\n[[assets]]\nsymbol = "ITC.NS\\n"\nname = "again"',
            r"'ITC\.NS\\n' is not a Yahoo symbol",
        ),
        (
            '\n[[assets]]\nsymbol = "M&M.NS"\nname = "a\\u0000b"',
            r"assets 0 name: received 'a\\x00b'",
        ),
        (
            '\n[[assets]]\nsymbol = "TCS.NS"\nname = "again"\n',
            "'TCS.NS' is declared twice",
        ),
    ],
)
def test_a_malformed_universe_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    wrong = tmp_path / "universe.toml"
    whole = UNIVERSE_FILE.read_text() + content if "TCS.NS" in message else content
    wrong.write_text(whole)
    with pytest.raises(UniverseError, match=message):
        load_universe(wrong)


EXCHANGE = """
[[exchanges]]
name = "Mars"
suffix = ".MA"
calendar = "XBOM"
currency = "INR"
timezone = "Asia/Kolkata"
cut_off = "15:30"
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[exchanges]]\nname=", "cannot read"),
        ('[[exchanges]]\nname = "X"\n', "exchanges 0 lacks the key 'calendar'"),
        ('exchanges = ["NSE"]\n', "exchanges 0: received 'NSE'"),
        (f"{EXCHANGE}{EXCHANGE}", "the exchange 'Mars' is declared twice"),
        (EXCHANGE + EXCHANGE.replace("Mars", "X"), "the suffix '.MA' is declared twice"),
        (
            EXCHANGE
            + 'indices = ["^M"]\n'
            + EXCHANGE.replace("MA", "X").replace("Mars", "X")
            + 'indices = ["^M"]',
            r"the index '\^M' is declared twice",
        ),
        (EXCHANGE.replace("suffix", "symbols") * 2, "declared twice"),
        (EXCHANGE.replace("Asia/Kolkata", "Mars/Base"), "exchanges 0 timezone: .*'Mars/Base'"),
        (EXCHANGE.replace("15:30", "25:30"), "exchanges 0 cut_off: received '25:30'"),
        (EXCHANGE.replace('".MA"', '"MA"'), "exchanges 0 suffix: received 'MA'"),
        (EXCHANGE.replace('suffix = ".MA"', ""), "exchanges 0: .*either a suffix or symbols"),
        (EXCHANGE + 'symbols = "X"', "exchanges 0: .*either a suffix or symbols"),
        (EXCHANGE.replace('suffix = ".MA"', "symbols = '('"), "no regular expression"),
        (EXCHANGE.replace('suffix = ".MA"', "symbols = '.*'"), "matches the empty symbol"),
        (EXCHANGE + "delay = 5", "exchanges 0 delay: "),
    ],
)
def test_a_malformed_file_of_exchanges_is_named(tmp_path: Path, content: str, message: str) -> None:
    wrong = tmp_path / "exchanges.toml"
    wrong.write_text(content)
    with pytest.raises(UniverseError, match=message) as refusal:
        load_universe(UNIVERSE_FILE, wrong)
    assert str(wrong) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_exchange_is_added_by_editing_one_file(tmp_path: Path) -> None:
    edited = tmp_path / "exchanges.toml"
    edited.write_text(EXCHANGES_FILE.read_text() + EXCHANGE + "\nasset_class = 'rock'\n")
    asset = load_universe(UNIVERSE_FILE, edited).asset("OLYMP.MA")
    assert (asset.exchange.name, asset.asset_class, asset.exchange.delay_minutes) == (
        "Mars",
        "rock",
        20,
    )


def test_an_entry_may_name_its_exchange_and_currency(tmp_path: Path) -> None:
    edited = tmp_path / "universe.toml"
    edited.write_text('[[assets]]\nsymbol = "EURUSD"\nexchange = "London"\ncurrency = "USD"\n')
    asset = load_universe(edited).asset("EURUSD")
    assert (asset.exchange.name, asset.currency) == ("London", "USD")


def test_the_first_exchange_that_matches_wins(tmp_path: Path) -> None:
    edited = tmp_path / "exchanges.toml"
    special = EXCHANGE.replace('suffix = ".MA"', "symbols = 'T[A-Z]+\\.NS'")
    edited.write_text(special + EXCHANGES_FILE.read_text())
    universe = load_universe(UNIVERSE_FILE, edited)
    assert [universe.asset(s).exchange.name for s in ("TCS.NS", "ITC.NS")] == ["Mars", "NSE"]


def test_a_universe_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "universe.toml"
    wrong.write_bytes(b"\xff\xfe")
    with pytest.raises(UniverseError, match="cannot read the universe file"):
        load_universe(wrong)


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        " ",
        "GC=F\n",
        "\nGC=F",
        "GC=F ",
        "GC\x00=F",
        "GC=F\x00",
        "gc=f",
        "A" * 33,
        "A" * 10**6,
        "é",
    ],
)
def test_an_invalid_symbol_is_rejected_briefly(symbol: str) -> None:
    with pytest.raises(UniverseError, match="is not a Yahoo symbol") as refusal:
        load_universe().asset(symbol)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("symbol", ["NA", "NULL", "NAN", "NONE", "TRUE", "INF"])
def test_a_word_that_others_take_for_nothing_is_a_symbol(symbol: str) -> None:
    assert load_universe().asset(symbol).symbol == symbol


def test_no_assets_have_no_reference_exchange() -> None:
    with pytest.raises(UniverseError, match="at least one symbol"):
        reference_exchange([])


def test_the_environment_names_another_universe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[assets]]\nsymbol = "AAPL"\n\n[[context]]\nsymbol = "INFY.NS"\n')
    monkeypatch.setenv(UNIVERSE_VARIABLE, str(own))
    universe = load_universe()
    assert [asset.symbol for asset in universe.assets] == ["AAPL"]
    assert [asset.symbol for asset in universe.context] == ["INFY.NS"]


def test_a_universe_that_cannot_be_found_everywhere_or_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(UNIVERSE_VARIABLE, "own.toml")
    with pytest.raises(UniverseError, match=r"ROI_UNIVERSE is 'own\.toml'; expected the absolute"):
        load_universe()
    for name, reason in (("none.toml", "No such file or directory"), ("", "Is a directory")):
        monkeypatch.setenv(UNIVERSE_VARIABLE, str(tmp_path / name))
        message = f"cannot read the universe file {tmp_path / name}, which ROI_UNIVERSE names: "
        with pytest.raises(UniverseError, match=f"^{re.escape(message + reason)}$"):
            load_universe()
