"""A volume that is none, or cannot be one, is stored as empty."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

COMMENT = "null where the source gives none that can be"


def upgrade() -> None:
    volume = sa.column("volume", sa.BigInteger())
    prices = sa.table("daily_prices", volume, schema="roi")
    op.alter_column("daily_prices", "volume", nullable=True, comment=COMMENT, schema="roi")
    op.execute(sa.update(prices).where(volume < 0).values(volume=None))
    op.create_check_constraint("volume", "daily_prices", "volume >= 0", schema="roi")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_daily_prices_volume"), "daily_prices", schema="roi")
    volume = sa.column("volume", sa.BigInteger())
    prices = sa.table("daily_prices", volume, schema="roi")
    op.execute(sa.update(prices).where(volume.is_(None)).values(volume=0))
    op.alter_column("daily_prices", "volume", nullable=False, comment=None, schema="roi")
