"""Plain definitions of views that are written for speed; both must have the same rows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, text

_FOLDER = Path(__file__).with_name("plain_views")


def assert_rows_are_those_of_the_plain_view(engine: Engine, view: str) -> None:
    """Check that a view of `roi` has rows, and the same ones as its plain definition."""
    plain = (_FOLDER / f"{view}.sql").read_text(encoding="utf-8")
    with engine.connect() as connection, connection.begin() as transaction:
        now = connection.execute(text(f"SELECT * FROM roi.{view}")).all()
        connection.execute(text(plain))
        expected = connection.execute(text(f"SELECT * FROM roi.{view}")).all()
        transaction.rollback()
    assert len(now) > 0
    assert sorted(map(repr, now)) == sorted(map(repr, expected))
