"""What a migration rewrote, beside its former definition."""

from __future__ import annotations

from sqlalchemy import Engine, text


def assert_rows_are_those_of(engine: Engine, view: str, former: str) -> None:
    """Check that a view of `roi` has rows, and those that its former definition gives."""
    with engine.connect() as connection, connection.begin() as transaction:
        now = connection.execute(text(f"SELECT * FROM roi.{view}")).all()
        connection.execute(text(former))
        before = connection.execute(text(f"SELECT * FROM roi.{view}")).all()
        transaction.rollback()
    assert len(now) > 0
    assert sorted(map(repr, now)) == sorted(map(repr, before))
