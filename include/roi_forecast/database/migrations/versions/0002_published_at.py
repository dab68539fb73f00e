"""When the forecasts of a run are due becomes a column.

The parameters hold all symbols, and PostgreSQL unpacked them for every forecast that was read.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from roi_forecast.database.views import drop_views

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    column = sa.Column("published_at", moment, comment="when its forecasts are due")
    op.add_column("runs", column, schema="roi")
    # That a column was filled is no change of the record.
    op.execute("ALTER TABLE roi.runs DISABLE TRIGGER record_update")
    op.execute("UPDATE roi.runs SET published_at = (resolved ->> 'published_at')::timestamptz")
    op.execute("ALTER TABLE roi.runs ENABLE TRIGGER record_update")
    op.alter_column("runs", "published_at", nullable=False, schema="roi")


def downgrade() -> None:
    drop_views(op.get_bind())
    op.drop_column("runs", "published_at", schema="roi")
