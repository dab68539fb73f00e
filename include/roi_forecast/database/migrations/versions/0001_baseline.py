"""The baseline: `migrate` creates the tables of a new database from their definitions."""

from __future__ import annotations

from alembic import op

from roi_forecast.database.tables import metadata
from roi_forecast.database.views import drop_views

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    drop_views(op.get_bind())
    metadata.drop_all(op.get_bind())
