"""The prices of an outcome are looked up by the whole key, whatever the query names."""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

FORMER = import_module(
    "roi_forecast.database.migrations.versions.0014_faster_views"
).PREDICTION_OUTCOMES

# Where a query names the target date, PostgreSQL carries it over to the prices and may walk through
# all symbols of that date by skips in the index, twice as long as 5,000 look-ups. Adding nothing
# keeps it from that.
PREDICTION_OUTCOMES = FORMER.replace(
    "at_target.trading_date = prediction.target_date",
    "at_target.trading_date = prediction.target_date + 0",
).replace(
    "at_start.trading_date = prediction.as_of_date",
    "at_start.trading_date = prediction.as_of_date + 0",
)


def upgrade() -> None:
    op.execute(PREDICTION_OUTCOMES)


def downgrade() -> None:
    op.execute(FORMER)
