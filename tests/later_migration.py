"""A code base with one migration more than the real one, and databases that lack it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine

from roi_forecast.database import migrate as migration

LATER_REVISION = "0003"

_LATER = """
import sqlalchemy as sa
from alembic import op
from roi_forecast.database.tables import predictions
from roi_forecast.database.views import drop_views

COMMENT = predictions.c.member_spread_pct.comment
revision = "0003"
down_revision = "0002"

def upgrade():
    column = sa.Column("member_spread_pct", sa.Double(), comment=COMMENT)
    op.add_column("predictions", column, schema="roi")

def downgrade():
    drop_views(op.get_bind())
    op.drop_column("predictions", "member_spread_pct", schema="roi")
"""


def go_one_migration_back(engine: Engine, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Let the code end in a migration that adds `member_spread_pct`, which the database lacks."""
    folder = directory / "migrations"
    shutil.copytree(migration._MIGRATIONS, folder)
    (folder / "versions" / "0003_later.py").write_text(_LATER, encoding="utf-8")
    monkeypatch.setattr(migration, "_MIGRATIONS", folder)
    with engine.begin() as connection:
        config = migration._alembic_config(connection)
        command.stamp(config, LATER_REVISION)
        command.downgrade(config, "-1")
