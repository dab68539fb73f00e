"""The events in which a source restated prices that were stored already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "price_restatements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False, comment="the run that noticed it"),
        sa.Column(
            "compared_on", sa.Date(), nullable=False, comment="date of the bar that revealed it"
        ),
        sa.Column(
            "close_ratio", sa.Double(), nullable=False, comment="new over stored, on compared_on"
        ),
        sa.Column(
            "adj_close_ratio",
            sa.Double(),
            nullable=False,
            comment="new over stored, on compared_on",
        ),
        sa.Column("first_date", sa.Date(), nullable=False, comment="first bar fetched again"),
        sa.Column("last_date", sa.Date(), nullable=False, comment="last bar fetched again"),
        sa.Column(
            "rows", sa.Integer(), nullable=False, comment="rows inserted, changed or removed"
        ),
        sa.Column(
            "detected_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_restatements")),
        schema="roi",
    )
    op.create_index(
        "ix_price_restatements_symbol",
        "price_restatements",
        ["source", "symbol"],
        unique=False,
        schema="roi",
    )


def downgrade() -> None:
    op.drop_index("ix_price_restatements_symbol", table_name="price_restatements", schema="roi")
    op.drop_table("price_restatements", schema="roi")
