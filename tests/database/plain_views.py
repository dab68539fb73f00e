"""The plain definition of views that are written for speed: they have to give the same rows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, text

_FOLDER = Path(__file__).with_name("plain_views")


def assert_rows_are_those_of_the_plain_view(engine: Engine, view: str) -> None:
    """Check that a view of `roi` has rows, and those that its plain definition gives."""
    plain = (_FOLDER / f"{view}.sql").read_text(encoding="utf-8")
    with engine.connect() as connection, connection.begin() as transaction:
        now = connection.execute(text(f"SELECT * FROM roi.{view}")).all()
        connection.execute(text(plain))
        expected = connection.execute(text(f"SELECT * FROM roi.{view}")).all()
        transaction.rollback()
    assert len(now) > 0
    assert sorted(map(repr, now)) == sorted(map(repr, expected))
