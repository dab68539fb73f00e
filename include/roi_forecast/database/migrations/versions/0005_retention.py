"""When retention deleted the files of a version; its row and all that refers to it stay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "model_versions",
        sa.Column(
            "files_deleted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="null while its files are there",
        ),
        schema="roi",
    )


def downgrade() -> None:
    op.drop_column("model_versions", "files_deleted_at", schema="roi")
