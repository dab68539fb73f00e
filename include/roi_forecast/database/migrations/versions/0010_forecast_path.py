"""Forecasts several sessions ahead: by which method each was made, and the view of all horizons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LATEST_FORECAST_PATH = """
CREATE VIEW roi.latest_forecast_path AS
SELECT version.model_name,
       prediction.symbol,
       asset.name,
       prediction.as_of_date,
       prediction.target_date,
       prediction.horizon,
       prediction.method,
       prediction.predicted_roi_pct,
       prediction.lower_80_pct,
       prediction.upper_80_pct,
       prediction.lower_95_pct,
       prediction.upper_95_pct,
       prediction.predicted_smoothed_roi_pct,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.version_id,
       prediction.created_at
FROM roi.model_versions AS version
JOIN LATERAL (
    SELECT max(newest.as_of_date) AS as_of_date
    FROM roi.predictions AS newest
    WHERE newest.version_id = version.version_id AND newest.horizon = 1
) AS newest ON true
JOIN roi.predictions AS prediction
  ON prediction.version_id = version.version_id
 AND prediction.as_of_date = newest.as_of_date
LEFT JOIN roi.assets AS asset ON asset.symbol = prediction.symbol
WHERE version.state = 'champion'
"""


def upgrade() -> None:
    op.add_column(
        "predictions",
        sa.Column(
            "method",
            sa.Text(),
            # So far every forecast was of the next session.
            server_default=sa.text("'single_step'"),
            nullable=False,
            comment="single_step at horizon 1, beyond it direct or recursive",
        ),
        schema="roi",
    )
    # Farther ones are there only where a downgrade dropped their method, which is then the default.
    op.execute("UPDATE roi.predictions SET method = 'direct' WHERE horizon > 1")
    op.create_check_constraint(
        op.f("ck_predictions_method"),
        "predictions",
        "CASE WHEN horizon = 1 THEN method = 'single_step' "
        "ELSE method IN ('direct', 'recursive') END",
        schema="roi",
    )
    op.execute(LATEST_FORECAST_PATH)
    op.execute("GRANT SELECT ON roi.latest_forecast_path TO roi_reader")


def downgrade() -> None:
    op.execute("DROP VIEW roi.latest_forecast_path")
    op.drop_constraint(op.f("ck_predictions_method"), "predictions", schema="roi")
    op.drop_column("predictions", "method", schema="roi")
