"""Indexes without which pages over thousands of assets and hundreds of runs take long."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Measured with 5,000 assets (benchmarks/speed.py, section scale): a run stores seven checks an
# asset, of which few fail, and roi.asset_health counted an asset's among all of them: 18 s.
FAILED = "ix_price_checks_failed"
# The figures of every run were counted before the newest 100 were chosen: 159 ms of 750 runs.
NEWEST = "ix_runs_newest"


def upgrade() -> None:
    op.create_index(
        FAILED,
        "price_checks",
        ["run_id", "symbol"],
        schema="roi",
        postgresql_where=sa.text("NOT passed"),
    )
    op.create_index(NEWEST, "runs", [sa.text("claimed_at DESC"), "run_id"], schema="roi")


def downgrade() -> None:
    op.drop_index(NEWEST, table_name="runs", schema="roi")
    op.drop_index(FAILED, table_name="price_checks", schema="roi")
