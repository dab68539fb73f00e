"""How a version came about, and how far the members of an ensemble differ."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "model_versions",
        sa.Column(
            "training_record",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="all parameters, libraries, device, and each member's seed and durations",
        ),
        schema="roi",
    )
    op.add_column(
        "predictions",
        sa.Column(
            "member_spread_pct",
            sa.Double(),
            nullable=True,
            comment=(
                "deviation of predicted_smoothed_roi_pct over an ensemble; null for one network"
            ),
        ),
        schema="roi",
    )


def downgrade() -> None:
    op.drop_column("predictions", "member_spread_pct", schema="roi")
    op.drop_column("model_versions", "training_record", schema="roi")
