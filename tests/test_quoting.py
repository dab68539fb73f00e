from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.quoting import listed, named, quoted

ANYTHING = st.recursive(
    st.none() | st.floats() | st.integers() | st.text(max_size=200) | st.binary(max_size=200),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
)


@given(ANYTHING)
def test_a_quote_is_one_short_line_of_printable_text(value: object) -> None:
    assert quoted(value).isprintable()
    assert len(quoted(value)) < 6000


def test_a_long_text_keeps_its_begin_and_end() -> None:
    quote = quoted("a" * 1000 + "\x00\nb")
    assert quote.startswith("'aaa")
    assert quote.endswith("\\x00\\nb'")
    assert len(quote) <= 80


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=50))
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert named(name) == listed([name]) == name


def test_a_strange_name_is_quoted_and_many_are_counted() -> None:
    assert named("a\x1b[31m") == r"'a\x1b[31m'"
    assert listed(["a\n", *map(str, range(20))]) == r"'a\n', 0, 1, 2, 3, 4, 5, 6, 7, 8 and 11 more"
